/** Reads a trainer's JSON Schema into the fields of a form. Pure; knows the shapes that pydantic writes. */

export type FieldKind = "integer" | "number" | "boolean" | "text" | "choice" | "texts" | "json";

export interface FieldSpec {
  name: string;
  label: string;
  description: string;
  kind: FieldKind;
  group: "common" | "advanced";
  unit: string;
  nullable: boolean;
  fallback: unknown;
  choices: readonly string[];
  minimum: number | null;
  maximum: number | null;
  /** Whether the minimum itself is not allowed. */
  above: boolean;
  mostItems: number | null;
}

type Node = Record<string, unknown>;

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export function fieldsOf(schema: Node): FieldSpec[] {
  const properties = isNode(schema["properties"]) ? schema["properties"] : {};
  const defs = isNode(schema["$defs"]) ? schema["$defs"] : {};
  const fields = Object.entries(properties).flatMap(([name, raw]) =>
    isNode(raw) ? [fieldOf(name, raw, defs)] : [],
  );
  return [
    ...fields.filter((field) => field.group === "common"),
    ...fields.filter((field) => field.group === "advanced"),
  ];
}

function fieldOf(name: string, raw: Node, defs: Node): FieldSpec {
  const { node, nullable } = resolved(raw, defs);
  const exclusive = number(node["exclusiveMinimum"]);
  return {
    name,
    label: labelOf(name),
    description: text(raw["description"]) || text(node["description"]),
    kind: kindOf(node),
    group: raw["group"] === "common" ? "common" : "advanced",
    unit: text(raw["unit"]),
    nullable,
    fallback: raw["default"] ?? (nullable ? null : undefined),
    choices: Array.isArray(node["enum"]) ? node["enum"].map(String) : [],
    minimum: exclusive ?? number(node["minimum"]),
    maximum: number(node["maximum"]),
    above: exclusive !== null,
    mostItems: number(node["maxItems"]),
  };
}

/** Follows a reference and takes "or null" apart. */
function resolved(raw: Node, defs: Node): { node: Node; nullable: boolean } {
  const options = Array.isArray(raw["anyOf"]) ? raw["anyOf"].filter(isNode) : [];
  const real = options.filter((option) => option["type"] !== "null");
  const nullable = options.length > real.length;
  const only = real.length === 1 ? real[0] : undefined;
  return { node: dereferenced({ ...raw, ...only }, defs), nullable };
}

function dereferenced(node: Node, defs: Node): Node {
  const all = Array.isArray(node["allOf"]) && isNode(node["allOf"][0]) ? node["allOf"][0] : node;
  const name = text(all["$ref"]).replace("#/$defs/", "");
  const target = name ? defs[name] : undefined;
  return isNode(target) ? { ...node, ...target } : node;
}

function kindOf(node: Node): FieldKind {
  if (Array.isArray(node["enum"])) return "choice";
  switch (node["type"]) {
    case "integer":
    case "number":
    case "boolean":
      return node["type"];
    case "string":
      return "text";
    case "array":
      return isNode(node["items"]) && node["items"]["type"] === "string" ? "texts" : "json";
    default:
      return "json";
  }
}

const number = (value: unknown): number | null => (typeof value === "number" ? value : null);
const text = (value: unknown): string => (typeof value === "string" ? value : "");

/** `sample_every_n_steps` → `Sample every n steps`; well-known abbreviations keep their capitals. */
function labelOf(name: string): string {
  const words = name
    .replaceAll("_", " ")
    .replace(/\b(lora|lr|snr|vae|ema|gpu|cpu|id|url)\b/g, (word) =>
      word === "lora" ? "LoRA" : word.toUpperCase(),
    );
  return words.charAt(0).toUpperCase() + words.slice(1);
}
