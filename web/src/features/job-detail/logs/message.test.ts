import { expect, it } from "vitest";
import type { LogEntry } from "@/api/types";
import { messageOf } from "./message";

const line = (event: string, fields: Record<string, unknown>, message = ""): LogEntry => ({
  seq: 1,
  timestamp: "2026-01-01T00:00:00Z",
  level: "INFO",
  service: "runner",
  event,
  fields,
  message,
});

it("says what the line says", () => expect(messageOf(line("log", { a: 1 }, "hello"))).toBe("hello"));
it("puts a step's figures first and leaves bookkeeping out", () =>
  expect(
    messageOf(
      line("training.step", {
        stage: "training",
        step: 7,
        steps_total: 100,
        loss: 0.25,
        lr: 1e-4,
        report: 9,
      }),
    ),
  ).toBe("step 7/100  loss 0.2500  lr 1e-4"));
it("shows a loss that is no number", () =>
  expect(messageOf(line("training.step", { step: 7, steps_total: 100, loss: null }))).toBe(
    "step 7/100  loss null",
  ));
it("falls back to the plain fields", () =>
  expect(messageOf(line("subprocess.exit", { exit_code: 0, deep: {} }))).toBe("exit_code=0"));
