/** How a need of memory is drawn as one bar. Pure. */
import type { MemoryNeed } from "@/api/types";

export const PARTS = ["weights", "lora", "activations", "rest"] as const;
export type MemoryPart = (typeof PARTS)[number];

/** Each part's share of the bar, and where the GPU's end is marked: null where everything lies before it. */
export function memoryShares(need: MemoryNeed): { filled: Record<MemoryPart, number>; mark: number | null } {
  const { capacity_bytes: capacity, total_bytes: total } = need;
  const whole = Math.max(total, capacity ?? 0, 1);
  const filled = Object.fromEntries(PARTS.map((part) => [part, need[`${part}_bytes`] / whole]));
  return {
    filled: filled as Record<MemoryPart, number>,
    mark: capacity !== null && capacity < total ? capacity / whole : null,
  };
}
