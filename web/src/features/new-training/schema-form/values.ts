/** What is typed into a form, and the configuration it stands for. Pure. */
import { S } from "@/strings";
import type { FieldSpec } from "./fields";

/** What the controls hold: text as it was typed, a tick, or lines of text. */
export type Draft = Record<string, string | boolean | string[]>;

export function draftOf(fields: readonly FieldSpec[], config: Record<string, unknown>): Draft {
  return Object.fromEntries(
    fields.map((field) => [field.name, typed(field, config[field.name] ?? field.fallback)]),
  );
}

/** The draft with these settings typed in; one that the form does not have is left out. */
export function taken(
  fields: readonly FieldSpec[],
  draft: Draft,
  settings: Readonly<Record<string, unknown>>,
): Draft {
  const changed = fields.filter((field) => field.name in settings);
  return {
    ...draft,
    ...Object.fromEntries(changed.map((field) => [field.name, typed(field, settings[field.name])])),
  };
}

function typed(field: FieldSpec, value: unknown): string | boolean | string[] {
  switch (field.kind) {
    case "boolean":
      return value === true;
    case "texts":
      return Array.isArray(value) ? value.map(String) : [];
    case "json":
      return value == null ? "" : JSON.stringify(value);
    case "number":
      return typeof value === "number" ? plain(value) : "";
    default:
      return typeof value === "string" || typeof value === "number" ? String(value) : "";
  }
}

/** `0.0001` is read as a rate more easily than what JavaScript writes for smaller ones. */
function plain(value: number): string {
  return value !== 0 && Math.abs(value) < 0.001
    ? value.toExponential().replace(/\.?0+e/, "e")
    : String(value);
}

export interface Reading {
  config: Record<string, unknown>;
  /** What is wrong, by field. */
  errors: Record<string, string>;
}

/** Reads the draft; values equal to the default are sent all the same, so that the job says what it ran with. */
export function read(fields: readonly FieldSpec[], draft: Draft): Reading {
  const config: Record<string, unknown> = {};
  const errors: Record<string, string> = {};
  for (const field of fields) {
    const result = readField(field, draft[field.name]);
    if (result.error) errors[field.name] = result.error;
    else if (result.value !== undefined) config[field.name] = result.value;
  }
  return { config, errors };
}

interface FieldReading {
  value?: unknown;
  error?: string;
}

function readField(field: FieldSpec, typed: string | boolean | string[] | undefined): FieldReading {
  if (field.kind === "boolean") return { value: typed === true };
  if (field.kind === "texts") return texts(field, Array.isArray(typed) ? typed : []);
  const text = typeof typed === "string" ? typed.trim() : "";
  if (text === "") return empty(field);
  if (field.kind === "integer" || field.kind === "number") return numeric(field, text);
  if (field.kind === "json") return json(text);
  return { value: text };
}

function empty(field: FieldSpec): FieldReading {
  if (field.nullable) return { value: null };
  if (field.kind === "text" && typeof field.fallback === "string") return { value: "" };
  return field.fallback === undefined ? { error: S.form.required } : {};
}

function texts(field: FieldSpec, lines: readonly string[]): FieldReading {
  const value = lines.map((line) => line.trim()).filter(Boolean);
  if (field.mostItems !== null && value.length > field.mostItems)
    return { error: S.form.tooMany(field.mostItems) };
  return { value };
}

function numeric(field: FieldSpec, text: string): FieldReading {
  const value = Number(text.replace(",", "."));
  if (!Number.isFinite(value)) return { error: S.form.notANumber };
  if (field.kind === "integer" && !Number.isInteger(value)) return { error: S.form.notWhole };
  const { minimum, maximum, above } = field;
  if (minimum !== null && (above ? value <= minimum : value < minimum))
    return { error: above ? S.form.above(minimum) : S.form.atLeast(minimum) };
  if (maximum !== null && value > maximum) return { error: S.form.atMost(maximum) };
  return { value };
}

function json(text: string): FieldReading {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return { error: S.form.notJson };
  }
}

/** Takes "config.steps: input should be …" apart. */
export function fieldProblem(detail: string): { field: string; message: string } | null {
  const match = /^config\.([A-Za-z0-9_]+)[^:]*:\s*(.+)$/s.exec(detail);
  return match?.[1] && match[2] ? { field: match[1], message: match[2] } : null;
}
