import type { Job } from "@/api/types";
import { settingName, settingValue } from "@/lib/settings";

/** The configuration as it was taken, defaults included. */
export function Configuration({ job }: { job: Job }) {
  const entries: [string, unknown][] = [["trainer", job.trainer], ...Object.entries(job.config)];
  return (
    <dl className="flex flex-col">
      {entries.map(([name, value]) => (
        <div key={name} className="flex items-baseline justify-between gap-4 border-b py-1 last:border-b-0">
          <dt className="shrink-0 text-xs text-ink-3">{settingName(name)}</dt>
          <dd className="min-w-0 text-right font-mono text-xs">{settingValue(name, value)}</dd>
        </div>
      ))}
    </dl>
  );
}
