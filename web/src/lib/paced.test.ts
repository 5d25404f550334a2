import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { paced } from "./paced";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function changing() {
  const listeners = new Set<() => void>();
  const store = {
    value: 0,
    subscribe: (listener: () => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    change: () => {
      store.value += 1;
      for (const each of listeners) each();
    },
    listeners,
  };
  return store;
}

it("tells of the first change at once and of the newest one, a tenth as often as there are any", () => {
  const store = changing();
  const heard: number[] = [];
  paced(store.subscribe, 100)(() => heard.push(store.value));
  store.change();
  expect(heard).toEqual([1]);
  for (let turn = 0; turn < 60; turn += 1) {
    vi.advanceTimersByTime(10);
    store.change();
  }
  expect(heard.length).toBeLessThanOrEqual(7);
  vi.advanceTimersByTime(100);
  expect(heard.at(-1)).toBe(61);
});
it("is silent once it is left, whatever was due", () => {
  const store = changing();
  const heard = vi.fn();
  const leave = paced(store.subscribe, 100)(heard);
  store.change();
  store.change();
  leave();
  vi.advanceTimersByTime(1000);
  expect(heard).toHaveBeenCalledOnce();
  expect(store.listeners.size).toBe(0);
});
