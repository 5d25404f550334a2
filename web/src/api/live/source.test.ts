import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { LiveSource, type Frame, type LinkState } from "./source";

class FakeEventSource extends EventTarget {
  static readonly CLOSED = 2;
  static made: FakeEventSource[] = [];
  readyState = 0;
  constructor(readonly url: string) {
    super();
    FakeEventSource.made.push(this);
  }
  close() {
    this.readyState = 2;
  }
  say(type: string, id: number, data: unknown = {}) {
    this.dispatchEvent(new MessageEvent(type, { data: JSON.stringify(data), lastEventId: String(id) }));
  }
  break(forGood: boolean) {
    this.readyState = forGood ? 2 : 0;
    this.dispatchEvent(new Event("error"));
  }
}

let frames: Frame[];
let states: LinkState[];
let over: boolean;

function source(): LiveSource {
  return new LiveSource({
    url: "/s",
    types: ["progress", "complete", "error"],
    last: ["complete", "error"],
    onFrame: (frame) => frames.push(frame),
    onState: (state) => states.push(state),
    isOver: () => Promise.resolve(over),
  });
}
function made(index: number): FakeEventSource {
  const found = FakeEventSource.made[index];
  if (!found) throw new Error(`no connection ${index} was opened`);
  return found;
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("EventSource", FakeEventSource);
  FakeEventSource.made = [];
  frames = [];
  states = [];
  over = false;
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it("says that it reconnects while the browser does so by itself, and drops what comes twice", () => {
  source().open();
  made(0).say("progress", 7);
  made(0).break(false);
  expect(states).toEqual(["connecting", "reconnecting"]);
  made(0).dispatchEvent(new Event("open"));
  made(0).say("progress", 7);
  made(0).say("progress", 8);
  expect(frames.map((frame) => frame.id)).toEqual(["7", "8"]);
  expect(FakeEventSource.made).toHaveLength(1);
});

it("goes on after the last line when the browser has given up", async () => {
  source().open();
  made(0).say("progress", 7);
  made(0).break(true);
  await vi.advanceTimersByTimeAsync(600);
  expect(made(1).url).toBe("/s?after=7");
});

it("stops when the server's refusal meant that the job is over", async () => {
  over = true;
  source().open("9");
  made(0).break(true);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(states.at(-1)).toBe("ended");
  expect(FakeEventSource.made).toHaveLength(1);
});

it("takes a job's error for its last frame, and a connection's error for what it is", () => {
  source().open();
  made(0).break(false);
  expect(frames).toHaveLength(0);
  made(0).say("error", 3, { error: "boom" });
  expect(frames.map((frame) => frame.type)).toEqual(["error"]);
  expect(states.at(-1)).toBe("ended");
});

it("waits longer after each refusal", async () => {
  source().open();
  made(0).break(true);
  await vi.advanceTimersByTimeAsync(500);
  made(1).break(true);
  await vi.advanceTimersByTimeAsync(900);
  expect(FakeEventSource.made).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(200);
  expect(FakeEventSource.made).toHaveLength(3);
});
