/** The line under a chart, in words: what is under the pointer, at the moment, or newest. Pure. */
import { clockTime, count, duration } from "@/lib/format";
import { S } from "@/strings";
import type { Aligned } from "./align";
import type { ChartProps, Line, Mark } from "./model";

/** How far back a curve that has no value at an x is asked. */
const BACK = 50;

export function axisLabel(value: number, x: ChartProps["x"]): string {
  if (x === "time") return clockTime(new Date(value));
  return x === "elapsed" ? duration(value) : count(value);
}

export function readoutOf(
  lines: readonly Line[],
  data: Aligned,
  index: number | null,
  x: ChartProps["x"],
): string {
  const shown = index ?? (data[0]?.length ?? 0) - 1;
  const at = data[0]?.[shown];
  if (at == null) return "";
  const values = lines.flatMap((line, row) => {
    const value = line.mute ? null : lastKnown(data[row + 1], shown);
    return value === null ? [] : [`${line.label} ${line.format(value)}`];
  });
  return [x === "step" ? S.chart.atStep(count(at)) : axisLabel(at, x), ...values].join(" · ");
}

export function markReadout({ x, kind }: Mark): string {
  return S.chart.openMark[kind](count(x));
}

/** The last x that is not behind the moment; the first one where all are; null without a moment. */
export function indexOfMoment(xs: readonly (number | null)[], moment: number | null): number | null {
  if (moment === null || xs.length === 0) return null;
  let low = 0;
  let high = xs.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((xs[middle] ?? Infinity) <= moment) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The value at `index`, or the last one before it. */
function lastKnown(column: readonly (number | null | undefined)[] | undefined, index: number): number | null {
  for (let at = index; at >= 0 && at > index - BACK; at -= 1) {
    const value = column?.[at];
    if (value != null) return value;
  }
  return null;
}
