import { expect, it } from "vitest";
import type { Job, StageView } from "@/api/types";
import { stageRows } from "./stage-rows";

const T0 = Date.parse("2026-01-01T00:00:00Z");
const job = { attempt: 2, current_step: 40, total_steps: 100, progress: 40 } as Job;
const told = (stage: string, more: Partial<StageView> = {}): StageView => ({
  stage,
  attempt: 1,
  seq: 1,
  began: "2026-01-01T00:00:00Z",
  seconds: 0,
  since: null,
  times: 1,
  message: "",
  pct: null,
  phases: [],
  ...more,
});

it("counts the present stage up to now and leaves the others as they were", () => {
  const rows = stageRows(
    [
      told("initializing", { seconds: 7 }),
      told("training", { seconds: 5, since: "2026-01-01T00:00:00Z", attempt: 2 }),
    ],
    job,
    T0 + 3000,
  );
  expect(rows.map((row) => [row.seconds, row.isPresent])).toEqual([
    [7, false],
    [8, true],
  ]);
});
it("says how far a stage is in its own words, and the training in steps", () => {
  const [captions, training, earlier] = stageRows(
    [
      told("captioning", { message: "5 of 12 images captioned", pct: 41.7, since: "2026-01-01T00:00:00Z" }),
      told("training", { attempt: 2, since: "2026-01-01T00:00:00Z" }),
      told("training", { message: "training" }),
    ],
    job,
    T0,
  );
  expect([captions?.detail, captions?.pct]).toEqual(["5 of 12 images captioned", 41.7]);
  expect([training?.detail, training?.pct]).toEqual(["40 / 100", 40]);
  expect([earlier?.detail, earlier?.pct]).toEqual([null, null]);
});
it("gives an end its moment instead of a duration", () => {
  expect(stageRows([told("failed")], job, T0)[0]?.seconds).toBeNull();
});
it("shows the share of the phase that goes on, and only how long the others took", () => {
  const phases = [
    { name: "loading model", seconds: 4, since: null, message: "loading model", pct: 100 },
    {
      name: "caching latents",
      seconds: 0,
      since: "2026-01-01T00:00:00Z",
      message: "caching latents",
      pct: 25,
    },
  ];
  const [row] = stageRows([told("initializing", { phases, message: "caching latents" })], job, T0 + 2000);
  expect(row?.phases).toEqual([
    { name: "loading model", seconds: 4, pct: null },
    { name: "caching latents", seconds: 2, pct: 25 },
  ]);
  expect(row?.detail).toBeNull();
  const [alone] = stageRows([told("captioning", { phases: phases.slice(1), message: "3 of 12" })], job, T0);
  expect([alone?.detail, alone?.phases]).toEqual(["3 of 12", []]);
});
