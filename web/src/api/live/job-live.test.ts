import { expect, it } from "vitest";
import type { Job } from "../types";
import { JobLive } from "./job-live";

const job = {
  id: "train-1",
  status: "running",
  stage: "training",
  current_step: 1,
  total_steps: 10,
  progress: 10,
  last_seq: 5,
  current_loss: 0.5,
  eta_seconds: 9,
  error_message: null,
  error_type: null,
  phase: null,
  phase_pct: null,
  attempt: 1,
} as Job;

function live(): JobLive {
  const result = new JobLive("train-1");
  result.apply({ type: "snapshot", id: "5", data: job });
  return result;
}

it("folds a step into the job and the tail", () => {
  const open = live();
  open.apply({
    type: "progress",
    id: "6",
    data: { job_id: "train-1", ts: "2026-01-01T00:00:00Z", step: 2, loss: 0.4 },
  });
  expect(open.job).toMatchObject({ current_step: 2, current_loss: 0.4, last_seq: 6, total_steps: 10 });
  expect(open.tail.at("loss", 0)).toBe(0.4);
});

it("keeps the last loss when a frame tells of something else", () => {
  const open = live();
  open.apply({
    type: "progress",
    id: "6",
    data: { job_id: "train-1", ts: "2026-01-01T00:00:00Z", stage: "sampling" },
  });
  expect(open.job).toMatchObject({ current_loss: 0.5, stage: "sampling" });
  expect(open.tail.length).toBe(0);
});

it("hands its tail over to a freshly read series without a repeat", () => {
  const open = live();
  for (const step of [2, 3, 4])
    open.apply({
      type: "progress",
      id: String(step + 4),
      data: { job_id: "train-1", ts: "2026-01-01T00:00:00Z", step, loss: 1 },
    });
  open.taken(7);
  expect([open.tail.length, open.tail.at("step", 0)]).toEqual([1, 4]);
});

it("clears an earlier attempt's error when the job goes on", () => {
  const open = new JobLive("train-1");
  open.apply({
    type: "snapshot",
    id: "5",
    data: { ...job, status: "failed", error_message: "out of memory" },
  });
  open.apply({
    type: "progress",
    id: "6",
    data: { job_id: "train-1", ts: "2026-01-01T00:00:00Z", status: "queued", attempt: 2 },
  });
  expect(open.job).toMatchObject({ status: "queued", error_message: null, attempt: 2 });
});

it("knows since when and where a job runs that it saw begin", () => {
  const open = new JobLive("train-1");
  open.apply({ type: "snapshot", id: "2", data: { ...job, status: "queued", started_at: null, host: null } });
  const begins = { job_id: "train-1", ts: "2026-01-01T00:00:00Z", status: "running" };
  open.apply({ type: "progress", id: "3", data: { ...begins, host: "atlas", hosted: true } });
  open.apply({ type: "progress", id: "4", data: { ...begins, ts: "2026-01-01T00:00:09Z" } });
  expect(open.job).toMatchObject({ started_at: "2026-01-01T00:00:00Z", host: "atlas" });
  open.apply({ type: "progress", id: "5", data: { ...begins, host: "here" } });
  expect(open.job).toMatchObject({ host: "atlas" });
});

it("stays bounded over an hour of a hundred events a second", () => {
  const open = live();
  for (let step = 2; step < 360_002; step += 1)
    open.apply({
      type: "progress",
      id: String(step + 4),
      data: { job_id: "train-1", ts: "2026-01-01T00:00:00Z", step, loss: 1 },
    });
  expect(open.tail.length).toBe(open.tail.capacity);
  expect(open.job?.current_step).toBe(360_001);
});
