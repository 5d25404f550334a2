import { expect, it } from "vitest";
import type { MemoryNeed } from "@/api/types";
import { memoryShares } from "./memory-shares";

const need = (capacity_bytes: number | null): MemoryNeed => ({
  total_bytes: 10,
  weights_bytes: 5,
  lora_bytes: 1,
  activations_bytes: 3,
  rest_bytes: 1,
  capacity_bytes,
  fits: capacity_bytes === null ? null : capacity_bytes > 10,
  settings: null,
});

it("fills the GPU's memory as far as it is needed", () => {
  const { filled, mark } = memoryShares(need(20));
  expect(Object.values(filled)).toEqual([0.25, 0.05, 0.15, 0.05]);
  expect(mark).toBeNull();
});
it("marks the end of a GPU that is too small", () => {
  const { filled, mark } = memoryShares(need(8));
  expect(Object.values(filled).reduce((sum, share) => sum + share, 0)).toBeCloseTo(1);
  expect(mark).toBeCloseTo(0.8);
});
it("fills the bar where there is no GPU", () => expect(memoryShares(need(null)).mark).toBeNull());
