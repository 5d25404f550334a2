/** The last losses of each job in the list, for its sparkline. Bounded: older points are thinned, not dropped. */
import type { Job } from "../types";

const MOST = 96;

export interface Spark {
  steps: number[];
  values: number[];
}

const EMPTY: Spark = { steps: [], values: [] };

export class Sparks {
  private readonly byJob = new Map<string, Spark>();

  get(id: string): Spark {
    return this.byJob.get(id) ?? EMPTY;
  }

  /** Takes a history; live points that go beyond it are kept. */
  seed(id: string, history: Spark): void {
    const known = this.get(id);
    const until = history.steps.at(-1) ?? -1;
    const from = known.steps.findIndex((step) => step > until);
    const tail = from < 0 ? EMPTY : { steps: known.steps.slice(from), values: known.values.slice(from) };
    this.byJob.set(id, thinned([...history.steps, ...tail.steps], [...history.values, ...tail.values]));
  }

  /** Takes the loss a job shows now; a step that was already there is left as it is. */
  add(job: Job): void {
    if (job.current_loss == null || !Number.isFinite(job.current_loss)) return;
    const known = this.get(job.id);
    const last = known.steps.at(-1);
    if (last === job.current_step) return;
    const restarted = last !== undefined && job.current_step < last;
    const base = restarted ? EMPTY : known;
    this.byJob.set(job.id, thinned([...base.steps, job.current_step], [...base.values, job.current_loss]));
  }

  forget(id: string): void {
    this.byJob.delete(id);
  }
}

function thinned(steps: number[], values: number[]): Spark {
  if (steps.length <= MOST) return { steps, values };
  const keep = (_: number, index: number) => index % 2 === 0 || index === steps.length - 1;
  return { steps: steps.filter(keep), values: values.filter(keep) };
}
