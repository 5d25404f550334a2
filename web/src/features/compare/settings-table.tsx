import { useState } from "react";
import type { Job } from "@/api/types";
import { Checkbox } from "@/components/ui/field";
import { Panel } from "@/components/ui/panel";
import { useJobName } from "@/features/jobs/names";
import { duration, figure, shortId } from "@/lib/format";
import { cn } from "@/lib/cn";
import { settingName, settingValue } from "@/lib/settings";
import { S } from "@/strings";
import { settingRows } from "./select";
import { Swatch } from "./swatch";

/** What came out, and the settings that differ. */
export function SettingsTable({ jobs }: { jobs: readonly Job[] }) {
  const nameOf = useJobName();
  const [all, setAll] = useState(false);
  const rows = settingRows(jobs).filter((row) => all || row.differs);
  const outcomes: [string, string[]][] = [
    [S.compare.status, jobs.map((job) => S.status[job.status])],
    [S.compare.finalLoss, jobs.map((job) => figure(job.current_loss))],
    [S.compare.duration, jobs.map((job) => duration(tookOf(job)))],
  ];
  return (
    <Panel
      title={S.compare.settings}
      aside={
        <label className="flex min-h-6 items-center gap-2 text-xs text-ink-2">
          <Checkbox checked={all} onChange={(event) => setAll(event.target.checked)} />
          {S.compare.showAll}
        </label>
      }
    >
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls must be reachable by keyboard */}
      <div role="region" aria-label={S.compare.settings} className="overflow-x-auto" tabIndex={0}>
        <table className="w-full text-left">
          <thead>
            <tr className="border-b">
              <th scope="col" className="label-caps py-1.5 pr-4">
                {S.compare.setting}
              </th>
              {jobs.map((job, index) => (
                <th key={job.id} scope="col" className="py-1.5 pr-4 font-medium whitespace-nowrap">
                  <span className="flex items-center gap-2">
                    <Swatch index={index} /> <bdi className="max-w-48 truncate">{nameOf(job)}</bdi>{" "}
                    <span className="font-mono text-2xs text-ink-3">{shortId(job.id)}</span>
                  </span>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {outcomes.map(([name, values]) => (
              <Row key={name} name={name} values={values} />
            ))}
            {rows.map((row) => (
              <Row
                key={row.name}
                name={settingName(row.name)}
                values={row.values.map((value) => settingValue(row.name, value))}
                mono
                marked={all && row.differs}
              />
            ))}
          </tbody>
        </table>
      </div>
      {rows.length === 0 && <p className="mt-2 text-ink-3">{S.compare.same}</p>}
    </Panel>
  );
}

function Row({
  name,
  values,
  mono,
  marked,
}: {
  name: string;
  values: readonly string[];
  mono?: boolean;
  marked?: boolean;
}) {
  return (
    <tr className={cn("border-b last:border-b-0", marked && "bg-signal-soft")}>
      <th scope="row" className="py-1.5 pr-4 text-xs font-normal whitespace-nowrap text-ink-3">
        {name}
      </th>
      {values.map((value, index) => (
        <td key={index} className={cn("py-1.5 pr-4", mono && "font-mono text-xs")}>
          {value}
        </td>
      ))}
    </tr>
  );
}

function tookOf(job: Job): number | null {
  if (!job.started_at || !job.completed_at) return null;
  return (Date.parse(job.completed_at) - Date.parse(job.started_at)) / 1000;
}
