/** A value that changes with every frame, handed on at a pace at which drawing it is worth its cost. */
import { useEffect, useRef, useState } from "react";

export function usePaced<T>(value: T, everyMs: number): T {
  const [shown, setShown] = useState(value);
  const changedAt = useRef(-Infinity);
  useEffect(() => {
    if (value === shown) return;
    const wait = Math.max(0, everyMs - (performance.now() - changedAt.current));
    const timer = window.setTimeout(() => {
      changedAt.current = performance.now();
      setShown(value);
    }, wait);
    return () => window.clearTimeout(timer);
  }, [value, shown, everyMs]);
  return shown;
}
