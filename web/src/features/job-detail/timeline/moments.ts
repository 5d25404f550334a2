/** The steps worth stopping at: those with samples or a checkpoint. Pure. */
import type { Artifact } from "@/api/types";

export function momentsOf(artifacts: readonly Artifact[]): number[] {
  const steps = new Set<number>();
  for (const each of artifacts) if (each.step !== null && each.type !== "model") steps.add(each.step);
  return [...steps].sort((a, b) => a - b);
}

/** The next or previous of `moments` from `step`; beyond the last one it is the live end, null. */
export function neighbour(moments: readonly number[], step: number, by: 1 | -1): number | null {
  if (by === 1) return moments.find((each) => each > step) ?? null;
  return moments.findLast((each) => each < step) ?? moments[0] ?? null;
}
