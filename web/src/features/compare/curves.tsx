import { useQueries } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { metricsQuery } from "@/api/queries";
import type { Job } from "@/api/types";
import { usePreferences } from "@/app/preferences";
import { Chart } from "@/components/chart/chart";
import { CurveControls } from "@/components/chart/curve-controls";
import type { Line } from "@/components/chart/model";
import { Select } from "@/components/ui/field";
import { Panel } from "@/components/ui/panel";
import { useJobName } from "@/features/jobs/names";
import { figure, rate, shortId } from "@/lib/format";
import { smooth } from "@/lib/smoothing";
import { S } from "@/strings";
import { curvesOf } from "./select";
import { colourOf, dashOf } from "./swatch";

const POINTS = 1500;
const HEIGHT = 300;
/** The line under a chart: kept free until the chart is there, so that nothing moves when it comes. */
const READOUT = 24;
/** A running job's curve is read anew after so many steps: a comparison is looked at, not watched. */
const STEPS_A_READ = 20;

interface CurvesProps {
  jobs: readonly Job[];
  over: "step" | "time";
  step: number | null;
  onOver: (over: "step" | "time") => void;
  onStep: (step: number) => void;
}

export function Curves({ jobs, over, step, onOver, onStep }: CurvesProps) {
  const nameOf = useJobName();
  const { smoothing, logScale } = usePreferences();
  const [key, setKey] = useState("loss");
  const answers = useQueries({
    queries: jobs.map((job) => {
      const query = metricsQuery(job.id, [key], { points: POINTS });
      return {
        ...query,
        queryKey: [
          ...query.queryKey,
          String(Math.floor(job.current_step / STEPS_A_READ)),
          job.status,
        ] as unknown as typeof query.queryKey,
      };
    }),
  });
  const data = answers.map((answer) => answer.data);
  const keys = [...new Set(["loss", "lr", ...data.flatMap((each) => each?.keys ?? [])])];
  const names = jobs.map((job) => `${nameOf(job)} ${shortId(job.id)}`);
  const format = key === "lr" ? rate : figure;
  const starts = jobs.map((job) => (job.started_at ? Date.parse(job.started_at) : null));
  const lines = curvesOf(
    data.map((each) => each?.series[key] ?? []),
    starts,
    over,
  ).map((curve): Line => {
    const label =
      curve.attempt > 1 ? `${names[curve.job]} (${S.jobs.attempt(curve.attempt)})` : (names[curve.job] ?? "");
    return {
      label,
      xs: curve.xs,
      ys: smooth(curve.ys, smoothing),
      colour: colourOf(curve.job),
      dash: dashOf(curve.job),
      width: 1.75,
      strength: curve.attempt > 1 ? 0.7 : 1,
      scale: "y",
      format,
    };
  });
  const scales = useMemo(() => (logScale ? ["y"] : []), [logScale]);
  return (
    <Panel title={S.compare.curves}>
      <div className="mb-2 flex flex-wrap items-center gap-x-5 gap-y-2 text-xs text-ink-2">
        <label className="flex items-center gap-2">
          {S.compare.metric}
          <Select value={key} onChange={(event) => setKey(event.target.value)}>
            {keys.map((each) => (
              <option key={each}>{each}</option>
            ))}
          </Select>
        </label>
        <label className="flex items-center gap-2">
          {S.compare.over}
          <Select value={over} onChange={(event) => onOver(event.target.value === "time" ? "time" : "step")}>
            <option value="step">{S.compare.step}</option>
            <option value="time">{S.compare.time}</option>
          </Select>
        </label>
        <CurveControls />
      </div>
      {lines.length > 0 ? (
        <Chart
          label={S.compare.chart(names.join(", "))}
          lines={lines}
          height={HEIGHT}
          x={over === "step" ? "step" : "elapsed"}
          logScales={scales}
          moment={over === "step" ? step : null}
          {...(over === "step" ? { onPick: (x: number) => onStep(Math.max(0, Math.round(x))) } : {})}
        />
      ) : (
        <p className="grid place-items-center text-ink-3" style={{ height: HEIGHT + READOUT }}>
          {answers.some((answer) => answer.isPending) ? S.loading : S.chart.empty}
        </p>
      )}
    </Panel>
  );
}
