/** What the list of stages says of each. Pure. */
import type { Job, Stage, StageView } from "@/api/types";
import { count } from "@/lib/format";
import { S } from "@/strings";

export interface StageRow {
  key: string;
  stage: Stage;
  label: string;
  /** Which attempt, where there are several. */
  attempt: number | null;
  /** How often it was entered, where that is more than once. */
  times: number | null;
  /** Seconds in it by now; null for an end, which has a moment instead. */
  seconds: number | null;
  began: string;
  /** The last words about it: `5 of 12 images captioned`. */
  detail: string | null;
  /** 0 to 100 while it is the present one and somebody counts. */
  pct: number | null;
  isPresent: boolean;
  phases: PhaseRow[];
}

export interface PhaseRow {
  name: string;
  seconds: number;
  pct: number | null;
}

/** A newer trainer may name a stage that this page does not know. */
const NAMES: Readonly<Record<string, string | undefined>> = S.stage;

const isEnd = (stage: Stage) => stage === "completed" || stage === "failed" || stage === "cancelled";

/** @param now Milliseconds: what the present stage has taken is counted up to here. */
export function stageRows(stages: readonly StageView[], job: Job, now: number): StageRow[] {
  return stages.map((told) => {
    const stage = told.stage as Stage;
    const isPresent = told.since !== null;
    const detail = detailOf(told, job);
    // Of a single phase the last words about the stage say all there is.
    const phases = told.phases.length === 1 && detail !== null ? [] : told.phases;
    return {
      key: `${told.attempt}:${stage}`,
      stage,
      label: NAMES[told.stage] ?? told.stage,
      attempt: told.attempt > 1 ? told.attempt : null,
      times: told.times > 1 ? told.times : null,
      seconds: isEnd(stage) ? null : secondsOf(told, now),
      began: told.began,
      detail,
      pct: isPresent ? (stage === "training" ? job.progress : told.pct) : null,
      isPresent,
      phases: phases.map((phase) => ({
        name: phase.name,
        seconds: secondsOf(phase, now),
        pct: phase.since === null ? null : phase.pct,
      })),
    };
  });
}

function secondsOf(part: { seconds: number; since: string | null }, now: number): number {
  return part.seconds + (part.since === null ? 0 : Math.max(0, (now - Date.parse(part.since)) / 1000));
}

/** Training counts its steps; of the others the trainer's last words, where they say more than the stage's name. */
function detailOf({ stage, attempt, message, phases }: StageView, job: Job): string | null {
  if (stage === "training")
    return attempt === job.attempt
      ? S.jobs.stepOf(count(job.current_step), count(job.total_steps || null))
      : null;
  if (message === "" || phases.some((phase) => phase.name === message)) return null;
  return message.toLowerCase() === (NAMES[stage] ?? stage).toLowerCase() ? null : message;
}
