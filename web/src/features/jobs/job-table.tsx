/** The list itself: a table on a wide screen, cards on a phone; only the rows in sight are in the document. */
import { Link, useNavigate } from "@tanstack/react-router";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown, ArrowUp } from "lucide-react";
import { useCallback, useEffect, useRef, useState } from "react";
import type { Job } from "@/api/types";
import { Checkbox } from "@/components/ui/field";
import { ProgressBar, StatusBadge } from "@/components/ui/status";
import { Time, useNow } from "@/components/ui/time";
import { cn } from "@/lib/cn";
import { age, count, dateTime, DASH, duration, figure, percent, shortId, shortType, utc } from "@/lib/format";
import { S } from "@/strings";
import { JobPicture } from "./job-picture";
import { settingsOf, useJobName } from "./names";
import type { Direction, Sort } from "./select";
import { QueuePlace } from "./queue";
import { Spark } from "./spark";

const ROW_HEIGHT = 61;
/** Wide: eight columns. Medium: without the GPU. Narrow: a card, without the age as well. The first has the picture. */
const GRID = cn(
  "grid items-center gap-x-4",
  "xl:grid-cols-[4.5rem_minmax(10rem,1.5fr)_9.5rem_minmax(9rem,1.2fr)_10.5rem_5.5rem_7rem_3rem]",
  "lg:max-xl:grid-cols-[4.5rem_minmax(10rem,1.5fr)_9.5rem_minmax(7rem,1.2fr)_10.5rem_5.5rem_3rem]",
  "max-lg:grid-cols-[2.5rem_minmax(0,1fr)_auto]",
);

export interface JobTableProps {
  jobs: readonly Job[];
  chosen: ReadonlySet<string>;
  /** Row that the keys j and k are at; -1 for none. */
  cursor: number;
  onChoose: (chosen: ReadonlySet<string>) => void;
  sort: Sort;
  direction: Direction;
}

export function JobTable({ jobs, chosen, cursor, onChoose, sort, direction }: JobTableProps) {
  const [margin, setMargin] = useState(0);
  const place = useCallback((list: HTMLDivElement | null) => setMargin(list?.offsetTop ?? 0), []);
  const lastChosen = useRef(-1);

  const rows = useWindowVirtualizer({
    count: jobs.length,
    estimateSize: () => ROW_HEIGHT,
    overscan: 8,
    scrollMargin: margin,
    getItemKey: (index) => jobs[index]?.id ?? index,
  });
  useEffect(() => {
    if (cursor >= 0) rows.scrollToIndex(cursor, { align: "auto" });
  }, [cursor, rows]);

  const choose = (index: number, range: boolean) => {
    const next = new Set(chosen);
    const job = jobs[index];
    if (!job) return;
    const on = !next.has(job.id);
    const from = range && lastChosen.current >= 0 ? lastChosen.current : index;
    for (const each of jobs.slice(Math.min(from, index), Math.max(from, index) + 1)) {
      if (on) next.add(each.id);
      else next.delete(each.id);
    }
    lastChosen.current = index;
    onChoose(next);
  };

  return (
    <div
      role="table"
      aria-label={S.jobs.table}
      aria-rowcount={jobs.length + 1}
      className="panel overflow-clip"
    >
      <Head jobs={jobs} chosen={chosen} onChoose={onChoose} sort={sort} direction={direction} />
      <div ref={place} role="rowgroup" className="relative" style={{ height: rows.getTotalSize() }}>
        {rows.getVirtualItems().map((item) => {
          const job = jobs[item.index];
          return job ? (
            <div
              key={item.key}
              ref={rows.measureElement}
              data-index={item.index}
              role="row"
              aria-rowindex={item.index + 2}
              className={cn(
                GRID,
                "absolute inset-x-0 top-0 border-b px-4 py-2.5 hover:bg-raised has-[a:focus-visible]:bg-raised",
                chosen.has(job.id) && "bg-signal-soft hover:bg-signal-soft",
                item.index === cursor && "shadow-[inset_3px_0_0_var(--signal)]",
              )}
              style={{ transform: `translateY(${item.start - rows.options.scrollMargin}px)` }}
            >
              <Row job={job} chosen={chosen.has(job.id)} onToggle={(range) => choose(item.index, range)} />
            </div>
          ) : null;
        })}
      </div>
    </div>
  );
}

function Head({ jobs, chosen, onChoose, sort, direction }: Omit<JobTableProps, "cursor">) {
  const navigate = useNavigate();
  const all = jobs.length > 0 && jobs.every((job) => chosen.has(job.id));
  const by = (key: Sort) => {
    const first: Direction = key === "name" || key === "status" || key === "eta" ? "asc" : "desc";
    const next = sort === key ? (direction === "asc" ? "desc" : "asc") : first;
    void navigate({ to: "/", search: (known) => ({ ...known, sort: key, dir: next }), replace: true });
  };
  const column = (key: Sort, className?: string) => (
    <div
      role="columnheader"
      aria-sort={sort === key ? (direction === "asc" ? "ascending" : "descending") : undefined}
      className={className}
    >
      <button
        type="button"
        onClick={() => by(key)}
        className="label-caps inline-flex h-6 items-center gap-1 hover:text-ink"
      >
        {S.jobs.columns[key]}
        {sort === key &&
          (direction === "asc" ? (
            <ArrowUp className="size-3" aria-hidden />
          ) : (
            <ArrowDown className="size-3" aria-hidden />
          ))}
      </button>
    </div>
  );
  return (
    <div role="rowgroup" className="max-lg:hidden">
      <div role="row" aria-rowindex={1} className={cn(GRID, "border-b bg-raised px-4 py-1.5")}>
        <div role="columnheader">
          <Checkbox
            aria-label={S.jobs.selectAll}
            checked={all}
            onChange={() => onChoose(all ? new Set() : new Set(jobs.map((job) => job.id)))}
          />
        </div>
        {column("name")}
        {column("status")}
        {column("progress")}
        {column("loss")}
        {column("eta", "text-right")}
        <div role="columnheader" className="label-caps pl-4 max-xl:hidden">
          {S.jobs.columns.gpu}
        </div>
        {column("created", "text-right")}
      </div>
    </div>
  );
}

