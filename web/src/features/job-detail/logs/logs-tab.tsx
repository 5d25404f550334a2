import { ArrowDownToLine, CircleAlert, Download, Search } from "lucide-react";
import { useDeferredValue, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { useMutation } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { api, body } from "@/api/client";
import { useHub } from "@/api/live/react";
import type { LogEntry, LogLevel } from "@/api/types";
import { JobRoute } from "@/app/routes";
import { useShortcuts } from "@/app/shortcuts";
import { Button } from "@/components/ui/button";
import { Input, Select } from "@/components/ui/field";
import { Empty, Failed, Loading } from "@/components/ui/states";
import { cn } from "@/lib/cn";
import { count } from "@/lib/format";
import { paced } from "@/lib/paced";
import { S } from "@/strings";
import { useFirstError } from "../first-error";
import { useMoment } from "../moment";
import { EVENTS, LEVEL_BADGE, LEVEL_INK, LEVELS } from "./levels";
import { LinePanel } from "./line-panel";
import { lineCount, LogList, type LogListHandle } from "./log-list";
import { filterQuery, isFiltered, LogWindow, NO_FILTER, pageReader, type LogFilter } from "./window";

/** The stream rings; the log reads at most this often, ms. */
const REFRESH_MS = 200;
/** Typing settles for so long before the server is asked. */
const TYPING_MS = 200;

/** A line's offset under a filter, and the line itself. */
async function locate(jobId: string, filter: LogFilter, query: { seq?: number; step?: number }) {
  const path = { job_id: jobId };
  const filters = filterQuery(filter);
  const { offset } = await body(
    api.GET("/api/jobs/{job_id}/logs/locate", { params: { path, query: { ...query, ...filters } } }),
  );
  const page = await body(
    api.GET("/api/jobs/{job_id}/logs/view", { params: { path, query: { ...filters, offset, limit: 1 } } }),
  );
  return { offset, entry: page.entries[0] ?? null };
}

export function LogsTab({ jobId }: { jobId: string }) {
  const { line } = JobRoute.useSearch();
  const navigate = useNavigate({ from: "/jobs/$jobId" });
  const moment = useMoment();
  const { step } = moment;
  const [filter, setFilter] = useState<LogFilter>(NO_FILTER);
  const settled = useSettled(filter);
  const log = useMemo(() => new LogWindow(pageReader(jobId, settled)), [jobId, settled]);
  const version = useSyncExternalStore(log.subscribe, () => log.version);
  const [following, setFollowing] = useState(line === undefined && step === null);
  const [selected, setSelected] = useState<LogEntry | null>(null);
  const list = useRef<LogListHandle>(null);
  const searchBox = useRef<HTMLInputElement>(null);
  const total = log.total;
  const [seen, setSeen] = useState(0);

  useEffect(() => {
    log.show(0, 0);
    return () => log.close();
  }, [log]);
  useRefresh(log);
  const follow = (next: boolean) => {
    if (!next) setSeen(total ?? 0);
    setFollowing(next);
  };

  // Brings a line into sight: one that the address names, or the first one of the moment's step.
  const { mutate: place } = useMutation({
    mutationFn: (query: { seq?: number; step?: number }) => locate(jobId, settled, query),
    onSuccess: ({ offset, entry }, { seq }) => {
      follow(false);
      list.current?.toIndex(offset);
      if (seq !== undefined) setSelected(entry);
    },
  });
  const isReady = total !== null;
  useEffect(() => {
    if (!isReady) return;
    if (line !== undefined) place({ seq: line });
    else if (step !== null) place({ step });
  }, [isReady, line, step, place]);

  const choose = (entry: LogEntry | null) => {
    setSelected(entry);
    void navigate({ search: (known) => ({ ...known, line: entry?.seq }), replace: true });
  };
  const toLatest = () => {
    setSelected(null);
    void navigate({ search: (known) => ({ ...known, line: undefined, step: undefined }), replace: true });
    setFollowing(true);
    list.current?.toEnd();
  };
  const firstError = useFirstError(jobId, moment);
  const toFirstError = () => {
    setFilter(NO_FILTER);
    firstError();
  };
  useShortcuts("logs", [
    { key: "/", label: S.logs.keys.search, run: () => searchBox.current?.focus() },
    { key: "g", label: S.logs.keys.latest, run: toLatest },
  ]);
  const fresh = Math.max(0, (total ?? 0) - seen);

  return (
    <div className="flex h-full min-h-0 flex-col">
      <div className="flex shrink-0 flex-wrap items-center gap-2 border-b bg-surface px-3 py-2">
        <div className="relative min-w-40 flex-1 md:max-w-80">
          <Search
            className="pointer-events-none absolute top-1/2 left-2.5 size-4 -translate-y-1/2 text-ink-3"
            aria-hidden
          />
          <Input
            ref={searchBox}
            type="search"
            aria-label={S.logs.search}
            placeholder={S.logs.search}
            data-own-escape
            value={filter.search}
            onChange={(event) => setFilter({ ...filter, search: event.target.value })}
            onKeyDown={(event) => {
              if (event.key !== "Escape") return;
              event.stopPropagation();
              list.current?.focus();
            }}
            className="pl-8"
          />
        </div>
        <Levels chosen={filter.levels} onChange={(levels) => setFilter({ ...filter, levels })} />
        <Select
          aria-label={S.logs.event}
          value={filter.event}
          onChange={(event) => setFilter({ ...filter, event: event.target.value })}
        >
          <option value="">{S.logs.everyEvent}</option>
          {EVENTS.map((each) => (
            <option key={each}>{each}</option>
          ))}
        </Select>
        <span className="text-xs text-ink-3" role="status">
          {lineCount(total)}
        </span>
        <span className="ml-auto flex gap-1.5">
          <Button tone="quiet" onClick={toFirstError}>
            <CircleAlert aria-hidden /> {S.logs.firstError}
          </Button>
          <Button asChild tone="quiet" title={S.logs.download}>
            <a
              href={`/api/jobs/${encodeURIComponent(jobId)}/logs`}
              download={`${jobId}.events.jsonl`}
              aria-label={S.logs.download}
            >
              <Download aria-hidden />
            </a>
          </Button>
        </span>
      </div>
      <div className="relative min-h-0 flex-1">
        {log.error !== null && total === null ? (
          <Failed error={log.error} onRetry={() => log.retry()} />
        ) : total === null ? (
          <Loading />
        ) : total === 0 ? (
          <Nothing filtered={isFiltered(settled)} onClear={() => setFilter(NO_FILTER)} />
        ) : (
          <LogList
            ref={list}
            log={log}
            version={version}
            total={total}
            selected={selected?.seq ?? null}
            step={step}
            search={settled.search}
            following={following}
            onFollow={follow}
            onSelect={choose}
          />
        )}
        {!following && total !== null && total > 0 && (
          <Button
            tone="primary"
            className="absolute right-4 bottom-3 rounded-full shadow-lift"
            onClick={toLatest}
          >
            <ArrowDownToLine aria-hidden /> {S.logs.latest}
            {fresh > 0 && <span className="opacity-80">({S.logs.newLines(count(fresh))})</span>}
          </Button>
        )}
      </div>
      {selected && <LinePanel entry={selected} onClose={() => choose(null)} />}
    </div>
  );
}

function Levels({
  chosen,
  onChange,
}: {
  chosen: readonly LogLevel[];
  onChange: (levels: LogLevel[]) => void;
}) {
  return (
    <div role="group" aria-label={S.logs.levels} className="flex gap-1">
      {LEVELS.map((level) => {
        const on = chosen.includes(level);
        return (
          <button
            key={level}
            type="button"
            aria-pressed={on}
            onClick={() => onChange(on ? chosen.filter((each) => each !== level) : [...chosen, level])}
            className={cn(
              "touch-target h-7 rounded-sm border px-1.5 font-mono text-2xs font-medium hover:border-edge",
              LEVEL_INK[level],
              on && cn("border-current bg-raised", LEVEL_BADGE[level]),
            )}
          >
            {level}
          </button>
        );
      })}
    </div>
  );
}

function Nothing({ filtered, onClear }: { filtered: boolean; onClear: () => void }) {
  if (!filtered) return <Empty title={S.logs.empty} />;
  return (
    <Empty title={S.logs.nothing}>
      <p className="mb-4">{S.logs.nothingText}</p>
      <Button onClick={onClear}>{S.logs.clear}</Button>
    </Empty>
  );
}

/** Rings from the stream become reads: the first at once, the others in a steady pace. */
function useRefresh(log: LogWindow): void {
  const hub = useHub();
  useEffect(() => {
    let seen = 0;
    return paced(
      hub.subscribe,
      REFRESH_MS,
    )(() => {
      const told = hub.open?.lastSeq ?? 0;
      if (told === seen) return;
      seen = told;
      void log.refresh();
    });
  }, [hub, log]);
}

/** Typing waits for a pause, everything else takes effect at once. */
function useSettled(filter: LogFilter): LogFilter {
  const [search, setSearch] = useState(filter.search);
  useEffect(() => {
    const timer = window.setTimeout(() => setSearch(filter.search), TYPING_MS);
    return () => window.clearTimeout(timer);
  }, [filter.search]);
  const { levels, event } = filter;
  return useDeferredValue(useMemo(() => ({ levels, event, search }), [levels, event, search]));
}
