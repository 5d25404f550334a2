import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { patiently } from "./patient";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("loads what is there after some failures", async () => {
  let failures = 3;
  const loaded = patiently(() =>
    failures-- > 0 ? Promise.reject(new Error("away")) : Promise.resolve("part"),
  );
  await vi.runAllTimersAsync();
  expect(await loaded).toBe("part");
});

it("gives up with the last failure", async () => {
  const load = vi.fn(() => Promise.reject(new Error("gone")));
  const loaded = patiently(load, 3);
  const told = expect(loaded).rejects.toThrow("gone");
  await vi.runAllTimersAsync();
  await told;
  expect(load).toHaveBeenCalledTimes(3);
});
