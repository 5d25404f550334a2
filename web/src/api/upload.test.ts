import { expect, it } from "vitest";
import { batches } from "./upload";

const file = (name: string, size = 1) => ({ name, size }) as File;

it("sends an archive alone and images together", () => {
  const sent = batches([file("a.png"), file("all.ZIP"), file("b.png")]);
  expect(sent.map((batch) => batch.map((each) => each.name))).toEqual([["all.ZIP"], ["a.png", "b.png"]]);
});
it("limits a request by number and by size", () => {
  expect(
    batches(Array.from({ length: 40 }, (_, index) => file(`${index}.png`))).map((batch) => batch.length),
  ).toEqual([16, 16, 8]);
  expect(batches([file("a", 60e6), file("b", 60e6)])).toHaveLength(2);
});
