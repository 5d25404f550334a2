import { describe, expect, it } from "vitest";
import type { Artifact } from "@/api/types";
import { checkpointFor, columnAt, matrixOf } from "./matrix";

const sample = (step: number, index: number, attempt = 1) =>
  ({
    type: "sample",
    step,
    index,
    attempt,
    prompt: `prompt ${index}`,
    name: `${step}-${index}-${attempt}`,
  }) as Artifact;
const checkpoint = (step: number) => ({ type: "checkpoint", step, attempt: 1, name: `c${step}` }) as Artifact;

describe("the matrix of samples", () => {
  it("has a row for each prompt and a column for each step, with gaps where nothing was made", () => {
    const { columns, rows } = matrixOf([sample(100, 1), sample(0, 0), sample(0, 1), checkpoint(100)]);
    expect(columns.map((column) => column.step)).toEqual([0, 100]);
    expect(rows.map((row) => [row.prompt, row.cells.map((cell) => cell?.name ?? null)])).toEqual([
      ["prompt 0", ["0-0-1", null]],
      ["prompt 1", ["0-1-1", "100-1-1"]],
    ]);
  });
  it("keeps a step that two attempts did twice", () => {
    const { columns } = matrixOf([sample(100, 0, 2), sample(100, 0, 1), sample(200, 0, 2)]);
    expect(columns.map((column) => [column.step, column.attempt, column.repeated])).toEqual([
      [100, 1, true],
      [100, 2, true],
      [200, 2, false],
    ]);
  });
});

it("shows what was there at a moment", () => {
  const { columns } = matrixOf([sample(0, 0), sample(100, 0), sample(200, 0)]);
  expect([columnAt(columns, 150), columnAt(columns, null), columnAt([], 5)]).toEqual([1, 2, -1]);
});

it("finds the checkpoint that a sample stands for", () => {
  const files = [checkpoint(100), checkpoint(250), sample(200, 0)];
  expect(checkpointFor(files, 200)?.name).toBe("c100");
  expect(checkpointFor(files, 250)?.name).toBe("c250");
  expect(checkpointFor(files, 50)).toBeNull();
});
