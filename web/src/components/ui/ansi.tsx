/** Text that may hold terminal colours. Text nodes only: whatever a trainer prints stays text. */
import { memo } from "react";
import { cn } from "@/lib/cn";
import { hasAnsi, parseAnsi } from "@/lib/ansi";

/** The sixteen colours, mapped to tokens that keep their contrast in both themes. */
const INKS = [
  "text-ink-3",
  "text-bad",
  "text-ok",
  "text-warn",
  "text-info",
  "text-mark",
  "text-signal",
  "text-ink-2",
  "text-ink-3",
  "text-bad",
  "text-ok",
  "text-warn",
  "text-info",
  "text-mark",
  "text-signal",
  "text-ink",
];

export const AnsiText = memo(function AnsiText({ text }: { text: string }) {
  if (!hasAnsi(text)) return text;
  return parseAnsi(text).map((run, index) => (
    <span
      key={index}
      className={cn(
        run.fg !== null && INKS[run.fg],
        run.bold && "font-medium",
        run.dim && "text-ink-3",
        run.italic && "italic",
        run.underline && "underline",
      )}
    >
      {run.text}
    </span>
  ));
});
