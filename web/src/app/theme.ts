/** Dark, light or as the system has it. `public/theme.js` applies the choice before the first paint. */
import { useSyncExternalStore } from "react";

export type ThemeChoice = "system" | "light" | "dark";

const KEY = "isengard.theme";
const system = window.matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

function stored(): ThemeChoice {
  try {
    const value = localStorage.getItem(KEY);
    return value === "dark" || value === "light" ? value : "system";
  } catch {
    return "system";
  }
}

let choice = stored();

function apply(): void {
  const dark = choice === "dark" || (choice === "system" && system.matches);
  const root = document.documentElement;
  // A theme is not a change to be faded into: what fades shows the old colours on the new ground for a moment.
  root.toggleAttribute("data-switching", true);
  root.dataset.theme = dark ? "dark" : "light";
  document.body.getBoundingClientRect(); // the new colours are taken here, while nothing may fade
  root.toggleAttribute("data-switching", false);
  for (const listener of listeners) listener();
}

system.addEventListener("change", apply);

export function chooseTheme(next: ThemeChoice): void {
  choice = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // Storage may be forbidden; the choice then lasts as long as the page.
  }
  apply();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useThemeChoice(): ThemeChoice {
  return useSyncExternalStore(subscribe, () => choice);
}

/** The theme on screen; canvases are drawn anew when it changes. */
export function useShownTheme(): string {
  return useSyncExternalStore(subscribe, () => document.documentElement.dataset.theme ?? "light");
}

/** The value of a colour token as it stands now. */
export function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
