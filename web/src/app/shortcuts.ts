/** Keyboard shortcuts: registered by what is on screen, listed by the `?` sheet. The latest registered wins. */
import { useEffect, useRef, useSyncExternalStore } from "react";
import { preferences } from "./preferences";

export interface Shortcut {
  /** As `KeyboardEvent.key`, lower case for letters: `n`, `?`, `/`, `arrowleft`. */
  key: string;
  label: string;
  group: string;
}

interface Registered extends Shortcut {
  run: () => void;
}

let registered: readonly Registered[] = [];
const listeners = new Set<() => void>();

function publish(next: readonly Registered[]): void {
  registered = next;
  for (const listener of listeners) listener();
}

/** Keys that act on the control that has the focus and not on the page. */
function belongsToControl(target: EventTarget | null, key: string): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) {
    const isButtonLike = target instanceof HTMLInputElement && /^(checkbox|radio|button)$/.test(target.type);
    return !isButtonLike || key === " ";
  }
  if (target.closest("[role=slider],[role=menu],[role=listbox]")) return true;
  const isArrow = key.startsWith("arrow") || key === "home" || key === "end";
  if (isArrow && target.closest("[role=tablist],[data-arrows]")) return true;
  return (key === "enter" || key === " ") && target.closest("a,button,summary") !== null;
}

export function handleKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.toLowerCase();
  if (belongsToControl(event.target, key)) return;
  if (!preferences().singleKeys && event.key.length === 1 && event.key !== "?") return;
  const dialogs = document.querySelectorAll("[role=dialog],[role=alertdialog]");
  const top = dialogs.item(dialogs.length - 1) as Element | null;
  const match = registered.findLast((shortcut) => shortcut.key === key && reaches(shortcut, top));
  if (!match) return;
  event.preventDefault();
  match.run();
}

/** With a dialog open, what lies under it hears nothing; groups name where a shortcut belongs. */
function reaches(shortcut: Registered, top: Element | null): boolean {
  const scope = top?.getAttribute("data-shortcuts");
  return top === null || scope?.split(" ").includes(shortcut.group) === true;
}

export function useShortcuts(
  group: string,
  shortcuts: readonly (Omit<Shortcut, "group"> & { run: () => void })[],
): void {
  const latest = useRef(shortcuts);
  useEffect(() => {
    latest.current = shortcuts;
  });
  const keys = shortcuts.map((shortcut) => `${shortcut.key}\t${shortcut.label}`).join("\n");
  useEffect(() => {
    const mine: Registered[] = keys.split("\n").flatMap((line, index) => {
      const [key, label] = line.split("\t");
      if (!key || label === undefined) return [];
      return [{ key, label, group, run: () => latest.current[index]?.run() }];
    });
    publish([...registered, ...mine]);
    return () => publish(registered.filter((shortcut) => !mine.includes(shortcut)));
  }, [group, keys]);
}

export function useRegisteredShortcuts(): readonly Shortcut[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => registered,
  );
}
