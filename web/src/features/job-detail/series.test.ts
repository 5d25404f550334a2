import { expect, it } from "vitest";
import type { MetricPoint } from "@/api/types";
import { partsOf, stepAtTime, timeOfStep } from "./series";

const point = (step: number, attempt: number, second: number): MetricPoint => ({
  step,
  attempt,
  value: step / 10,
  seq: second,
  timestamp: new Date(second * 1000).toISOString(),
});
const parts = partsOf([
  point(1, 1, 1),
  point(2, 1, 2),
  point(3, 1, 3),
  point(2, 2, 10),
  point(3, 2, 11),
  point(4, 2, 12),
]);

it("keeps the steps that a resumed job did twice", () => {
  expect(parts.map((part) => [part.attempt, part.steps])).toEqual([
    [1, [1, 2, 3]],
    [2, [2, 3, 4]],
  ]);
});
it("finds the moment of a step in the newest attempt that did it", () => {
  expect(timeOfStep(parts, 3)).toBe(11_000);
  expect(timeOfStep(parts, 1)).toBe(1_000);
});
it("finds the step of a moment", () => {
  expect(stepAtTime(parts, 11_500)).toBe(3);
  expect(stepAtTime(parts, 2_500)).toBe(2);
  expect(stepAtTime(parts, 0)).toBe(1);
});
