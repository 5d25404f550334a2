/** Which stages the job went through, and how long each took. */
import { useQuery } from "@tanstack/react-query";
import { api, body } from "@/api/client";
import { isTerminal, type Job, type LogEntry, type Stage } from "@/api/types";
import { Time, useNow } from "@/components/ui/time";
import { cn } from "@/lib/cn";
import { duration } from "@/lib/format";
import { S } from "@/strings";

const EVENTS =
  "job.created,job.queued,job.started,job.stage,job.resumed,job.adopted,job.completed,job.failed,job.cancelled";

interface Span {
  stage: Stage;
  from: string;
  to: string | null;
  attempt: number;
  seq: number;
}

export function Stages({ job }: { job: Job }) {
  const { data } = useQuery({
    // The stage is part of the key: a new one reads the list anew, and nothing has to poll.
    queryKey: ["job", job.id, "stages", job.stage, job.status, job.attempt],
    queryFn: ({ signal }) =>
      body(
        api.GET("/api/jobs/{job_id}/logs/view", {
          params: { path: { job_id: job.id }, query: { event: EVENTS, limit: 1000, order: "asc" } },
          signal,
        }),
      ),
    placeholderData: (before) => before,
    staleTime: Infinity,
  });
  const spans = spansOf(data?.entries ?? []);
  const now = useNow();
  return (
    <ol className="flex flex-col">
      {spans.map((span, index) => {
        const isLast = index === spans.length - 1;
        const running = isLast && !isTerminal(job.status);
        const until = span.to ? Date.parse(span.to) : now.getTime();
        return (
          <li key={span.seq} className="relative flex gap-3 pb-2.5 last:pb-0">
            {!isLast && <span aria-hidden className="absolute top-4 bottom-0 left-[0.28rem] w-px bg-line" />}
            <span
              aria-hidden
              className={cn(
                "mt-1.5 size-2.5 shrink-0 rounded-full",
                dot(span.stage),
                running && "animate-breathe",
              )}
            />
            <div className="flex min-w-0 flex-1 items-baseline justify-between gap-2">
              <span className="truncate">
                {S.stage[span.stage]}
                {span.attempt > 1 && <span className="text-ink-3"> · {S.jobs.attempt(span.attempt)}</span>}
                {running && job.phase && (
                  <span className="block truncate text-xs text-ink-3">{job.phase}</span>
                )}
              </span>
              <span className="shrink-0 text-xs text-ink-3">
                {running ? (
                  S.overview.stageNow
                ) : isTerminalStage(span.stage) ? (
                  <Time iso={span.from} as="clock" />
                ) : (
                  <time dateTime={span.from}>{duration((until - Date.parse(span.from)) / 1000)}</time>
                )}
              </span>
            </div>
          </li>
        );
      })}
    </ol>
  );
}

const isTerminalStage = (stage: Stage) =>
  stage === "completed" || stage === "failed" || stage === "cancelled";

function dot(stage: Stage): string {
  if (stage === "completed") return "bg-ok";
  if (stage === "failed") return "bg-bad";
  return stage === "cancelled" || stage === "queued" ? "bg-ink-3" : "bg-signal";
}

/** Runs of the same stage become one span, from its first line to the next stage's first. */
export function spansOf(entries: readonly LogEntry[]): Span[] {
  const spans: Span[] = [];
  for (const entry of entries) {
    const fields = entry.fields as { stage?: Stage; attempt?: number };
    const stage = stageOf(entry, fields.stage);
    if (!stage) continue;
    const attempt = fields.attempt ?? 1;
    const last = spans.at(-1);
    if (last?.stage === stage && last.attempt === attempt) continue;
    if (last) last.to = entry.timestamp;
    spans.push({ stage, from: entry.timestamp, to: null, attempt, seq: entry.seq });
  }
  return spans;
}

const BY_EVENT: Record<string, Stage> = {
  "job.created": "queued",
  "job.queued": "queued",
  "job.resumed": "queued",
  "job.completed": "completed",
  "job.failed": "failed",
  "job.cancelled": "cancelled",
};

function stageOf(entry: LogEntry, told: Stage | undefined): Stage | undefined {
  return BY_EVENT[entry.event] ?? (entry.event === "job.adopted" ? undefined : told);
}
