import { expect, it } from "vitest";
import { Columns } from "./columns";

it("keeps the newest points when it is full", () => {
  const columns = new Columns(["x"], 3);
  for (const x of [1, 2, 3, 4, 5]) columns.push({ x });
  expect([columns.at("x", 0), columns.at("x", 1), columns.at("x", 2), columns.at("x", 3)]).toEqual([
    3,
    4,
    5,
    NaN,
  ]);
  expect(columns.length).toBe(3);
});

it("drops from the old end and takes new points afterwards", () => {
  const columns = new Columns(["x"], 3);
  for (const x of [1, 2, 3, 4]) columns.push({ x });
  columns.dropWhile((index) => columns.at("x", index) <= 3);
  columns.push({ x: 9 });
  expect([columns.at("x", 0), columns.at("x", 1), columns.length]).toEqual([4, 9, 2]);
});
