/** Which stages the job went through, how long each took, and how far the present one is. */
import { useQuery } from "@tanstack/react-query";
import { stagesQuery } from "@/api/queries";
import { isTerminal, type Job, type Stage } from "@/api/types";
import { ProgressBar } from "@/components/ui/status";
import { Time, useSeconds } from "@/components/ui/time";
import { cn } from "@/lib/cn";
import { duration, percent, utc } from "@/lib/format";
import { S } from "@/strings";
import { stageRows, type PhaseRow, type StageRow } from "./stage-rows";

export function Stages({ job }: { job: Job }) {
  const share = job.phase_pct === null ? null : Math.floor(job.phase_pct);
  const { data } = useQuery(stagesQuery(job.id, [job.attempt, job.status, job.stage, job.phase, share]));
  const now = useSeconds(!isTerminal(job.status));
  return (
    <ol className="flex flex-col" aria-label={S.overview.stages}>
      {stageRows(data ?? [], job, now).map((row, index, rows) => (
        <Row key={row.key} row={row} job={job} isLast={index === rows.length - 1} />
      ))}
    </ol>
  );
}

function Row({ row, job, isLast }: { row: StageRow; job: Job; isLast: boolean }) {
  return (
    <li className="relative flex gap-3 pb-2.5 last:pb-0" data-stage={row.stage}>
      {!isLast && <span aria-hidden className="absolute top-4 bottom-0 left-[0.28rem] w-px bg-line" />}
      <span
        aria-hidden
        className={cn(
          "mt-1.5 size-2.5 shrink-0 rounded-full",
          dot(row.stage),
          row.isPresent && "animate-breathe",
        )}
      />
      <div className="min-w-0 flex-1">
        <div className="flex items-baseline justify-between gap-2">
          <span className="truncate">
            {row.label}
            {row.attempt !== null && <span className="text-ink-3"> · {S.jobs.attempt(row.attempt)}</span>}
          </span>
          <span className="shrink-0 text-xs text-ink-3">
            {row.times !== null && `${S.overview.times(row.times)} · `}
            {row.seconds === null ? (
              <Time iso={row.began} as="clock" />
            ) : (
              <time dateTime={row.began} title={utc(new Date(row.began))}>
                {duration(row.seconds)}
              </time>
            )}
          </span>
        </div>
        {row.detail && <p className="text-xs break-words text-ink-3">{row.detail}</p>}
        {row.pct !== null && (
          <ProgressBar value={row.pct} status={job.status} label={row.label} className="my-1" />
        )}
        {row.phases.length > 0 && (
          <ul className="mt-0.5">
            {row.phases.map((phase) => (
              <Phase key={phase.name} phase={phase} />
            ))}
          </ul>
        )}
      </div>
    </li>
  );
}

function Phase({ phase }: { phase: PhaseRow }) {
  return (
    <li className="flex justify-between gap-2 text-xs text-ink-3">
      <span className="min-w-0 truncate">{phase.name}</span>
      <span className="shrink-0">
        {phase.pct !== null && `${percent(phase.pct)} · `}
        {duration(phase.seconds)}
      </span>
    </li>
  );
}

function dot(stage: Stage): string {
  if (stage === "completed") return "bg-ok";
  if (stage === "failed") return "bg-bad";
  return stage === "cancelled" || stage === "queued" ? "bg-ink-3" : "bg-signal";
}
