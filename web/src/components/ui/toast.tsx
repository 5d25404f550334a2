/** Short messages in a corner. A failed request stays until it is closed and shows its correlation id. */
import { X } from "lucide-react";
import { useSyncExternalStore } from "react";
import { ApiError } from "@/api/client";
import { cn } from "@/lib/cn";
import { S } from "@/strings";
import { IconButton } from "./button";
import { CopyButton } from "./copy";

interface Toast {
  id: number;
  tone: "plain" | "bad";
  text: string;
  correlationId?: string;
}

const SHOWN_MS = 6000;
const MOST = 4;

let toasts: readonly Toast[] = [];
let made = 0;
const listeners = new Set<() => void>();

function publish(next: readonly Toast[]): void {
  toasts = next;
  for (const listener of listeners) listener();
}

function dismiss(id: number): void {
  publish(toasts.filter((toast) => toast.id !== id));
}

export function notify(text: string): void {
  made += 1;
  const id = made;
  publish([...toasts, { id, tone: "plain" as const, text }].slice(-MOST));
  window.setTimeout(() => dismiss(id), SHOWN_MS);
}

export function notifyError(error: unknown): void {
  made += 1;
  const text = error instanceof Error ? error.message : String(error);
  const correlationId = error instanceof ApiError ? error.correlationId : undefined;
  const known = toasts.filter((toast) => toast.text !== text);
  publish(
    [...known, { id: made, tone: "bad" as const, text, ...(correlationId ? { correlationId } : {}) }].slice(
      -MOST,
    ),
  );
}

export function Toaster() {
  const shown = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => toasts,
  );
  return (
    <div
      role="region"
      aria-label={S.messages}
      aria-live="polite"
      className="pointer-events-none fixed right-4 bottom-4 left-4 z-60 flex flex-col items-start gap-2 max-md:top-3 max-md:bottom-auto max-md:items-stretch md:left-22"
    >
      {shown.map((toast) => (
        <div
          key={toast.id}
          className={cn(
            "pointer-events-auto flex max-w-md items-start gap-3 rounded-lg border bg-surface py-2 pr-1 pl-3.5 shadow-lift animate-rise",
            toast.tone === "bad" && "border-bad",
          )}
        >
          <div className="py-1">
            <p className={cn(toast.tone === "bad" && "text-bad")}>{toast.text}</p>
            {toast.correlationId && (
              <p className="mt-1 flex items-center gap-1 font-mono text-2xs text-ink-3">
                {S.correlation} {toast.correlationId}
                <CopyButton text={toast.correlationId} label={S.copyCorrelation} />
              </p>
            )}
          </div>
          <IconButton label={S.dismiss} onClick={() => dismiss(toast.id)}>
            <X />
          </IconButton>
        </div>
      ))}
    </div>
  );
}
