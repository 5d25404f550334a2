/** What a chart shows, without any drawing. */

/** One curve over its own x; curves need not share them. */
export interface Line {
  label: string;
  xs: readonly number[];
  ys: readonly (number | null)[];
  /** Colour token, without the leading dashes. */
  colour: string;
  /** Opacity, 0 to 1. */
  strength?: number;
  width?: number;
  dash?: number[];
  /** Name of the y axis it belongs to; the second name met is drawn on the right. */
  scale: string;
  format: (value: number | null) => string;
  /** Left out of the readout: a faint companion of another line. */
  mute?: boolean;
}

export interface Mark {
  x: number;
  kind: "sample" | "checkpoint";
}

export interface ChartProps {
  /** The accessible name: what the curves are of. */
  label: string;
  lines: readonly Line[];
  height: number;
  /** Whether x is a moment (milliseconds) or a plain number. */
  x: "step" | "time" | "elapsed";
  logScales?: readonly string[];
  /** Fixed range by scale name. */
  ranges?: Readonly<Record<string, [number, number]>>;
  marks?: readonly Mark[];
  /** Where the shared moment is. */
  moment?: number | null;
  onPick?: (x: number) => void;
  /** A click on a mark; without it marks are only seen. */
  onMark?: (mark: Mark) => void;
  onZoom?: (range: [number, number] | null) => void;
  /** Charts with the same key share their cursor. */
  syncKey?: string;
}
