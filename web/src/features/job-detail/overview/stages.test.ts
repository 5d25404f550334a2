import { expect, it } from "vitest";
import type { LogEntry } from "@/api/types";
import { spansOf } from "./stages";

const line = (seq: number, event: string, fields: Record<string, unknown> = {}): LogEntry => ({
  seq,
  event,
  fields,
  timestamp: `2026-01-01T00:00:${String(seq).padStart(2, "0")}Z`,
  level: "INFO",
  message: "",
  service: "runner",
});

it("makes one span of a stage that is told more than once", () => {
  const spans = spansOf([
    line(1, "job.created"),
    line(2, "job.queued"),
    line(3, "job.stage", { stage: "training" }),
    line(4, "job.stage", { stage: "training" }),
    line(5, "job.stage", { stage: "sampling" }),
    line(6, "job.completed"),
  ]);
  expect(spans.map((span) => [span.stage, span.to?.slice(17, 19)])).toEqual([
    ["queued", "03"],
    ["training", "05"],
    ["sampling", "06"],
    ["completed", undefined],
  ]);
});
it("tells a second attempt from the first", () => {
  const spans = spansOf([
    line(1, "job.stage", { stage: "training", attempt: 1 }),
    line(2, "job.failed"),
    line(3, "job.resumed", { attempt: 2 }),
    line(4, "job.stage", { stage: "training", attempt: 2 }),
  ]);
  expect(spans.map((span) => [span.stage, span.attempt])).toEqual([
    ["training", 1],
    ["failed", 1],
    ["queued", 2],
    ["training", 2],
  ]);
});
