/** A job's series for charts: what the server holds, plus what has come live since. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, use, useCallback, useEffect, useMemo } from "react";
import { metricsQuery } from "@/api/queries";
import { useHub, useLive } from "@/api/live/react";
import type { LiveHub } from "@/api/live/hub";
import type { JobLive } from "@/api/live/job-live";
import type { MetricPoint, Metrics } from "@/api/types";

const POINTS = 2000;
/** So many live points are drawn as they are; beyond that the server thins them. */
const REBASE_AT = 2000;
/** Curves are drawn anew at most this often; figures follow every frame. */
const REDRAW_MS = 100;

/** One attempt's part of a series. */
export interface Part {
  attempt: number;
  steps: number[];
  values: number[];
  times: number[];
}

export type SeriesKey = "loss" | "lr";

export interface JobSeries {
  parts: Record<SeriesKey, Part[]>;
  /** All keys the server has for this job. */
  keys: readonly string[];
  /** Where the newest point's line is. */
  lastSeq: number;
}

const readPaint = (hub: LiveHub) => hub.open?.tail.lastPushed ?? 0;

export interface KnownSeries {
  series: JobSeries;
  /** Whether the series are still on the way. */
  isPending: boolean;
}

export const SeriesContext = createContext<KnownSeries | null>(null);

/** The open job's series. Only what calls this renders with every redraw of the curves. */
export function useJobSeries(): KnownSeries {
  const known = use(SeriesContext);
  if (!known) throw new Error("the series are missing above this component");
  return known;
}

/** What the charts of a job are drawn from; asked for before the chart is there (`opening.ts`). */
export const seriesQuery = (jobId: string) => metricsQuery(jobId, ["loss", "lr"], { points: POINTS });

export function useSeries(jobId: string, enabled: boolean): KnownSeries {
  const hub = useHub();
  const client = useQueryClient();
  const options = seriesQuery(jobId);
  const { data, isPending } = useQuery({ ...options, enabled, placeholderData: undefined });
  const pushed = useLive(readPaint, REDRAW_MS);
  const open = hub.open?.id === jobId ? hub.open : null;

  const base = useMemo(() => (data ? baseOf(data) : EMPTY), [data]);
  useEffect(() => {
    if (data) open?.taken(base.lastSeq);
  }, [data, open, base]);
  const full = open !== null && open.tail.length > REBASE_AT;
  const { queryKey } = options;
  const rebase = useCallback(
    () => void client.invalidateQueries({ queryKey, exact: true }),
    [client, queryKey],
  );
  useEffect(() => {
    if (full) rebase();
  }, [full, rebase]);

  const series = useMemo(
    () => (open ? withTail(base, open) : base),
    // The tail is changed in place; `pushed` says when.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [base, open, pushed],
  );
  return useMemo(() => ({ series, isPending: isPending && enabled }), [series, isPending, enabled]);
}

const EMPTY: JobSeries = { parts: { loss: [], lr: [] }, keys: [], lastSeq: 0 };

export function baseOf(metrics: Metrics): JobSeries {
  const points = [...(metrics.series["loss"] ?? []), ...(metrics.series["lr"] ?? [])];
  return {
    parts: { loss: partsOf(metrics.series["loss"] ?? []), lr: partsOf(metrics.series["lr"] ?? []) },
    keys: metrics.keys,
    lastSeq: points.reduce((last, point) => Math.max(last, point.seq), 0),
  };
}

/** Splits a series by attempt: a resumed job keeps the steps it did twice. */
export function partsOf(points: readonly MetricPoint[]): Part[] {
  const parts = new Map<number, Part>();
  for (const point of points) {
    let part = parts.get(point.attempt);
    if (!part)
      parts.set(point.attempt, (part = { attempt: point.attempt, steps: [], values: [], times: [] }));
    part.steps.push(point.step);
    part.values.push(point.value ?? Number.NaN); // a loss that was not a number is a gap
    part.times.push(Date.parse(point.timestamp));
  }
  return [...parts.values()].sort((a, b) => a.attempt - b.attempt);
}

function withTail(base: JobSeries, live: JobLive): JobSeries {
  const { tail } = live;
  if (tail.length === 0) return base;
  const parts = { loss: base.parts.loss.map(copied), lr: base.parts.lr.map(copied) };
  let lastSeq = base.lastSeq;
  for (let index = 0; index < tail.length; index += 1) {
    const seq = tail.at("seq", index);
    if (seq <= base.lastSeq) continue;
    lastSeq = seq;
    for (const key of ["loss", "lr"] as const) {
      const value = tail.at(key, index);
      if (Number.isNaN(value)) continue;
      const part = partOf(parts[key], tail.at("attempt", index));
      part.steps.push(tail.at("step", index));
      part.values.push(value);
      part.times.push(tail.at("ts", index));
    }
  }
  return { parts, keys: base.keys, lastSeq };
}

const copied = (part: Part): Part => ({
  attempt: part.attempt,
  steps: part.steps.slice(),
  values: part.values.slice(),
  times: part.times.slice(),
});

function partOf(parts: Part[], attempt: number): Part {
  let part = parts.find((each) => each.attempt === attempt);
  if (!part) parts.push((part = { attempt, steps: [], values: [], times: [] }));
  return part;
}

/** The moment (ms) at which a step was done, in the newest attempt that did it. */
export function timeOfStep(parts: readonly Part[], step: number): number | null {
  for (const part of [...parts].reverse()) {
    const index = part.steps.findIndex((each) => each >= step);
    if (index >= 0 && (part.steps[0] ?? Infinity) <= step) return part.times[index] ?? null;
  }
  return parts.at(-1)?.times.at(-1) ?? null;
}

/** The step that was done at a moment (ms). */
export function stepAtTime(parts: readonly Part[], time: number): number | null {
  let best: number | null = null;
  for (const part of parts)
    for (let index = 0; index < part.steps.length; index += 1)
      if ((part.times[index] ?? Infinity) <= time) best = part.steps[index] ?? best;
  return best ?? parts[0]?.steps[0] ?? null;
}
