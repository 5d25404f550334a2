/** The scrolling list of log lines: as many rows in the document as fit on the screen, whatever the journal's length.

    Rows have one height and are placed by arithmetic: a library that measures rows would hold an object for each of a
    million. What does not fit on a row is shown by the panel below the list. */
import {
  memo,
  useCallback,
  useEffect,
  useImperativeHandle,
  useLayoutEffect,
  useRef,
  useState,
  type KeyboardEvent,
  type Ref,
} from "react";
import type { LogEntry } from "@/api/types";
import { AnsiText } from "@/components/ui/ansi";
import { cn } from "@/lib/cn";
import { clockTime, count, utc } from "@/lib/format";
import { ScrollMap } from "@/lib/scroll-map";
import { S } from "@/strings";
import { LEVEL_BADGE, LEVEL_INK } from "./levels";
import { messageOf } from "./message";
import type { LogWindow } from "./window";

export const ROW = 22;
const OVERSCAN = 6;
/** Within so many pixels of the end the list follows new lines. */
const NEAR_END = 4;

export interface LogListHandle {
  toEnd: () => void;
  /** Brings a line into the middle of the view. */
  toIndex: (index: number) => void;
  focus: () => void;
}

interface LogListProps {
  ref: Ref<LogListHandle>;
  log: LogWindow;
  /** `LogWindow.version`, so that the list draws anew. */
  version: number;
  total: number;
  /** Number of the line that is opened. */
  selected: number | null;
  /** Step of the shared moment; its lines are marked. */
  step: number | null;
  search: string;
  following: boolean;
  onFollow: (following: boolean) => void;
  onSelect: (entry: LogEntry | null) => void;
}

