import type { Job } from "@/api/types";
import { rate } from "@/lib/format";

/** The configuration as it was taken, defaults included. */
export function Configuration({ job }: { job: Job }) {
  const entries: [string, unknown][] = [["trainer", job.trainer], ...Object.entries(job.config)];
  return (
    <dl className="flex flex-col">
      {entries.map(([name, value]) => (
        <div key={name} className="flex items-baseline justify-between gap-4 border-b py-1 last:border-b-0">
          <dt className="shrink-0 text-xs text-ink-3">{words(name)}</dt>
          <dd className="min-w-0 text-right font-mono text-xs">{shown(name, value)}</dd>
        </div>
      ))}
    </dl>
  );
}

export function words(name: string): string {
  return name.replaceAll("_", " ");
}

export function shown(name: string, value: unknown): string {
  if (value === null || value === undefined || value === "") return "–";
  if (typeof value === "number") return name.includes("rate") ? rate(value) : String(value);
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "string") return value;
  if (Array.isArray(value) && value.every((each) => typeof each === "string"))
    return value.join(" · ") || "–";
  return JSON.stringify(value);
}
