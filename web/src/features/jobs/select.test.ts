import { describe, expect, it } from "vitest";
import type { Job } from "@/api/types";
import { filterCounts, selectJobs, type Selection } from "./select";

const job = (id: string, change: Partial<Job> = {}): Job =>
  ({
    id,
    character_id: `char-${id}`,
    trainer: "mock",
    status: "completed",
    stage: "completed",
    progress: 100,
    current_loss: 0.1,
    eta_seconds: null,
    created_at: `2026-01-0${id.length}T00:00:00Z`,
    ...change,
  }) as Job;
const nameOf = (each: Job) =>
  ({ "char-a": "Pip 10", "char-bb": "Pip 9", "char-ccc": "Mo" })[each.character_id] ?? "";
const jobs = [
  job("a", { status: "running", stage: "training", progress: 10, current_loss: 0.5, eta_seconds: 60 }),
  job("bb", { status: "failed", current_loss: null, host: "Atlas" }),
  job("ccc"),
];
const by = (change: Partial<Selection>): Selection => ({
  search: "",
  filter: "all",
  sort: "created",
  direction: "desc",
  ...change,
});
const ids = (change: Partial<Selection>) => selectJobs(jobs, nameOf, by(change)).map((each) => each.id);

describe("the list of jobs", () => {
  it("shows the newest first", () => expect(ids({})).toEqual(["ccc", "bb", "a"]));
  it("finds by every word, in name, id, trainer, status and host", () => {
    expect(ids({ search: "pip" })).toEqual(["bb", "a"]);
    expect(ids({ search: "PIP failed" })).toEqual(["bb"]);
    expect(ids({ search: "atlas" })).toEqual(["bb"]);
    expect(ids({ search: "nothing" })).toEqual([]);
  });
  it("sorts names as people count", () =>
    expect(ids({ sort: "name", direction: "asc" })).toEqual(["ccc", "bb", "a"]));
  it("puts what is not known last, either way", () => {
    expect(ids({ sort: "loss", direction: "asc" }).at(-1)).toBe("bb");
    expect(ids({ sort: "loss", direction: "desc" }).at(-1)).toBe("bb");
  });
  it("filters by what is still going on", () => expect(ids({ filter: "active" })).toEqual(["a"]));
  it("counts each filter", () =>
    expect(filterCounts(jobs)).toEqual({ all: 3, active: 1, completed: 1, failed: 1, cancelled: 0 }));
});
