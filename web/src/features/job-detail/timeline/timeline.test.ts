import { expect, it } from "vitest";
import { spanOf } from "./timeline";

const span = (status: "running" | "cancelled", current_step: number, total_steps: number) =>
  spanOf({ status, current_step, total_steps });

it("stands for the whole plan once a quarter of it is done", () => {
  expect(span("running", 300, 1000)).toBe(1000);
});
it("keeps a run that has hardly begun from being a speck", () => {
  expect(span("running", 10, 1000)).toBe(40);
  expect(span("running", 0, 1000)).toBe(1);
});
it("stands for what was done once it is over, and never for less", () => {
  expect(span("cancelled", 570, 100_000)).toBe(570);
  expect(span("running", 1200, 1000)).toBe(1200);
});
