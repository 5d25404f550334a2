/** Whether a training that ought to be doing steps has stopped telling of them: the first sign of one that hangs. */
import type { Job } from "@/api/types";
import { useJobSeries } from "./series";

/** Steps that come later than this are missed, in seconds and in times that one takes. */
const MISSED_S = 20;
const MISSED_STEPS = 10;

/** Seconds from the last step to the newest line of the journal, both by the runner's clock, not the reader's; null
    while steps come, and where none is due (sampling, saving, loading). Readings of the machine go on in one that hangs. */
export function useSilence(job: Job): number | null {
  const { series } = useJobSeries();
  const isDue = job.status === "running" && job.stage === "training" && job.phase === null;
  const last = series.parts.loss.at(-1)?.times.at(-1);
  if (!isDue || last === undefined || job.last_event_at === null) return null;
  const seconds = (Date.parse(job.last_event_at) - last) / 1000;
  return seconds > Math.max(MISSED_S, MISSED_STEPS / (job.it_per_s ?? 1)) ? seconds : null;
}
