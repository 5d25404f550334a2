/** GPU and machine over time, on one axis with the training: a click goes to the step that was done then. */
import { useQuery } from "@tanstack/react-query";
import { useCallback, useMemo } from "react";
import { metricsQuery } from "@/api/queries";
import { useLive } from "@/api/live/react";
import type { LiveHub } from "@/api/live/hub";
import type { MetricPoint } from "@/api/types";
import { Chart } from "@/components/chart/chart";
import type { Line } from "@/components/chart/model";
import { Empty, Failed, Loading } from "@/components/ui/states";
import { cn } from "@/lib/cn";
import { S } from "@/strings";
import { useMoment } from "./moment";
import { Section } from "@/components/ui/panel";
import { stepAtTime, timeOfStep, useJobSeries } from "./series";
import { groupsOf, type Group } from "./system-groups";

const POINTS = 1500;
const HEIGHT = 150;

export function SystemTab({ jobId, ended }: { jobId: string; ended: boolean }) {
  const { series } = useJobSeries();
  const { step, setStep } = useMoment();
  const readReadings = useCallback((hub: LiveHub) => hub.open?.readings ?? 0, []);
  const readings = useLive(readReadings);
  // The series may have been read before the first reading came.
  const { data: told } = useQuery({
    ...metricsQuery(jobId, ["loss"], { points: 2 }),
    queryKey: ["job", jobId, "figures", readings > 0 || ended ? "some" : "none"],
  });
  const names = told?.keys ?? series.keys;
  const groups = useMemo(() => groupsOf(names), [names]);
  const keys = groups.flatMap((group) => group.keys);
  const { data, error, isPending, refetch } = useQuery({
    ...metricsQuery(jobId, keys, { points: POINTS }),
    queryKey: ["job", jobId, "system", keys.join(","), ended ? "ended" : String(readings)],
    enabled: keys.length > 0,
  });
  if (keys.length === 0)
    return (
      <Empty title={ended ? S.system.noneAtAll : S.system.none}>
        <p>{ended ? S.system.noneEnded : S.system.noneText}</p>
      </Empty>
    );
  if (error && !data) return <Failed error={error} onRetry={() => void refetch()} />;
  if (isPending) return <Loading />;
  const moment = step === null ? null : timeOfStep(series.parts.loss, step);
  return (
    <div className="mx-auto grid max-w-[100rem] gap-3 p-3 md:p-4 lg:grid-cols-2">
      {groups.map((group) => (
        <Section key={group.title} title={group.title} aside={<Legend group={group} />}>
          <Chart
            label={group.title}
            lines={linesOf(group, data.series)}
            height={HEIGHT}
            x="time"
            {...(group.range ? { ranges: { y: group.range } } : {})}
            moment={moment}
            onPick={(time) => setStep(stepAtTime(series.parts.loss, time))}
            syncKey={`system-${jobId}`}
          />
        </Section>
      ))}
    </div>
  );
}

function Legend({ group }: { group: Group }) {
  if (group.keys.length < 2) return null;
  return (
    <ul className="flex flex-wrap justify-end gap-x-4 text-xs text-ink-2">
      {group.keys.map((key, index) => (
        <li key={key} className="flex items-center gap-1.5">
          <i className={cn("h-0.5 w-3", SWATCHES[index % SWATCHES.length])} aria-hidden />
          {group.label(key)}
        </li>
      ))}
    </ul>
  );
}

const SWATCHES = ["bg-signal", "bg-info", "bg-mark", "bg-warn"];
const COLOURS = ["signal", "info", "mark", "warn"];

function linesOf(group: Group, series: Record<string, MetricPoint[]>): Line[] {
  return group.keys.flatMap((key, index) => {
    const points = series[key];
    if (!points || points.length === 0) return [];
    return {
      label: group.label(key),
      xs: points.map((point) => Date.parse(point.timestamp)),
      ys: points.map((point) => point.value),
      colour: COLOURS[index % COLOURS.length] ?? "signal",
      scale: "y",
      format: group.format,
    };
  });
}
