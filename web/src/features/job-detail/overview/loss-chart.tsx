import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { metricsQuery } from "@/api/queries";
import type { Artifact, Job } from "@/api/types";
import { usePreferences } from "@/app/preferences";
import { Chart } from "@/components/chart/chart";
import { CurveControls } from "@/components/chart/curve-controls";
import type { Line, Mark } from "@/components/chart/model";
import { Loading } from "@/components/ui/states";
import { count, figure, rate } from "@/lib/format";
import { smooth } from "@/lib/smoothing";
import { S } from "@/strings";
import { useMoment } from "../moment";
import { baseOf, useJobSeries, type JobSeries, type Part } from "../series";

const HEIGHT = 280;
/** Controls, chart and readout: kept free until they are there, so that nothing below moves. */
const AS_TALL_AS_A_CHART = "h-[20.75rem]";
/** Points of the part that is zoomed into. */
const DETAIL = 2000;
const SETTLE_MS = 150;

export function LossChart({ job, artifacts }: { job: Job; artifacts: readonly Artifact[] }) {
  const { series, isPending } = useJobSeries();
  const { smoothing, logScale } = usePreferences();
  const { step, setStep, goTo } = useMoment();
  const [range, setRange] = useState<[number, number] | null>(null);
  const detail = useDetail(job.id, range);
  const shown = detail ?? series;

  const lines = useMemo(() => linesOf(shown.parts, smoothing), [shown, smoothing]);
  const marks = useMemo(() => marksOf(artifacts), [artifacts]);
  const points = series.parts.loss.reduce((sum, part) => sum + part.values.length, 0);
  if (points === 0 && isPending) return <Loading className={AS_TALL_AS_A_CHART} />;
  if (points === 0) return <p className="grid h-40 place-items-center text-ink-3">{S.overview.waiting}</p>;
  const first = series.parts.loss[0]?.values[0];
  const last = series.parts.loss.at(-1)?.values.at(-1);
  return (
    <>
      <Controls />
      <Chart
        label={S.overview.chartLabel(figure(first), figure(last), count(points))}
        lines={lines}
        height={HEIGHT}
        x="step"
        logScales={logScale ? LOG : NONE}
        marks={marks}
        moment={step}
        onPick={(x) => setStep(Math.min(job.current_step, Math.max(0, Math.round(x))))}
        onMark={({ x, kind }) => goTo(kind === "sample" ? "samples" : "artifacts", { step: x })}
        onZoom={setRange}
      />
    </>
  );
}

/** One mark for each step and kind, however many prompts were drawn there. */
function marksOf(artifacts: readonly Artifact[]): Mark[] {
  const marks = new Map<string, Mark>();
  for (const { type, step } of artifacts)
    if (step !== null && type !== "model") marks.set(`${type} ${step}`, { x: step, kind: type });
  return [...marks.values()];
}

const LOG = ["loss"];
const NONE: string[] = [];

function Controls() {
  return (
    <div className="mb-1 flex flex-wrap items-center gap-x-5 gap-y-1 text-xs text-ink-2">
      <CurveControls />
      <span className="ml-auto flex items-center gap-3 text-2xs text-ink-3" aria-hidden>
        <span className="flex items-center gap-1.5">
          <i className="size-2 rounded-full bg-mark" /> {S.overview.legend.sample}
        </span>
        <span className="flex items-center gap-1.5">
          <i className="size-2 bg-info" /> {S.overview.legend.checkpoint}
        </span>
      </span>
    </div>
  );
}

/** The zoomed part at full detail, once the zoom has settled; it does not grow with the run. */
function useDetail(jobId: string, range: [number, number] | null): JobSeries | null {
  const [settled, setSettled] = useState(range);
  useEffect(() => {
    const timer = window.setTimeout(() => setSettled(range), SETTLE_MS);
    return () => window.clearTimeout(timer);
  }, [range]);
  const from = Math.max(0, Math.floor(settled?.[0] ?? 0));
  const to = Math.ceil(settled?.[1] ?? 0);
  const { data } = useQuery({
    ...metricsQuery(jobId, ["loss", "lr"], { points: DETAIL, from, to }),
    enabled: settled !== null,
  });
  // Drawn only inside its own range: the rest of the run stays as it was, so that zooming out is at once.
  return useMemo(() => (settled && range && data ? baseOf(data) : null), [settled, range, data]);
}

function linesOf(parts: JobSeries["parts"], smoothing: number): Line[] {
  const many = parts.loss.length > 1;
  const named = (label: string, part: Part) => (many ? `${label} (${S.jobs.attempt(part.attempt)})` : label);
  const colour = (index: number, count: number) => (index === count - 1 ? "signal" : "warn");
  return [
    ...parts.loss.map((part, index) => ({
      label: named(S.overview.raw, part),
      xs: part.steps,
      ys: part.values,
      colour: colour(index, parts.loss.length),
      strength: smoothing > 0 ? 0.28 : 1,
      width: 1,
      scale: "loss",
      format: figure,
    })),
    ...(smoothing > 0
      ? parts.loss.map((part, index) => ({
          label: named(S.overview.smooth, part),
          xs: part.steps,
          ys: smooth(part.values, smoothing),
          colour: colour(index, parts.loss.length),
          width: 2,
          scale: "loss",
          format: figure,
        }))
      : []),
    ...parts.lr.map((part) => ({
      label: named(S.overview.lrLine, part),
      xs: part.steps,
      ys: part.values,
      colour: "ink-3",
      strength: 0.8,
      width: 1,
      dash: [4, 4],
      scale: "lr",
      format: rate,
    })),
  ];
}
