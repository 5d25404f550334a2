import { act, renderHook } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { usePaced } from "./paced";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("hands on the newest value, a tenth as often as it changes", () => {
  const seen = new Set<number>();
  const { result, rerender } = renderHook(({ value }) => usePaced(value, 100), {
    initialProps: { value: 0 },
  });
  for (let value = 1; value <= 60; value += 1) {
    rerender({ value });
    act(() => void vi.advanceTimersByTime(10));
    seen.add(result.current);
  }
  expect(seen.size).toBeLessThanOrEqual(8);
  act(() => void vi.advanceTimersByTime(100));
  expect(result.current).toBe(60);
});
