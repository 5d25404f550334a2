/** The drawing half of `Chart`: the only module that knows uPlot. */
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { token, useShownTheme } from "@/app/theme";
import { S } from "@/strings";
import { clockTime, count, duration, evenDecimals } from "@/lib/format";
import { cn } from "@/lib/cn";
import { aligned } from "./align";
import type { ChartProps, Line, Mark } from "./model";

const CLICK_SLACK = 4;
const WHOLE = Array.from({ length: 10 }, (_, power) => [1, 2, 5].map((each) => each * 10 ** power)).flat();
/* eslint-disable @typescript-eslint/no-unsafe-enum-assignment -- the library's enum exists in its types only */
const LEFT = 3 as uPlot.Axis.Side;
const SIDES: readonly uPlot.Axis.Side[] = [LEFT, 1];

interface Latest {
  marks: readonly Mark[];
  moment: number | null;
  onPick: ((x: number) => void) | undefined;
  onZoom: ((range: [number, number] | null) => void) | undefined;
}

export default function Canvas(props: ChartProps) {
  const {
    label,
    lines,
    height,
    x,
    logScales,
    ranges,
    marks = [],
    moment = null,
    onPick,
    onZoom,
    syncKey,
  } = props;
  const host = useRef<HTMLDivElement>(null);
  const readout = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef<Latest>({ marks, moment, onPick, onZoom });
  const [zoomed, setZoomed] = useState(false);
  /** The part that the reader zoomed into. Not asked of the plot: its scales lag behind its data by a drawing. */
  const zoom = useRef<[number, number] | null>(null);
  const theme = useShownTheme();
  const data = useMemo(() => aligned(lines), [lines]);
  const dataRef = useRef(data);
  const linesRef = useRef(lines);

  useLayoutEffect(() => {
    latest.current = { marks, moment, onPick, onZoom };
    dataRef.current = data;
    linesRef.current = lines;
  });

  /** Says what is under the pointer, or what is newest. */
  const tell = useCallback(
    (index: number | null | undefined) => {
      if (!readout.current) return;
      readout.current.textContent = readoutOf(linesRef.current, dataRef.current, index ?? null, x);
    },
    [x],
  );

  const shape = JSON.stringify([
    lines.map((line) => [line.label, line.colour, line.scale, line.strength, line.width, line.dash]),
    x,
    logScales,
    ranges,
    height,
    theme,
    syncKey,
  ]);

  useLayoutEffect(() => {
    const place = host.current;
    if (!place) return;
    const options = optionsOf({
      width: place.clientWidth,
      height,
      x,
      lines: linesRef.current,
      logScales,
      ranges,
      syncKey,
    });
    options.hooks = {
      setCursor: [(u) => tell(u.cursor.idx)],
      drawAxes: [(u) => drawMarks(u, latest.current)],
      draw: [(u) => drawMoment(u, latest.current.moment)],
      setScale: [
        (u, key) => {
          if (key !== "x") return;
          const { min, max } = u.scales["x"] ?? {};
          if (zoom.current?.[0] === min && zoom.current?.[1] === max) return;
          zoom.current = zoomOf(u);
          setZoomed(zoom.current !== null);
          latest.current.onZoom?.(zoom.current);
        },
      ],
      ready: [(u) => listenForClicks(u, (value) => latest.current.onPick?.(value))],
    };
    const made = new uPlot(options, dataRef.current as uPlot.AlignedData, place);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: place.clientWidth, height }));
    observer.observe(place);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
    // `shape` stands for everything that the plot is built from; data, marks and moment are updated below.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [shape]);

  useEffect(() => {
    // A whole curve grows with the training; a part that was zoomed into stays where it is.
    plot.current?.setData(dataRef.current as uPlot.AlignedData, zoom.current === null);
    if (zoom.current !== null) plot.current?.redraw();
    tell(plot.current?.cursor.idx);
  }, [lines, tell]);
  useEffect(() => plot.current?.redraw(false), [marks, moment]);

  const reset = () => {
    const u = plot.current;
    if (!u) return;
    zoom.current = null;
    setZoomed(false);
    onZoom?.(null);
    const xs = u.data[0];
    u.setScale("x", { min: xs[0] ?? 0, max: xs.at(-1) ?? 1 });
  };

  return (
    <figure className="m-0">
      <div ref={host} role="img" aria-label={label} className={cn("w-full", onPick && "cursor-crosshair")} />
      <figcaption className="flex min-h-6 flex-wrap items-center justify-between gap-x-4 text-xs text-ink-2">
        <div ref={readout} className="min-h-4 font-mono text-2xs" />
        {zoomed && (
          <button type="button" className="text-signal underline-offset-2 hover:underline" onClick={reset}>
            {S.chart.zoomOut}
          </button>
        )}
      </figcaption>
    </figure>
  );
}

