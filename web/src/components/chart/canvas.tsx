/** The drawing half of `Chart`: the only module that knows uPlot. */
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { token, useShownTheme } from "@/app/theme";
import { S } from "@/strings";
import { evenDecimals } from "@/lib/format";
import { cn } from "@/lib/cn";
import { aligned } from "./align";
import { drawMarks, drawMoment, markAt } from "./marks";
import type { ChartProps, Line, Mark } from "./model";
import { axisLabel, indexOfMoment, markReadout, readoutOf } from "./readout";

const CLICK_SLACK = 4;
const WHOLE = Array.from({ length: 10 }, (_, power) => [1, 2, 5].map((each) => each * 10 ** power)).flat();
/* eslint-disable @typescript-eslint/no-unsafe-enum-assignment -- the library's enum exists in its types only */
const LEFT = 3 as uPlot.Axis.Side;
const SIDES: readonly uPlot.Axis.Side[] = [LEFT, 1];

interface Latest {
  marks: readonly Mark[];
  moment: number | null;
  onPick: ((x: number) => void) | undefined;
  onMark: ((mark: Mark) => void) | undefined;
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
    onMark,
    onZoom,
    syncKey,
  } = props;
  const host = useRef<HTMLDivElement>(null);
  const readout = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef<Latest>({ marks, moment, onPick, onMark, onZoom });
  const [zoomed, setZoomed] = useState(false);
  /** The part that the reader zoomed into. Not asked of the plot: its scales lag behind its data by a drawing. */
  const zoom = useRef<[number, number] | null>(null);
  const theme = useShownTheme();
  const data = useMemo(() => aligned(lines), [lines]);
  const dataRef = useRef(data);
  const linesRef = useRef(lines);

  useLayoutEffect(() => {
    latest.current = { marks, moment, onPick, onMark, onZoom };
    dataRef.current = data;
    linesRef.current = lines;
  });

  /** Says what is under the pointer, else what was at the moment, else what is newest. */
  const tell = useCallback(
    (u: uPlot | null) => {
      if (!readout.current) return;
      const mark = u && markUnderPointer(u, latest.current);
      if (u) u.over.style.cursor = mark ? "pointer" : "";
      const xs = dataRef.current[0] ?? [];
      const index = u?.cursor.idx ?? indexOfMoment(xs, latest.current.moment);
      readout.current.textContent = mark
        ? markReadout(mark)
        : readoutOf(linesRef.current, dataRef.current, index, x);
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
      setCursor: [tell],
      drawAxes: [(u) => drawMarks(u, latest.current.marks)],
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
      ready: [(u) => listenForClicks(u, latest)],
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
    tell(plot.current);
  }, [lines, tell]);
  useEffect(() => {
    plot.current?.redraw(false);
    tell(plot.current);
  }, [marks, moment, tell]);

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

function markUnderPointer(u: uPlot, { marks, onMark }: Latest): Mark | null {
  const { left = -1, top = -1 } = u.cursor;
  return onMark && left >= 0 ? markAt(u, marks, left, top) : null;
}

function zoomOf(u: uPlot): [number, number] | null {
  const { min, max } = u.scales["x"] ?? {};
  const xs = u.data[0];
  const first = xs[0];
  const last = xs.at(-1);
  if (min == null || max == null || first === undefined || last === undefined) return null;
  return min > first || max < last ? [min, max] : null;
}

/** A click picks, or opens the mark that it meets; a drag zooms and does neither. */
function listenForClicks(u: uPlot, latest: { readonly current: Latest }): void {
  let downAt = 0;
  u.over.addEventListener("pointerdown", (event) => {
    downAt = event.clientX;
  });
  u.over.addEventListener("click", (event) => {
    if (Math.abs(event.clientX - downAt) > CLICK_SLACK) return;
    const { marks, onMark, onPick } = latest.current;
    const box = u.over.getBoundingClientRect();
    const left = event.clientX - box.left;
    const mark = onMark ? markAt(u, marks, left, event.clientY - box.top) : null;
    if (mark) onMark?.(mark);
    else onPick?.(u.posToVal(left, "x"));
  });
}
