/** One figure as an instrument shows it: a small label, a large value, a quiet remark. */
import type { ReactNode } from "react";
import { cn } from "@/lib/cn";

export function Figure({
  label,
  value,
  note,
  className,
}: {
  label: string;
  value: ReactNode;
  note?: ReactNode;
  className?: string;
}) {
  return (
    <div className={cn("panel min-w-0 px-3.5 py-2.5", className)}>
      <dt className="label-caps truncate">{label}</dt>
      <dd className="mt-0.5 text-xl font-medium tracking-tight">{value}</dd>
      {note !== undefined && <dd className="truncate text-xs text-ink-3">{note}</dd>}
    </div>
  );
}
