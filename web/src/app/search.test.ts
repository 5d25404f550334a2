import { expect, it } from "vitest";
import { compareSearch, homeSearch, jobSearch, newSearch } from "./search";

it("keeps what is known and drops the rest", () => {
  expect(jobSearch({ tab: "logs", line: 12, step: "40", q: "pip", sort: "nonsense", extra: 1 })).toEqual({
    tab: "logs",
    line: 12,
    step: 40,
    q: "pip",
  });
});
it("drops numbers that are none", () => {
  expect(jobSearch({ step: -1, line: "1e999" })).toEqual({});
});
it("reads a search for digits as text", () => {
  expect(homeSearch({ q: 42 })).toEqual({ q: "42" });
});
it("takes compared jobs as they were written", () => {
  expect(compareSearch({ jobs: "train-a,train-b", x: "time" })).toEqual({
    jobs: "train-a,train-b",
    x: "time",
  });
});
it("takes changes of settings that a form can hold", () => {
  expect(newSearch({ like: "train-a", with: { lora_rank: 32, amsgrad: true, nested: { a: 1 } } })).toEqual({
    like: "train-a",
    with: { lora_rank: 32, amsgrad: true },
  });
  expect(newSearch({ with: "lora_rank" })).toEqual({});
});
