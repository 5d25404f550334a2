/** What is drawn over the curves and can be met by the pointer: samples, checkpoints, the shared moment. */
import type uPlot from "uplot";
import { token } from "@/app/theme";
import type { Mark } from "./model";

/** Half of a mark's size, and how far from its middle it is still met. */
const SIZE = 4;
const REACH = 9;

export function drawMarks(u: uPlot, marks: readonly Mark[]): void {
  const { ctx, bbox } = u;
  const unit = devicePixelRatio;
  const colours = { sample: token("mark"), checkpoint: token("info") };
  ctx.save();
  for (const { x, kind } of marks) {
    const left = Math.round(u.valToPos(x, "x", true));
    if (left < bbox.left || left > bbox.left + bbox.width) continue;
    ctx.fillStyle = colours[kind];
    const size = SIZE * unit;
    const top = bbox.top + topOf(kind, bbox.height / unit) * unit;
    ctx.beginPath();
    if (kind === "sample") ctx.arc(left, top, size * 0.75, 0, 2 * Math.PI);
    else ctx.rect(left - size * 0.7, top - size * 0.7, size * 1.4, size * 1.4);
    ctx.fill();
  }
  ctx.restore();
}

/** Samples stand at the upper edge, checkpoints at the lower one. */
function topOf(kind: Mark["kind"], height: number): number {
  return kind === "sample" ? SIZE : height - SIZE;
}

/** The mark that is met at a place in the plot, in CSS pixels; the nearest of several. */
export function markAt(u: uPlot, marks: readonly Mark[], left: number, top: number): Mark | null {
  const height = u.bbox.height / devicePixelRatio;
  let best: Mark | null = null;
  let nearest = REACH;
  for (const mark of marks) {
    if (Math.abs(top - topOf(mark.kind, height)) > REACH) continue;
    const away = Math.abs(u.valToPos(mark.x, "x") - left);
    if (away > nearest) continue;
    best = mark;
    nearest = away;
  }
  return best;
}

export function drawMoment(u: uPlot, moment: number | null): void {
  if (moment === null) return;
  const { ctx, bbox } = u;
  const left = Math.round(u.valToPos(moment, "x", true));
  if (left < bbox.left - 1 || left > bbox.left + bbox.width + 1) return;
  ctx.save();
  ctx.fillStyle = token("signal");
  ctx.fillRect(left - devicePixelRatio, bbox.top, 2 * devicePixelRatio, bbox.height);
  ctx.restore();
}
