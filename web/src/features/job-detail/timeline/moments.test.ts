import { expect, it } from "vitest";
import type { Artifact } from "@/api/types";
import { momentsOf, neighbour } from "./moments";

const file = (type: Artifact["type"], step: number | null) => ({ type, step }) as Artifact;

it("stops where there is something to see, once each, in order", () => {
  expect(
    momentsOf([file("sample", 200), file("checkpoint", 200), file("sample", 0), file("model", 300)]),
  ).toEqual([0, 200]);
});
it("goes on to the live end after the last and stays at the first", () => {
  expect(neighbour([0, 100, 200], 100, 1)).toBe(200);
  expect(neighbour([0, 100, 200], 200, 1)).toBeNull();
  expect(neighbour([0, 100, 200], 0, -1)).toBe(0);
});
