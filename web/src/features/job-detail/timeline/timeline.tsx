/** The strip under the header: the whole training at a glance, and the handle that takes every view to one moment. */
import { useRef, useState, type KeyboardEvent, type PointerEvent } from "react";
import { isTerminal, type Artifact, type Job } from "@/api/types";
import { cn } from "@/lib/cn";
import { count, figure } from "@/lib/format";
import { S } from "@/strings";
import { useMoment } from "../moment";
import { useJobSeries, type Part } from "../series";
import { momentsOf, neighbour } from "./moments";

const WIDTH = 1000;
const HEIGHT = 30;
const BINS = 200;

export function Timeline({ job, artifacts }: { job: Job; artifacts: readonly Artifact[] }) {
  const { series } = useJobSeries();
  const { step, setStep } = useMoment();
  const strip = useRef<HTMLDivElement>(null);
  const [dragged, setDragged] = useState<number | null>(null);
  const total = spanOf(job);
  const at = dragged ?? step;
  const shown = at ?? job.current_step;
  const share = (value: number) => `${(100 * Math.min(value, total)) / total}%`;

  const stepAt = (event: PointerEvent): number => {
    const box = strip.current?.getBoundingClientRect();
    if (!box) return shown;
    const x = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    return Math.min(job.current_step, Math.round(x * total));
  };
  const down = (event: PointerEvent<HTMLDivElement>) => {
    if (event.button !== 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    setDragged(stepAt(event));
  };
  const drag = (event: PointerEvent<HTMLDivElement>) => {
    if (dragged !== null) setDragged(stepAt(event));
  };
  const up = (event: PointerEvent<HTMLDivElement>) => {
    if (dragged === null) return;
    const chosen = stepAt(event);
    setDragged(null);
    setStep(chosen >= job.current_step && !isTerminal(job.status) ? null : chosen);
  };
  const key = (event: KeyboardEvent) => {
    const next = stepForKey(event.key, shown, total, artifacts);
    if (next === undefined) return;
    event.preventDefault();
    setStep(next === null ? null : Math.min(job.current_step, Math.max(0, next)));
  };

  return (
    <div className="flex shrink-0 items-center gap-3 border-b bg-surface px-3 pb-1.5 md:px-5">
      <div
        ref={strip}
        role="slider"
        tabIndex={0}
        aria-label={S.timeline.label}
        aria-valuemin={0}
        aria-valuemax={total}
        aria-valuenow={Math.min(shown, total)}
        aria-valuetext={at === null ? S.timeline.live : S.timeline.value(count(at), count(total))}
        title={S.timeline.hint}
        onPointerDown={down}
        onPointerMove={drag}
        onPointerUp={up}
        onPointerCancel={() => setDragged(null)}
        onKeyDown={key}
        className="relative h-10 min-w-0 flex-1 cursor-ew-resize touch-none rounded-sm select-none"
      >
        <svg
          viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
          preserveAspectRatio="none"
          className="absolute inset-x-0 top-0 h-7 w-full text-signal"
          aria-hidden
        >
          <line
            x1="0"
            x2={WIDTH}
            y1={HEIGHT - 0.5}
            y2={HEIGHT - 0.5}
            className="stroke-line"
            vectorEffect="non-scaling-stroke"
          />
          <path d={silhouette(series.parts.loss, total)} fill="currentColor" opacity={0.16} />
        </svg>
        {ticks(artifacts).map(({ step: mark, hasSample, hasCheckpoint }) => (
          <span
            key={mark}
            className="absolute top-7 flex -translate-x-1/2 flex-col items-center gap-0.5 pt-0.5"
            style={{ left: share(mark) }}
          >
            {hasSample && (
              <span className="size-1.5 rounded-full bg-mark" title={S.timeline.sample(count(mark))} />
            )}
            {hasCheckpoint && (
              <span className="size-1.5 bg-info" title={S.timeline.checkpoint(count(mark))} />
            )}
          </span>
        ))}
        {series.parts.loss.slice(1).map((part) => (
          <span
            key={part.attempt}
            title={S.timeline.attempt(part.attempt)}
            className="absolute top-0 h-7 border-l border-dashed border-edge"
            style={{ left: share(part.steps[0] ?? 0) }}
          />
        ))}
        <span
          aria-hidden
          className={cn(
            "absolute -top-0.5 h-8 w-0.5 -translate-x-1/2",
            at === null ? "bg-edge" : "bg-signal",
          )}
          style={{ left: share(shown) }}
        >
          {at !== null && (
            <span className="absolute -top-0.5 left-1/2 size-2.5 -translate-x-1/2 rotate-45 rounded-xs bg-signal" />
          )}
        </span>
      </div>
      {at !== null && (
        <p className="flex shrink-0 items-center gap-2 text-xs whitespace-nowrap" data-moment={at}>
          <span>
            {S.timeline.moment(count(at))}
            <span className="text-ink-3 max-md:hidden"> · {figure(valueAt(series.parts.loss, at))}</span>
          </span>
          <button
            type="button"
            onClick={() => setStep(null)}
            className="touch-target rounded-sm px-1 text-signal hover:underline"
          >
            {isTerminal(job.status) ? S.timeline.end : S.timeline.back}
          </button>
        </p>
      )}
    </div>
  );
}

/** So many times what is done is shown at most: a run that has hardly begun is no speck at the edge. */
const AHEAD = 4;

/** The steps that the strip stands for: of a training that is over what it did, of one that goes on what it will do. */
export function spanOf(job: Pick<Job, "status" | "current_step" | "total_steps">): number {
  const { current_step: done, total_steps: planned } = job;
  const shown = isTerminal(job.status) || done === 0 ? done : Math.min(planned, AHEAD * done);
  return Math.max(shown, done, 1);
}

function stepForKey(
  key: string,
  shown: number,
  total: number,
  artifacts: readonly Artifact[],
): number | null | undefined {
  const moments = momentsOf(artifacts);
  switch (key) {
    case "ArrowLeft":
    case "ArrowDown":
      return shown - 1;
    case "ArrowRight":
    case "ArrowUp":
      return shown + 1;
    case "PageDown":
      return neighbour(moments, shown, -1) ?? shown - Math.ceil(total / 20);
    case "PageUp":
      return neighbour(moments, shown, 1);
    case "Home":
      return 0;
    case "End":
      return null;
    default:
      return undefined;
  }
}

function ticks(artifacts: readonly Artifact[]) {
  const byStep = new Map<number, { step: number; hasSample: boolean; hasCheckpoint: boolean }>();
  for (const each of artifacts) {
    if (each.step === null || each.type === "model") continue;
    const tick = byStep.get(each.step) ?? { step: each.step, hasSample: false, hasCheckpoint: false };
    if (each.type === "sample") tick.hasSample = true;
    else tick.hasCheckpoint = true;
    byStep.set(each.step, tick);
  }
  return [...byStep.values()];
}

export function valueAt(parts: readonly Part[], step: number): number | null {
  for (const part of [...parts].reverse()) {
    if ((part.steps[0] ?? Infinity) > step) continue;
    const index = part.steps.findLastIndex((each) => each <= step);
    if (index >= 0) return part.values[index] ?? null;
  }
  return null;
}

/** The loss as a filled shape: low loss, low hill. Outliers are cut so that one spike does not flatten the rest. */
export function silhouette(parts: readonly Part[], total: number): string {
  const bins = new Array<number>(BINS).fill(NaN);
  for (const part of parts)
    part.steps.forEach((step, index) => {
      const bin = Math.min(BINS - 1, Math.floor((step / total) * BINS));
      const value = part.values[index] ?? NaN;
      if (Number.isFinite(value))
        bins[bin] = Number.isNaN(bins[bin] ?? NaN) ? value : Math.max(bins[bin] ?? 0, value);
    });
  const known = bins.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  const high = known[Math.floor(known.length * 0.98)] ?? 0;
  if (known.length < 2 || high <= 0) return "";
  const points: string[] = [];
  let last = 0;
  bins.forEach((value, bin) => {
    if (Number.isNaN(value)) return;
    const x = ((bin + 0.5) / BINS) * WIDTH;
    if (points.length === 0) points.push(`M${x.toFixed(1)} ${HEIGHT}`);
    points.push(`L${x.toFixed(1)} ${(HEIGHT - 2 - Math.min(1, value / high) * (HEIGHT - 4)).toFixed(1)}`);
    last = x;
  });
  return `${points.join("")}L${last.toFixed(1)} ${HEIGHT}Z`;
}
