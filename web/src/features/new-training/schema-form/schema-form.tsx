/** A form for any trainer, drawn from its JSON Schema. */
import { ChevronDown, Plus, X } from "lucide-react";
import { useId, useState } from "react";
import { Button, IconButton } from "@/components/ui/button";
import { Checkbox, Input, Select, Textarea } from "@/components/ui/field";
import { cn } from "@/lib/cn";
import { S } from "@/strings";
import type { FieldSpec } from "./fields";
import type { Draft } from "./values";

interface SchemaFormProps {
  fields: readonly FieldSpec[];
  draft: Draft;
  errors: Readonly<Record<string, string>>;
  onChange: (name: string, value: Draft[string]) => void;
}

export function SchemaForm({ fields, draft, errors, onChange }: SchemaFormProps) {
  const [all, setAll] = useState(false);
  const [search, setSearch] = useState("");
  const common = fields.filter((field) => field.group === "common");
  const advanced = fields.filter((field) => field.group === "advanced");
  const hidden = advanced.some((field) => errors[field.name]);
  const open = all || hidden;
  const found = advanced.filter((field) =>
    `${field.label} ${field.name} ${field.description}`.toLowerCase().includes(search.toLowerCase()),
  );
  const show = (field: FieldSpec) => (
    <Field
      key={field.name}
      field={field}
      value={draft[field.name]}
      error={errors[field.name]}
      onChange={(value) => onChange(field.name, value)}
    />
  );
  return (
    <div>
      <div className="grid gap-x-5 gap-y-4 sm:grid-cols-2 xl:grid-cols-3">{common.map(show)}</div>
      {advanced.length > 0 && (
        <div className="mt-5 border-t pt-3">
          <button
            type="button"
            aria-expanded={open}
            onClick={() => setAll(!open)}
            className="touch-target flex items-center gap-1.5 font-medium text-ink-2 hover:text-ink"
          >
            <ChevronDown className={cn("size-4 transition-transform", !open && "-rotate-90")} aria-hidden />
            {S.form.more(advanced.length)}
          </button>
          {open && (
            <>
              {advanced.length > 8 && (
                <Input
                  type="search"
                  aria-label={S.form.search}
                  placeholder={S.form.search}
                  value={search}
                  onChange={(event) => setSearch(event.target.value)}
                  className="mt-2 max-w-72"
                />
              )}
              <div className="mt-3 grid gap-x-5 gap-y-4 sm:grid-cols-2 xl:grid-cols-3">{found.map(show)}</div>
            </>
          )}
        </div>
      )}
    </div>
  );
}

interface FieldProps {
  field: FieldSpec;
  value: Draft[string] | undefined;
  error: string | undefined;
  onChange: (value: Draft[string]) => void;
}

function Field({ field, value, error, onChange }: FieldProps) {
  const id = useId();
  const wide = field.kind === "texts" || field.kind === "json";
  return (
    <div
      className={cn("flex min-w-0 flex-col gap-1", wide && "sm:col-span-2 xl:col-span-3")}
      data-field={field.name}
    >
      {field.kind === "boolean" ? (
        <label htmlFor={id} className="flex min-h-8 items-center gap-2.5 font-medium">
          <Checkbox
            id={id}
            checked={value === true}
            onChange={(event) => onChange(event.target.checked)}
            aria-describedby={`${id}-note`}
          />
          {field.label}
        </label>
      ) : (
        <>
          <label htmlFor={field.kind === "texts" ? `${id}-0` : id} className="font-medium">
            {field.label}
            {field.unit && <span className="font-normal text-ink-3"> ({field.unit})</span>}
          </label>
          <Control id={id} field={field} value={value} error={error} onChange={onChange} />
        </>
      )}
      <p
        id={`${id}-note`}
        className={cn("text-xs", error ? "text-bad" : "text-ink-3")}
        role={error ? "alert" : undefined}
      >
        {error ?? field.description}
      </p>
    </div>
  );
}

function Control({ id, field, value, error, onChange }: FieldProps & { id: string }) {
  const described = { id, "aria-invalid": error !== undefined, "aria-describedby": `${id}-note` };
  if (field.kind === "texts")
    return (
      <Lines
        id={id}
        value={Array.isArray(value) ? value : []}
        most={field.mostItems}
        label={field.label}
        onChange={onChange}
      />
    );
  const text = typeof value === "string" ? value : "";
  if (field.kind === "choice")
    return (
      <Select
        {...described}
        className="w-full"
        value={text}
        onChange={(event) => onChange(event.target.value)}
      >
        {field.nullable && <option value="">{S.form.none}</option>}
        {field.choices.map((choice) => (
          <option key={choice}>{choice}</option>
        ))}
      </Select>
    );
  if (field.kind === "json")
    return (
      <Textarea
        {...described}
        className="font-mono text-xs"
        value={text}
        onChange={(event) => onChange(event.target.value)}
      />
    );
  return (
    <Input
      {...described}
      inputMode={field.kind === "integer" ? "numeric" : field.kind === "number" ? "decimal" : "text"}
      autoComplete="off"
      placeholder={field.nullable ? S.form.automatic : undefined}
      value={text}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}

/** A list of texts: one line each. */
function Lines({
  id,
  value,
  most,
  label,
  onChange,
}: {
  id: string;
  value: readonly string[];
  most: number | null;
  label: string;
  onChange: (value: string[]) => void;
}) {
  const lines = value.length === 0 ? [""] : value;
  const set = (index: number, text: string) =>
    onChange(lines.map((line, at) => (at === index ? text : line)));
  return (
    <div className="flex flex-col gap-1.5">
      {lines.map((line, index) => (
        <div key={index} className="flex gap-1.5">
          <Input
            id={`${id}-${index}`}
            aria-label={index === 0 ? undefined : `${label} ${index + 1}`}
            value={line}
            placeholder={index === 0 ? S.form.emptyPrompt : undefined}
            onChange={(event) => set(index, event.target.value)}
          />
          {lines.length > 1 && (
            <IconButton
              label={S.form.removeLine(index + 1)}
              onClick={() => onChange(lines.filter((_, at) => at !== index))}
            >
              <X />
            </IconButton>
          )}
        </div>
      ))}
      {(most === null || lines.length < most) && (
        <Button tone="quiet" size="sm" className="self-start" onClick={() => onChange([...lines, ""])}>
          <Plus aria-hidden /> {S.form.addLine}
        </Button>
      )}
    </div>
  );
}