function optionsOf(
  given: Pick<ChartProps, "height" | "x" | "lines" | "logScales" | "ranges" | "syncKey"> & { width: number },
): uPlot.Options {
  const { width, height, x, lines, logScales = [], ranges = {}, syncKey } = given;
  const names = [...new Set(lines.map((line) => line.scale))];
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const grid = { stroke: token("line"), width: 1 };
  const axis = { stroke: token("ink-3"), font, grid, ticks: { ...grid, size: 4 } };
  return {
    width,
    height,
    padding: [10, names.length > 1 ? 0 : 28, 0, 0],
    legend: { show: false },
    cursor: {
      drag: { x: true, y: false, dist: CLICK_SLACK },
      points: { size: 6 },
      ...(syncKey ? { sync: { key: syncKey, setSeries: false } } : {}),
    },
    select: { show: true, left: 0, top: 0, width: 0, height: 0 },
    scales: {
      x: { time: false },
      ...Object.fromEntries(
        names.map((name) => [
          name,
          {
            ...(logScales.includes(name) ? { distr: 3 as const } : {}),
            ...(ranges[name] ? { range: ranges[name] } : {}),
          },
        ]),
      ),
    },
    axes: [
      {
        ...axis,
        size: 30,
        // There is no half a step.
        ...(x === "step" ? { incrs: WHOLE } : {}),
        values: (_u, splits) => splits.map((value) => axisLabel(value, x)),
      },
      ...names.slice(0, 2).map((name, index) => ({
        ...axis,
        scale: name,
        side: SIDES[index] ?? LEFT,
        size: 58,
        ...(index > 0 ? { grid: { show: false } } : {}),
        values: (_u: uPlot, splits: number[]) =>
          evenDecimals(
            splits.map((value) =>
              // A log scale leaves some of its splits without a label, as null.
              Number.isFinite(value) ? (lines.find((line) => line.scale === name)?.format(value) ?? "") : "",
            ),
          ),
      })),
    ],
    series: [{}, ...lines.map(seriesOf)],
  };
}

function seriesOf(line: Line): uPlot.Series {
  return {
    label: line.label,
    scale: line.scale,
    stroke: token(line.colour),
    alpha: line.strength ?? 1,
    width: line.width ?? 1.5,
    spanGaps: true,
    points: { show: (_u, _s, from, to) => to - from < 2, size: 4 },
    ...(line.dash ? { dash: line.dash } : {}),
  };
}

export function axisLabel(value: number, x: ChartProps["x"]): string {
  if (x === "time") return clockTime(new Date(value));
  return x === "elapsed" ? duration(value) : count(value);
}

function readoutOf(
  lines: readonly Line[],
  data: readonly (readonly (number | null)[])[],
  index: number | null,
  x: ChartProps["x"],
): string {
  const shown = index ?? (data[0]?.length ?? 0) - 1;
  const at = data[0]?.[shown];
  if (at == null) return "";
  const values = lines.flatMap((line, row) => {
    const value = line.mute ? null : nearest(data[row + 1], shown);
    return value === null ? [] : [`${line.label} ${line.format(value)}`];
  });
  return [x === "step" ? S.chart.atStep(count(at)) : axisLabel(at, x), ...values].join(" · ");
}

/** The value at `index`, or the last one before it. */
function nearest(column: readonly (number | null | undefined)[] | undefined, index: number): number | null {
  for (let at = index; at >= 0 && at > index - 50; at -= 1) {
    const value = column?.[at];
    if (value != null) return value;
  }
  return null;
}

function zoomOf(u: uPlot): [number, number] | null {
  const { min, max } = u.scales["x"] ?? {};
  const xs = u.data[0];
  const first = xs[0];
  const last = xs.at(-1);
  if (min == null || max == null || first === undefined || last === undefined) return null;
  return min > first || max < last ? [min, max] : null;
}

function drawMarks(u: uPlot, { marks }: Latest): void {
  const { ctx, bbox } = u;
  const unit = devicePixelRatio;
  const colours = { sample: token("mark"), checkpoint: token("info"), warning: token("warn") };
  ctx.save();
  for (const { x, kind } of marks) {
    const left = Math.round(u.valToPos(x, "x", true));
    if (left < bbox.left || left > bbox.left + bbox.width) continue;
    ctx.fillStyle = colours[kind];
    ctx.strokeStyle = colours[kind];
    const size = 4 * unit;
    const top = bbox.top + (kind === "checkpoint" ? bbox.height - size : size);
    ctx.beginPath();
    if (kind === "sample") ctx.arc(left, top, size * 0.75, 0, 2 * Math.PI);
    else ctx.rect(left - size * 0.7, top - size * 0.7, size * 1.4, size * 1.4);
    ctx.fill();
  }
  ctx.restore();
}

function drawMoment(u: uPlot, moment: number | null): void {
  if (moment === null) return;
  const { ctx, bbox } = u;
  const left = Math.round(u.valToPos(moment, "x", true));
  if (left < bbox.left - 1 || left > bbox.left + bbox.width + 1) return;
  ctx.save();
  ctx.fillStyle = token("signal");
  ctx.fillRect(left - devicePixelRatio, bbox.top, 2 * devicePixelRatio, bbox.height);
  ctx.restore();
}

/** A click picks; a drag zooms and picks nothing. */
function listenForClicks(u: uPlot, pick: (x: number) => void): void {
  let downAt = 0;
  u.over.addEventListener("pointerdown", (event) => {
    downAt = event.clientX;
  });
  u.over.addEventListener("click", (event) => {
    if (Math.abs(event.clientX - downAt) > CLICK_SLACK) return;
    pick(u.posToVal(event.clientX - u.over.getBoundingClientRect().left, "x"));
  });
}
