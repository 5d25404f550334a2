/** Small choices of the reader that outlive the page. */
import { useSyncExternalStore } from "react";

interface Preferences {
  /** Keys without a modifier act on the page (WCAG 2.1.4 asks for a way to turn that off). */
  singleKeys: boolean;
  /** A browser notification when a training ends. */
  notifications: boolean;
  /** Weight of the loss curve's smoothing, 0 to 0.99. */
  smoothing: number;
  logScale: boolean;
}

const KEY = "isengard.preferences";
const DEFAULTS: Preferences = { singleKeys: true, notifications: false, smoothing: 0.85, logScale: false };

function stored(): Preferences {
  try {
    return { ...DEFAULTS, ...(JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Preferences>) };
  } catch {
    return DEFAULTS;
  }
}

let present = stored();
const listeners = new Set<() => void>();

export function preferences(): Preferences {
  return present;
}

export function prefer(change: Partial<Preferences>): void {
  present = { ...present, ...change };
  try {
    localStorage.setItem(KEY, JSON.stringify(present));
  } catch {
    // Storage may be forbidden; the choice then lasts as long as the page.
  }
  for (const listener of listeners) listener();
}

export function usePreferences(): Preferences {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, preferences);
}
