/** Steps that have samples: their names, and the choice of one to compare with. */
import { Select } from "@/components/ui/field";
import { cn } from "@/lib/cn";
import { count } from "@/lib/format";
import { S } from "@/strings";
import type { Column } from "./matrix";

export function stepName(column: Column | undefined): string {
  if (!column) return "";
  const name = column.step === 0 ? S.samples.untrained : S.samples.step(count(column.step));
  return column.repeated ? `${name} · ${S.samples.attempt(column.attempt)}` : name;
}

export function StepSelect({
  columns,
  value,
  onChange,
  className,
}: {
  columns: readonly Column[];
  /** Index of the chosen column. */
  value: number;
  onChange: (column: number) => void;
  className?: string;
}) {
  return (
    <label className={cn("flex items-center gap-2 text-xs text-ink-2", className)}>
      {S.samples.compareWith}
      <Select value={value} onChange={(event) => onChange(Number(event.target.value))}>
        {columns.map((each, index) => (
          <option key={`${each.step}:${each.attempt}`} value={index}>
            {stepName(each)}
          </option>
        ))}
      </Select>
    </label>
  );
}
