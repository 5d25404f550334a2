import { expect, it } from "vitest";
import { figure } from "@/lib/format";
import type { Line } from "./model";
import { indexOfMoment, readoutOf } from "./readout";

it("finds the last value that is not behind the moment", () => {
  expect([0, 9, 10, 19, 20, 99].map((moment) => indexOfMoment([10, 20, 30], moment))).toEqual([
    0, 0, 0, 0, 1, 2,
  ]);
  expect(indexOfMoment([10, 20], null)).toBeNull();
  expect(indexOfMoment([], 5)).toBeNull();
});

it("tells what is there, and the last known where a curve has a gap", () => {
  const line = (label: string): Line => ({ label, xs: [], ys: [], colour: "", scale: "y", format: figure });
  const data = [
    [1, 2, 3],
    [0.5, 0.25, 0.125],
    [1, null, null],
  ];
  expect(readoutOf([line("loss"), line("eval")], data, 1, "step")).toBe("step 2 · loss 0.2500 · eval 1.000");
  expect(readoutOf([line("loss"), { ...line("raw"), mute: true }], data, null, "step")).toBe(
    "step 3 · loss 0.1250",
  );
  expect(readoutOf([], [[]], null, "step")).toBe("");
});
