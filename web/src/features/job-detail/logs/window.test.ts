import { expect, it, vi } from "vitest";
import type { LogEntry } from "@/api/types";
import { LogWindow, PAGE, type ReadPage } from "./window";

function journal(length: number) {
  const state = { length, asked: [] as number[] };
  const read: ReadPage = (offset, signal) => {
    state.asked.push(offset);
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(new DOMException("gone", "AbortError")));
      const count = Math.max(0, Math.min(PAGE, state.length - offset));
      const entries = Array.from({ length: count }, (_, index) => ({ seq: offset + index + 1 }) as LogEntry);
      queueMicrotask(() => resolve({ entries, total: state.length }));
    });
  };
  return { state, read };
}

it("reads only what is in sight, out of a million lines", async () => {
  const { state, read } = journal(1_000_000);
  const log = new LogWindow(read);
  log.show(500_000, 500_040);
  await vi.waitFor(() => expect(log.line(500_000)?.seq).toBe(500_001));
  expect(log.total).toBe(1_000_000);
  expect(state.asked).toEqual([500_000]);
});

it("keeps a bounded number of pages while it is scrolled through", async () => {
  const { read } = journal(1_000_000);
  const log = new LogWindow(read);
  for (let first = 0; first < 200 * PAGE; first += PAGE) {
    log.show(first, first + 40);
    await vi.waitFor(() => expect(log.line(first)).toBeDefined(), { interval: 1 });
  }
  const kept = Array.from({ length: 201 }, (_, page) => log.line(page * PAGE)).filter(Boolean);
  expect(kept.length).toBeLessThanOrEqual(41);
});

it("takes new lines up behind the last one, without a gap", async () => {
  const { state, read } = journal(PAGE + 10);
  const log = new LogWindow(read);
  log.show(PAGE, PAGE + 10);
  await vi.waitFor(() => expect(log.line(PAGE + 9)).toBeDefined());
  state.length = 2 * PAGE + 5;
  await log.refresh();
  expect(log.total).toBe(2 * PAGE + 5);
  expect(log.line(PAGE + 50)?.seq).toBe(PAGE + 51);
  log.show(2 * PAGE, 2 * PAGE + 4);
  await vi.waitFor(() => expect(log.line(2 * PAGE)?.seq).toBe(2 * PAGE + 1));
});

it("does not ask for pages that were only passed by", async () => {
  const { state, read } = journal(1_000_000);
  const log = new LogWindow(read);
  log.show(0, 10 * PAGE);
  log.show(900_000, 900_010);
  await vi.waitFor(() => expect(log.line(900_000)).toBeDefined());
  expect(state.asked.length).toBeLessThanOrEqual(4);
  expect(log.error).toBeNull();
});

it("shows a failure and goes on after another try", async () => {
  const { read } = journal(10);
  let broken = true;
  const log = new LogWindow((offset, signal) =>
    broken ? Promise.reject(new Error("down")) : read(offset, signal),
  );
  log.show(0, 10);
  await vi.waitFor(() => expect(log.error).toBeInstanceOf(Error));
  broken = false;
  log.retry();
  await vi.waitFor(() => expect(log.line(9)).toBeDefined());
});
