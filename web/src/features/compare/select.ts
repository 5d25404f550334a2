/** What a comparison shows of several jobs. Pure. */
import type { Artifact, Job, MetricPoint } from "@/api/types";
import { partsOf } from "@/features/job-detail/series";

export const LEAST = 2;
export const MOST = 6;
/** Colour tokens, in the order of the jobs; each line also has its own dash. */
export const COLOURS = ["signal", "mark", "warn", "info", "bad", "ok"] as const;
export const DASHES: readonly number[][] = [[], [8, 4], [2, 3], [10, 3, 2, 3], [5, 5], [14, 4]];

export function chosenIds(text: string | undefined): string[] {
  return [...new Set((text ?? "").split(",").filter(Boolean))].slice(0, MOST);
}

export interface SettingRow {
  name: string;
  values: unknown[];
  differs: boolean;
}

/** Every setting of any of the jobs, with each job's value; undefined where a job does not have it. */
export function settingRows(jobs: readonly Job[]): SettingRow[] {
  const configs = jobs.map((job): Record<string, unknown> => ({ trainer: job.trainer, ...job.config }));
  const names = [...new Set(configs.flatMap((config) => Object.keys(config)))];
  return names.map((name) => {
    const values = configs.map((config) => config[name]);
    const differs = new Set(values.map((value) => JSON.stringify(value))).size > 1;
    return { name, values, differs };
  });
}

export interface Curve {
  job: number;
  attempt: number;
  xs: number[];
  ys: number[];
}

/** One curve for each attempt of each job: a resumed job's repeated steps are kept. */
export function curvesOf(
  series: readonly (readonly MetricPoint[])[],
  starts: readonly (number | null)[],
  over: "step" | "time",
): Curve[] {
  return series.flatMap((points, job) =>
    partsOf(points).map((part) => {
      const start = starts[job] ?? part.times[0] ?? 0;
      const xs = over === "step" ? part.steps : part.times.map((time) => (time - start) / 1000);
      return { job, attempt: part.attempt, xs, ys: part.values };
    }),
  );
}

/** The prompts that any of the jobs has samples of: those that most of them share first. */
export function promptsOf(artifacts: readonly (readonly Artifact[])[]): string[] {
  const jobsByPrompt = new Map<string, Set<number>>();
  artifacts.forEach((files, job) => {
    for (const file of files)
      if (file.type === "sample" && file.prompt !== null)
        jobsByPrompt.set(file.prompt, (jobsByPrompt.get(file.prompt) ?? new Set()).add(job));
  });
  return [...jobsByPrompt.entries()].sort(([, a], [, b]) => b.size - a.size).map(([prompt]) => prompt);
}

/** Every step at which any of the jobs has a sample of the prompt. */
export function sampleSteps(artifacts: readonly (readonly Artifact[])[], prompt: string): number[] {
  const steps = new Set<number>();
  for (const files of artifacts)
    for (const file of files)
      if (file.type === "sample" && file.prompt === prompt && file.step !== null) steps.add(file.step);
  return [...steps].sort((a, b) => a - b);
}

/** A job's sample of a prompt at a step, or the last one before it; the newest attempt's. */
export function sampleAt(files: readonly Artifact[], prompt: string, step: number): Artifact | null {
  let best: Artifact | null = null;
  for (const file of files) {
    if (file.type !== "sample" || file.prompt !== prompt || file.step === null || file.step > step) continue;
    if (
      !best ||
      file.step > (best.step ?? 0) ||
      (file.step === best.step && (file.attempt ?? 1) >= (best.attempt ?? 1))
    )
      best = file;
  }
  return best;
}
