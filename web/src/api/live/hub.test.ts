import { QueryClient } from "@tanstack/react-query";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Job } from "../types";
import { LiveHub } from "./hub";

class FakeStream extends EventTarget {
  static readonly CLOSED = 2;
  static newest: FakeStream | null = null;
  readonly readyState = 1;

  constructor(readonly url: string) {
    super();
    FakeStream.newest = this;
  }
  close(): void {
    if (FakeStream.newest === this) FakeStream.newest = null;
  }
  say(type: string, seq: number, data: object): void {
    this.dispatchEvent(new MessageEvent(type, { data: JSON.stringify(data), lastEventId: String(seq) }));
  }
}

const running = {
  id: "train-1",
  status: "running",
  stage: "training",
  phase: null,
  attempt: 1,
  last_seq: 1,
  current_step: 0,
  created_at: "2026-01-01T00:00:00Z",
} as Job;

let client: QueryClient;
let hub: LiveHub;
let stop: () => void;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "requestAnimationFrame", "performance"] });
  vi.stubGlobal("EventSource", FakeStream);
  client = new QueryClient();
  hub = new LiveHub(client);
  stop = hub.start();
  hub.show("train-1", running);
  vi.advanceTimersByTime(1000);
});
afterEach(() => {
  stop();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const step = (seq: number) =>
  FakeStream.newest?.say("progress", seq, { job_id: "train-1", ts: "2026-01-01T00:00:01Z", step: seq });
const stored = () => client.getQueryData<Job>(["job", "train-1"]);

it("shows every step to those who ask for it, and writes the job at a pace with the last step in it", () => {
  let writes = 0;
  client.getQueryCache().subscribe(({ type, query }) => {
    if (type === "updated" && String(query.queryKey) === "job,train-1") writes += 1;
  });
  for (let seq = 2; seq <= 101; seq += 1) {
    step(seq);
    vi.advanceTimersByTime(20);
    expect(hub.open?.job?.current_step).toBe(seq);
  }
  expect(writes).toBeGreaterThan(1);
  expect(writes).toBeLessThanOrEqual(6); // two seconds
  vi.advanceTimersByTime(1000);
  expect(stored()?.current_step).toBe(101);
});
it("writes a change of state with the next frame", () => {
  step(2);
  vi.advanceTimersByTime(20);
  FakeStream.newest?.say("progress", 3, { job_id: "train-1", ts: "2026-01-01T00:00:01Z", stage: "sampling" });
  vi.advanceTimersByTime(20);
  expect(stored()?.stage).toBe("sampling");
});
it("has what was read before the stream began read again", () => {
  const told = vi.spyOn(client, "invalidateQueries");
  FakeStream.newest?.say("snapshot", 9, { ...running, last_seq: 9 });
  vi.advanceTimersByTime(20);
  expect(told.mock.calls.map(([filter]) => filter?.queryKey)).toEqual([
    ["job", "train-1", "metrics"],
    ["job", "train-1", "artifacts"],
  ]);
});

it("tells of a training that began and ended between two paints, once", () => {
  hub.show(null);
  const told: string[] = [];
  hub.onOutcome(({ after }) => told.push(`${after.id} ${after.status}`));
  const quick = { ...running, id: "train-2" };
  FakeStream.newest?.say("job", 1, quick);
  FakeStream.newest?.say("job", 2, { ...quick, status: "completed", last_seq: 9 });
  vi.advanceTimersByTime(1000);
  FakeStream.newest?.say("job", 3, { ...quick, status: "completed", last_seq: 9 });
  FakeStream.newest?.say("job", 4, { ...running, id: "train-3", status: "completed" });
  vi.advanceTimersByTime(1000);
  expect(told).toEqual(["train-2 completed"]);
});
