/** Moments in the reader's zone; the exact UTC is on hover and in the element's `datetime`. */
import { useEffect, useState, useSyncExternalStore } from "react";
import { ago, clockTime, dateTime, utc } from "@/lib/format";

const TICK_MS = 10_000;
let now = new Date();
const listeners = new Set<() => void>();
let timer: number | null = null;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= window.setInterval(() => {
    now = new Date();
    for (const each of listeners) each();
  }, TICK_MS);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0 || timer === null) return;
    window.clearInterval(timer);
    timer = null;
  };
}

/** The present time, as fresh as words such as "5 m ago" need. */
export function useNow(): Date {
  return useSyncExternalStore(subscribe, () => now);
}

/** The present time in milliseconds, a second fresh while it `ticks`. */
export function useSeconds(ticks: boolean): number {
  const [present, setPresent] = useState(() => Date.now());
  useEffect(() => {
    if (!ticks) return;
    const timer = window.setInterval(() => setPresent(Date.now()), 1000);
    return () => window.clearInterval(timer);
  }, [ticks]);
  return present;
}

export type TimeStyle = "ago" | "clock" | "precise" | "full";

export function Time({ iso, as = "full", className }: { iso: string; as?: TimeStyle; className?: string }) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return <span className={className}>{iso}</span>;
  const text = as === "ago" ? null : as === "full" ? dateTime(date) : clockTime(date, as === "precise");
  return (
    <time dateTime={iso} title={`${dateTime(date)} · ${utc(date)}`} className={className}>
      {text ?? <Ago date={date} />}
    </time>
  );
}

function Ago({ date }: { date: Date }) {
  const present = useNow();
  return ago(date, present > date ? present : date);
}
