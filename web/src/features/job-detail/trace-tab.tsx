/** The job's story across processes: every line with its correlation id, from the request to the trainer. */
import { useQuery } from "@tanstack/react-query";
import { traceQuery } from "@/api/queries";
import type { TraceEntry } from "@/api/types";
import { AnsiText } from "@/components/ui/ansi";
import { CopyButton } from "@/components/ui/copy";
import { Empty, Failed, Loading } from "@/components/ui/states";
import { Time } from "@/components/ui/time";
import { cn } from "@/lib/cn";
import { duration } from "@/lib/format";
import { S } from "@/strings";
import { LEVEL_INK } from "./logs/levels";
import { useMoment } from "./moment";

/** A pause between two lines that is worth saying, seconds. */
const PAUSE = 5;

export function TraceTab({ jobId, correlationId }: { jobId: string; correlationId: string }) {
  const { data, error, refetch } = useQuery(traceQuery(jobId));
  const { goTo } = useMoment();
  if (error && !data) return <Failed error={error} onRetry={() => void refetch()} />;
  if (!data) return <Loading />;
  const command = `isengard trace ${correlationId}`;
  return (
    <div className="mx-auto flex max-w-[90rem] flex-col gap-3 p-3 md:p-4">
      <section className="panel p-3.5">
        <h3 className="label-caps">{S.trace.id}</h3>
        <p className="flex items-center font-mono text-sm">
          {correlationId}
          <CopyButton text={correlationId} label={S.copyCorrelation} />
        </p>
        <p className="text-ink-2">{S.trace.text}</p>
        <p className="mt-1 flex flex-wrap items-center gap-2 text-xs text-ink-3">
          {S.trace.command}{" "}
          <code className="rounded-sm bg-sunken px-1.5 py-0.5 font-mono text-ink">{command}</code>
          <CopyButton text={command} label={S.logs.copyLine} />
        </p>
      </section>
      {data.entries.length === 0 ? (
        <Empty title={S.trace.none} />
      ) : (
        <ol className="panel overflow-x-auto py-1">
          {data.entries.map((entry, index) => (
            <TraceRow
              key={`${entry.source}:${entry.seq ?? index}:${entry.timestamp}`}
              entry={entry}
              before={data.entries[index - 1]}
              onOpen={entry.seq !== null ? () => goTo("logs", { line: entry.seq ?? 1 }) : undefined}
            />
          ))}
        </ol>
      )}
      {data.truncated && <p className="text-ink-2">{S.trace.truncated}</p>}
    </div>
  );
}

function TraceRow({
  entry,
  before,
  onOpen,
}: {
  entry: TraceEntry;
  before: TraceEntry | undefined;
  onOpen: (() => void) | undefined;
}) {
  const pause = before ? (Date.parse(entry.timestamp) - Date.parse(before.timestamp)) / 1000 : 0;
  const where = entry.source === "journal" ? entry.service : entry.source;
  return (
    <li>
      {pause >= PAUSE && (
        <p className="mx-3 my-1 border-t border-dashed pt-1 text-2xs text-ink-3">
          {S.trace.gap(duration(pause))}
        </p>
      )}
      <div className="grid grid-cols-[6.5rem_5rem_1fr] min-h-7 items-center gap-x-3 px-3 font-mono text-xs hover:bg-raised md:grid-cols-[6.5rem_5rem_9rem_1fr]">
        <Time iso={entry.timestamp} as="precise" className="text-ink-3" />
        <span className={cn("truncate", entry.source === "journal" ? "text-ink-2" : "text-mark")}>
          {where}
        </span>
        <span className="truncate text-ink-2 max-md:hidden">{entry.event}</span>
        <span className={cn("min-w-0 truncate", LEVEL_INK[entry.level as keyof typeof LEVEL_INK])}>
          {onOpen ? (
            <button
              type="button"
              onClick={onOpen}
              className="min-h-6 w-full truncate text-left underline-offset-2 hover:underline"
            >
              <AnsiText text={entry.message || entry.event} />
            </button>
          ) : (
            <AnsiText text={entry.message || entry.event} />
          )}
        </span>
      </div>
    </li>
  );
}
