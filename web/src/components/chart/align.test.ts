import { expect, it } from "vitest";
import { aligned } from "./align";
import type { Line } from "./model";

const line = (xs: number[], ys: (number | null)[]): Line => ({
  label: "",
  xs,
  ys,
  colour: "ink",
  scale: "y",
  format: String,
});

it("leaves curves over the same x as they are", () => {
  const xs = [1, 2];
  const ys = [5, 6];
  const [column, values] = aligned([line(xs, ys), line(xs, [7, 8])]);
  expect([column, values]).toEqual([xs, ys]);
  expect(column).toBe(xs);
});
it("keeps repeated steps of two attempts apart", () => {
  expect(aligned([line([1, 2, 3], [9, 8, 7]), line([2, 3, 4], [6, 5, 4])])).toEqual([
    [1, 2, 3, 4],
    [9, 8, 7, null],
    [null, 6, 5, 4],
  ]);
});
it("has nothing to draw without curves", () => expect(aligned([])).toEqual([[]]));