function Row({ job, chosen, onToggle }: { job: Job; chosen: boolean; onToggle: (range: boolean) => void }) {
  const name = useJobName()(job);
  const isActive = job.status === "running" || job.status === "cancelling";
  const hasEta = isActive && job.eta_seconds != null;
  return (
    <>
      <div
        role="cell"
        className="flex gap-3 max-lg:row-span-3 max-lg:flex-col max-lg:self-start max-lg:pt-0.5 lg:items-center"
      >
        <Checkbox
          aria-label={S.jobs.selectOne(name)}
          checked={chosen}
          onChange={(event) => onToggle((event.nativeEvent as MouseEvent).shiftKey)}
          className="relative z-10"
        />
        <JobPicture job={job} name={name} />
      </div>
      <div role="cell" className="min-w-0">
        <Link
          to="/jobs/$jobId"
          params={{ jobId: job.id }}
          search={(known) => known}
          className="block truncate font-medium after:absolute after:inset-0 focus-visible:outline-offset-4"
        >
          <bdi>{name}</bdi>
        </Link>
        <p className="text-xs text-ink-3 lg:truncate">
          <span className="font-mono text-2xs">{shortId(job.id)}</span> · {job.trainer}
          {settingsOf(job).map((each) => ` · ${each}`)}
          {job.attempt > 1 && ` · ${S.jobs.attempt(job.attempt)}`}
          {job.host && (
            <>
              {" · "}
              {S.jobs.on} <bdi>{job.host}</bdi>
            </>
          )}
          <span className="lg:hidden">
            {" · "}
            <Time iso={job.created_at} as="ago" />
          </span>
        </p>
      </div>
      <div role="cell" className="min-w-0 max-lg:text-right">
        <StatusBadge status={job.status} />
        {job.status === "queued" && (
          <p className="mt-0.5 truncate text-xs text-ink-3 empty:hidden lg:pl-2.5">
            <QueuePlace job={job} />
          </p>
        )}
        {job.status === "failed" && job.error_type && (
          <p className="mt-0.5 truncate text-xs text-bad lg:pl-2.5" title={job.error_message ?? undefined}>
            {shortType(job.error_type)}
          </p>
        )}
        {isActive && (
          <p className="mt-0.5 truncate text-xs text-ink-3 lg:pl-2.5">{job.phase ?? S.stage[job.stage]}</p>
        )}
      </div>
      <div role="cell" className="min-w-0 max-lg:col-span-2 max-lg:col-start-2 max-lg:mt-2">
        <div className="mb-1 flex justify-between gap-2 text-xs">
          <span>{S.jobs.stepOf(count(job.current_step), count(job.total_steps || null))}</span>
          <span className="text-ink-3">{percent(job.progress)}</span>
        </div>
        <ProgressBar value={job.progress} status={job.status} label={S.jobs.progressOf(name)} />
      </div>
      <div
        role="cell"
        className={cn(
          "flex items-center gap-3 max-lg:col-start-2 max-lg:mt-2",
          job.current_loss == null && "max-lg:hidden",
        )}
      >
        <Spark job={job} />
        <span className="font-mono text-xs whitespace-nowrap">
          {job.current_loss != null && (
            <span className="font-sans text-ink-3 lg:hidden">{S.jobs.columns.loss} </span>
          )}
          {figure(job.current_loss)}
        </span>
      </div>
      <div
        role="cell"
        className={cn("text-right text-xs whitespace-nowrap max-lg:mt-2", !hasEta && "max-lg:hidden")}
      >
        {hasEta ? (
          <>
            {duration(job.eta_seconds)}
            <span className="text-ink-3 lg:hidden"> {S.jobs.left}</span>
          </>
        ) : (
          <span className="text-ink-3">{DASH}</span>
        )}
      </div>
      <div role="cell" className="min-w-0 pl-4 text-xs max-xl:hidden">
        <GpuCell job={job} />
      </div>
      <div role="cell" className="text-right text-xs text-ink-3 max-lg:hidden">
        <Age iso={job.created_at} />
      </div>
    </>
  );
}

function GpuCell({ job }: { job: Job }) {
  const { gpu } = job;
  if (!gpu) return <span className="text-ink-3">{DASH}</span>;
  const memory =
    gpu.memory_used_mb != null && gpu.memory_total_mb
      ? ` · ${percent((100 * gpu.memory_used_mb) / gpu.memory_total_mb)}`
      : "";
  return (
    <>
      <p className="truncate">
        {percent(gpu.utilization_pct)}
        {memory}
      </p>
      <p className="truncate text-ink-3">{gpu.name ?? `GPU ${gpu.index}`}</p>
    </>
  );
}

function Age({ iso }: { iso: string }) {
  const date = new Date(iso);
  const now = useNow();
  return (
    <time dateTime={iso} title={`${dateTime(date)} · ${utc(date)}`} className="relative z-10">
      {age(date, now)}
    </time>
  );
}