export function LogList({
  ref,
  log,
  version,
  total,
  selected,
  step,
  search,
  following,
  onFollow,
  onSelect,
}: LogListProps) {
  const box = useRef<HTMLDivElement>(null);
  const [map] = useState(() => new ScrollMap());
  /** The line that was jumped to, kept in the middle until the reader scrolls. */
  const pinned = useRef<number | null>(null);
  const [view, setView] = useState({ offset: 0, top: 0, height: 0 });

  const draw = useCallback(() => {
    const { clientHeight: height = 0, scrollTop: top = 0 } = box.current ?? {};
    // Before anything is drawn: the answer is then on its way while the browser draws the empty rows.
    if (total > 0) log.show(...inSight(map.offset, height, total));
    setView((known) =>
      known.offset === map.offset && known.height === height && known.top === top
        ? known
        : { offset: map.offset, top, height },
    );
  }, [map, log, total]);

  const jump = useCallback(
    (offset: number) => {
      const element = box.current;
      if (!element) return;
      map.resize(total * ROW, element.clientHeight);
      const top = map.jump(offset);
      const content = element.firstElementChild as HTMLElement | null;
      // The box must have its new height before it can be scrolled there.
      if (content) content.style.height = `${map.height}px`;
      element.scrollTop = top;
      draw();
    },
    [draw, map, total],
  );

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    map.resize(total * ROW, element.clientHeight);
    if (following) jump(Infinity);
    else draw();
  }, [total, following, map, jump, draw]);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const observer = new ResizeObserver(() => {
      map.resize(total * ROW, element.clientHeight);
      if (following) jump(Infinity);
      else if (pinned.current !== null) jump(centred(pinned.current, element.clientHeight));
      else draw();
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [map, total, following, jump, draw]);

  useImperativeHandle(ref, () => ({
    toEnd: () => {
      pinned.current = null;
      jump(Infinity);
    },
    toIndex: (index) => {
      pinned.current = index;
      jump(centred(index, box.current?.clientHeight ?? 0));
    },
    focus: () => box.current?.focus(),
  }));

  const [first, last] = inSight(view.offset, view.height, total);
  // A line keeps its row while it is in sight; a jump gives the rows that are there new lines instead of new elements.
  const slots = Math.ceil(view.height / ROW) + 2 * OVERSCAN + 2;

  const onScroll = () => {
    const element = box.current;
    if (!element) return;
    const before = map.offset;
    if (Math.abs(element.scrollTop - map.top) > 1) pinned.current = null;
    const corrected = map.scrolled(element.scrollTop);
    if (corrected !== null) element.scrollTop = corrected;
    draw();
    const atEnd = map.offset >= map.end - NEAR_END;
    // Only the reader's own movement counts; a list that has just grown is at its end again in a moment.
    if (atEnd ? !following && map.offset > before : following && map.offset < before) onFollow(atEnd);
  };
  // New lines that come between the wheel's turn and the scrolling it causes would take the reader back to the end.
  const letGo = () => {
    const { scrollHeight = 0, clientHeight = 0 } = box.current ?? {};
    if (following && scrollHeight > clientHeight) onFollow(false);
  };
  const touchedAt = useRef(0);

  const select = (by: number) => {
    const at = indexOf(log, first, last, selected);
    const next = Math.min(
      total - 1,
      Math.max(0, at === null ? Math.floor((view.offset + view.height / 2) / ROW) : at + by),
    );
    const entry = log.line(next);
    if (!entry) return;
    onSelect(entry);
    if (next * ROW < view.offset || (next + 1) * ROW > view.offset + view.height)
      jump(next * ROW - view.height / 2);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const key = event.key;
    if (key === "ArrowDown" && selected !== null) select(1);
    else if (key === "ArrowUp" && selected !== null) select(-1);
    else if (key === "Enter") select(0);
    else if (key === "Escape" && selected !== null) onSelect(null);
    else if (key === "Home") jump(0);
    else if (key === "End") jump(Infinity);
    else {
      if (key === "ArrowUp" || key === "PageUp") letGo();
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    if (key === "Home") onFollow(false);
    if (key === "End") onFollow(true);
  };

  const rows = [];
  for (let index = first; index <= last; index += 1) rows.push({ index, entry: log.line(index) });
  return (
    // A table that scrolls takes the focus, so that the keyboard can scroll it and open its lines.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
    <div
      ref={box}
      role="table"
      aria-label={S.logs.label}
      aria-rowcount={total}
      data-version={version}
      data-arrows
      data-own-escape={selected === null ? undefined : true}
      // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- see above
      tabIndex={0}
      onScroll={onScroll}
      onWheel={(event) => event.deltaY < 0 && letGo()}
      onTouchStart={(event) => (touchedAt.current = event.touches[0]?.clientY ?? 0)}
      onTouchMove={(event) => (event.touches[0]?.clientY ?? 0) > touchedAt.current && letGo()}
      onPointerDown={(event) => event.nativeEvent.offsetX > event.currentTarget.clientWidth && letGo()}
      onKeyDown={onKeyDown}
      className="h-full overflow-x-hidden overflow-y-auto overscroll-contain bg-surface font-mono text-xs [overflow-anchor:none] focus-visible:-outline-offset-2"
    >
      <div role="rowgroup" className="relative" style={{ height: Math.min(total * ROW, map.height) }}>
        {rows.map(({ index, entry }) => (
          <Row
            key={index % slots}
            index={index}
            entry={entry}
            // The map's two places differ when the list is longer than a browser can show.
            top={index * ROW - view.offset + view.top}
            selected={entry?.seq === selected}
            atMoment={step !== null && (entry?.fields as { step?: number } | undefined)?.step === step}
            search={search}
            onSelect={onSelect}
          />
        ))}
      </div>
    </div>
  );
}

/** First and last line that are drawn. */
function inSight(offset: number, height: number, total: number): [number, number] {
  const first = Math.max(0, Math.floor(offset / ROW) - OVERSCAN);
  return [first, Math.min(total - 1, Math.ceil((offset + height) / ROW) + OVERSCAN)];
}

/** The offset that brings a line into the middle of a view. */
const centred = (index: number, height: number) => (index + 0.5) * ROW - height / 2;

function indexOf(log: LogWindow, first: number, last: number, seq: number | null): number | null {
  if (seq === null) return null;
  for (let index = first; index <= last; index += 1) if (log.line(index)?.seq === seq) return index;
  return null;
}

interface RowProps {
  index: number;
  entry: LogEntry | undefined;
  top: number;
  selected: boolean;
  atMoment: boolean;
  search: string;
  onSelect: (entry: LogEntry | null) => void;
}

/** The same elements with and without a line: a row whose line comes, or becomes another, only changes its words. */
function Row({ index, entry, top, selected, atMoment, search, onSelect }: RowProps) {
  return (
    // The keyboard opens lines through the table itself; a stop on each of a million rows would help nobody.
    // eslint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/interactive-supports-focus
    <div
      role="row"
      aria-rowindex={index + 1}
      aria-current={selected || undefined}
      data-seq={entry?.seq}
      onClick={() => entry && onSelect(selected ? null : entry)}
      className={cn(
        "absolute inset-x-0 top-0 flex cursor-pointer items-center gap-3 px-3 hover:bg-raised",
        atMoment && "bg-mark-soft hover:bg-mark-soft",
        selected && "bg-signal-soft hover:bg-signal-soft",
      )}
      style={{ transform: `translateY(${top}px)`, height: ROW }}
    >
      <Cells entry={entry} search={search} />
    </div>
  );
}

const Cells = memo(function Cells({ entry, search }: { entry: LogEntry | undefined; search: string }) {
  const date = entry && new Date(entry.timestamp);
  return (
    <>
      <span role="cell" className="w-14 shrink-0 text-right text-2xs text-ink-3 select-none max-sm:hidden">
        {entry?.seq}
      </span>
      <span role="cell" className="shrink-0">
        <time dateTime={entry?.timestamp} title={date && utc(date)} className="text-ink-3">
          {date && clockTime(date, true)}
        </time>
      </span>
      <span
        role="cell"
        className={cn(
          "w-12 shrink-0 rounded-xs px-1 text-center text-2xs font-medium",
          entry && LEVEL_BADGE[entry.level],
        )}
      >
        {entry?.level}
      </span>
      <span role="cell" className="w-36 shrink-0 truncate text-ink-3 max-lg:hidden">
        {entry?.event}
      </span>
      <span role="cell" className={cn("min-w-0 flex-1 truncate", entry && LEVEL_INK[entry.level])}>
        {entry ? <Message entry={entry} search={search} /> : <Waiting />}
      </span>
    </>
  );
});

function Waiting() {
  return (
    <span className="block h-2 w-1/3 rounded-full bg-raised">
      <span className="sr-only">{S.loading}</span>
    </span>
  );
}

function Message({ entry, search }: { entry: LogEntry; search: string }) {
  const text = messageOf(entry).slice(0, 2000);
  const at = search ? text.toLowerCase().indexOf(search.toLowerCase()) : -1;
  if (at < 0) return <AnsiText text={text} />;
  return (
    <>
      <AnsiText text={text.slice(0, at)} />
      <mark className="rounded-xs bg-warn-soft text-warn">{text.slice(at, at + search.length)}</mark>
      <AnsiText text={text.slice(at + search.length)} />
    </>
  );
}

export const lineCount = (total: number | null) => (total === null ? "" : S.logs.lines(count(total)));
