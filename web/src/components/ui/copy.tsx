import { Check, Copy } from "lucide-react";
import { useEffect, useState } from "react";
import { cn } from "@/lib/cn";
import { S } from "@/strings";
import { copyText } from "@/lib/clipboard";

/** Copies `text`; says so with a tick for a moment. */
export function CopyButton({ text, label, className }: { text: string; label: string; className?: string }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return;
    const timer = window.setTimeout(() => setDone(false), 1500);
    return () => window.clearTimeout(timer);
  }, [done]);
  const Icon = done ? Check : Copy;
  return (
    <button
      type="button"
      aria-label={done ? S.copied : label}
      title={done ? S.copied : label}
      onClick={() => void copyText(text).then(setDone)}
      className={cn(
        "inline-grid size-6 shrink-0 place-items-center rounded-sm text-ink-3 hover:bg-raised hover:text-ink pointer-coarse:size-11",
        className,
      )}
    >
      <Icon className={cn("size-3.5", done && "text-ok")} aria-hidden />
    </button>
  );
}
