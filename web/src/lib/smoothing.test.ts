import { expect, it } from "vitest";
import { smooth } from "./smoothing";

it("starts at the first value, not at zero", () => {
  expect(smooth([4, 4, 4], 0.9).map((value) => value?.toFixed(6))).toEqual([
    "4.000000",
    "4.000000",
    "4.000000",
  ]);
});
it("steps over gaps", () => {
  expect(smooth([2, null, NaN, 2], 0.5)).toEqual([2, null, null, 2]);
});
it("without weight changes nothing", () => {
  expect(smooth([1, 5, 2], 0)).toEqual([1, 5, 2]);
});
