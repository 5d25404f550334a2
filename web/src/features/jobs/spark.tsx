import { useQuery } from "@tanstack/react-query";
import { useCallback, useEffect } from "react";
import { useHub, useLive } from "@/api/live/react";
import type { LiveHub } from "@/api/live/hub";
import { metricsQuery } from "@/api/queries";
import type { Job } from "@/api/types";
import { figure } from "@/lib/format";
import { cn } from "@/lib/cn";
import { S } from "@/strings";
import { STATUS_LOOK } from "@/components/ui/status";
import { sparkPath } from "./spark-path";

const WIDTH = 84;
const HEIGHT = 24;
const POINTS = 64;

/** The loss so far, small. History is read once when the row is first seen; live steps are added to it. */
export function Spark({ job }: { job: Job }) {
  const hub = useHub();
  const { data } = useQuery({
    ...metricsQuery(job.id, ["loss"], { points: POINTS }),
    enabled: job.current_step > 0,
  });
  useEffect(() => {
    const points = data?.series["loss"];
    if (!points) return;
    const whole = points.flatMap(({ step, value }) => (value === null ? [] : [{ step, value }]));
    hub.seedSpark(job.id, { steps: whole.map((p) => p.step), values: whole.map((p) => p.value) });
  }, [data, hub, job.id]);
  const read = useCallback((from: LiveHub) => from.sparks.get(job.id), [job.id]);
  const { values } = useLive(read);
  const path = sparkPath(values, WIDTH, HEIGHT);
  if (!path) return <span aria-hidden className="block h-6 w-21" />;
  return (
    <svg
      role="img"
      aria-label={S.jobs.sparkOf(figure(values[0]), figure(values.at(-1)))}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      className={cn("h-6 w-21 shrink-0", STATUS_LOOK[job.status].ink)}
    >
      <path
        d={path}
        fill="none"
        stroke="currentColor"
        strokeWidth={1.5}
        strokeLinejoin="round"
        opacity={0.9}
      />
    </svg>
  );
}
