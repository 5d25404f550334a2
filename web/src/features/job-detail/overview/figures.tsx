import { useMemo } from "react";
import { useLiveJob } from "@/api/live/react";
import { isTerminal, type Gpu, type Job } from "@/api/types";
import { Figure } from "@/components/ui/figure";
import { Time, useSeconds } from "@/components/ui/time";
import { count, DASH, duration, figure, gib, percent, rate, speed } from "@/lib/format";
import { S } from "@/strings";
import { useJobSeries, type JobSeries } from "../series";
import { useMoment } from "../moment";
import { useSilence } from "../silence";
import { valueAt } from "../timeline/timeline";

export function Figures({ job: known }: { job: Job }) {
  const job = useLiveJob(known);
  const { series } = useJobSeries();
  const { step } = useMoment();
  const elapsed = useElapsed(job);
  const ended = isTerminal(job.status);
  const silence = useSilence(job);
  const low = useMemo(() => lowest(series), [series]);
  const atStep = step ?? job.current_step;
  const loss = step === null ? job.current_loss : valueAt(series.parts.loss, step);
  const lr = step === null ? job.lr : valueAt(series.parts.lr, step);
  return (
    <dl
      aria-label={S.overview.figures}
      className="grid grid-cols-2 gap-2 sm:grid-cols-3 md:gap-3 lg:grid-cols-6"
    >
      <Figure
        label={S.overview.step}
        value={
          <>
            {count(atStep)}
            <span className="text-base text-ink-3"> / {count(job.total_steps || null)}</span>
          </>
        }
        note={S.overview.percentDone(percent(job.progress))}
      />
      <Figure
        label={S.overview.loss}
        value={figure(loss)}
        note={low === null ? S.overview.noLoss : S.overview.best(figure(low))}
      />
      <Figure label={S.overview.lr} value={rate(lr)} note={schedule(job)} />
      <Figure
        label={ended ? S.overview.took : S.overview.eta}
        value={ended ? duration(elapsed) : silence === null ? duration(job.eta_seconds) : DASH}
        note={ended ? <Ended job={job} /> : (job.phase ?? S.stage[job.stage])}
      />
      <Figure
        label={S.overview.speed}
        value={speed(job.it_per_s)}
        note={
          silence === null ? (
            ended ? (
              S.overview.atTheEnd
            ) : (
              `${S.overview.elapsed} ${duration(elapsed)}`
            )
          ) : (
            <span className="font-medium text-warn" data-silence>
              {S.overview.silent(duration(silence))}
            </span>
          )
        }
      />
      <GpuFigure gpu={job.gpu} />
    </dl>
  );
}

/** What shapes the rate: the schedule by name, or else the rate that was asked for. */
function schedule(job: Job): string {
  const { lr_scheduler: scheduler, optimizer, learning_rate: asked } = job.config;
  const named = scheduler ?? optimizer;
  if (typeof named === "string") return named;
  return typeof asked === "number" ? S.overview.peak(rate(asked)) : job.trainer;
}

function Ended({ job }: { job: Job }) {
  return (
    <>
      {S.status[job.status]}
      {job.completed_at && (
        <>
          {" · "}
          <Time iso={job.completed_at} as="ago" />
        </>
      )}
    </>
  );
}

function GpuFigure({ gpu }: { gpu: Gpu | null }) {
  if (!gpu) return <Figure label={S.overview.gpu} value={DASH} note={S.overview.noGpu} />;
  const memory =
    gpu.memory_total_mb == null ? "" : S.overview.memory(gib(gpu.memory_used_mb), gib(gpu.memory_total_mb));
  const heat = gpu.temperature_c == null ? "" : `${Math.round(gpu.temperature_c)} °C`;
  return (
    <Figure
      label={gpu.name ?? S.overview.gpu}
      value={percent(gpu.utilization_pct)}
      note={S.overview.gpuNote(memory, heat)}
    />
  );
}

function lowest(series: JobSeries): number | null {
  let low = Infinity;
  for (const part of series.parts.loss) for (const value of part.values) if (value < low) low = value;
  return Number.isFinite(low) ? low : null;
}

/** Seconds since the start, ticking while the job runs. */
export function useElapsed(job: Job): number | null {
  const now = useSeconds(job.started_at !== null && !isTerminal(job.status));
  if (!job.started_at) return null;
  const until = job.completed_at ? Date.parse(job.completed_at) : now;
  return Math.max(0, (until - Date.parse(job.started_at)) / 1000);
}
