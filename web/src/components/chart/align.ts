/** Brings curves with x values of their own onto one x column, as the drawing library wants them. Pure. */
import type { Line } from "./model";

export type Aligned = (readonly (number | null)[])[];

/** The first row holds every x once, in order; the others hold the value there, or null. */
export function aligned(lines: readonly Line[]): Aligned {
  const first = lines[0];
  if (!first) return [[]];
  if (lines.every((line) => line.xs === first.xs)) return [first.xs, ...lines.map((line) => line.ys)];
  const xs = [...new Set(lines.flatMap((line) => line.xs))].sort((a, b) => a - b);
  const place = new Map(xs.map((x, index) => [x, index]));
  return [
    xs,
    ...lines.map((line) => {
      const column = new Array<number | null>(xs.length).fill(null);
      line.xs.forEach((x, index) => {
        const at = place.get(x);
        if (at !== undefined) column[at] = line.ys[index] ?? null;
      });
      return column;
    }),
  ];
}
