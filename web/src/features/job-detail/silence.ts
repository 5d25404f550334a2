/** Whether a training that ought to be doing steps has stopped telling of them: the first sign of one that hangs. */
import type { Job } from "@/api/types";
import { useSeconds } from "@/components/ui/time";
import { useJobSeries } from "./series";

/** Steps that come later than this are missed, in seconds and in times that one takes. */
const MISSED_S = 20;
const MISSED_STEPS = 10;

/** Seconds since the last step; null while they come, and where none is due (sampling, saving, loading). */
export function useSilence(job: Job): number | null {
  const { series } = useJobSeries();
  const isDue = job.status === "running" && job.stage === "training" && job.phase === null;
  const now = useSeconds(isDue);
  const last = series.parts.loss.at(-1)?.times.at(-1);
  if (!isDue || last === undefined) return null;
  const seconds = (now - last) / 1000;
  return seconds > Math.max(MISSED_S, MISSED_STEPS / (job.it_per_s ?? 1)) ? seconds : null;
}
