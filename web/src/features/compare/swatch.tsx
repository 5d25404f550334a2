import { COLOURS, DASHES } from "./select";

const CLASSES = ["text-signal", "text-mark", "text-warn", "text-info", "text-bad", "text-ok"] as const;

export const colourOf = (index: number) => COLOURS[index % COLOURS.length] ?? "signal";
export const dashOf = (index: number) => DASHES[index % DASHES.length] ?? [];

/** A job's line as the chart draws it: colour and dash, so that it does not take colour to tell them apart. */
export function Swatch({ index }: { index: number }) {
  return (
    <svg viewBox="0 0 28 8" className={`h-2 w-7 shrink-0 ${CLASSES[index % CLASSES.length]}`} aria-hidden>
      <line
        x1="0"
        x2="28"
        y1="4"
        y2="4"
        stroke="currentColor"
        strokeWidth="2.5"
        strokeDasharray={dashOf(index).join(" ")}
      />
    </svg>
  );
}
