import { useQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState } from "react";
import { artifactsQuery } from "@/api/queries";
import type { Artifact } from "@/api/types";
import { useShortcuts } from "@/app/shortcuts";
import { Select } from "@/components/ui/field";
import { Empty, Failed, Loading } from "@/components/ui/states";
import { cn } from "@/lib/cn";
import { S } from "@/strings";
import { useMoment } from "../moment";
import { columnAt, matrixOf, type Column, type Matrix } from "./matrix";
import { Stage } from "./stage";
import { stepName } from "./step";
import { Viewer } from "./viewer";
import { Picture } from "@/components/ui/picture";
import { thumbnail } from "@/lib/thumbnail";

const SIZES = { S: 96, M: 144, L: 208 } as const;
type Size = keyof typeof SIZES;
const GAP = 6;

export function SamplesTab({ job: jobId, ended }: { job: string; ended: boolean }) {
  const { data, error, refetch } = useQuery(artifactsQuery(jobId));
  const { step, setStep } = useMoment();
  const [size, setSize] = useState<Size>("M");
  const [viewed, setViewed] = useState<{ row: number; column: number } | null>(null);
  const matrix = useMemo(() => matrixOf(data ?? []), [data]);
  const column = columnAt(matrix.columns, step);
  const go = (next: number) => {
    const to = matrix.columns[Math.min(matrix.columns.length - 1, Math.max(0, next))];
    if (to) setStep(to.step);
  };
  useShortcuts("samples", [
    { key: "arrowleft", label: S.samples.previousStep, run: () => go(column - 1) },
    { key: "arrowright", label: S.samples.nextStep, run: () => go(column + 1) },
  ]);
  if (error && !data) return <Failed error={error} onRetry={() => void refetch()} />;
  if (!data) return <Loading />;
  if (matrix.rows.length === 0)
    return (
      <Empty title={ended ? S.samples.noneAtAll : S.samples.none}>
        <p>{ended ? S.samples.noneEnded : S.samples.noneText}</p>
      </Empty>
    );
  return (
    <div className="flex flex-col gap-3 p-3 md:p-4">
      <Stage
        jobId={jobId}
        matrix={matrix}
        artifacts={data}
        column={column}
        onColumn={go}
        onOpen={(row, at) => setViewed({ row, column: at })}
      />
      <section className="panel min-w-0 p-3">
        <div className="mb-2 flex items-center justify-between gap-3">
          <h3 className="label-caps">{S.samples.label}</h3>
          <label className="flex items-center gap-2 text-xs text-ink-2">
            {S.samples.size}
            <Select value={size} onChange={(event) => setSize(event.target.value as Size)}>
              {Object.keys(SIZES).map((each) => (
                <option key={each}>{each}</option>
              ))}
            </Select>
          </label>
        </div>
        <Grid
          matrix={matrix}
          size={SIZES[size]}
          column={column}
          following={step === null}
          onOpen={(row, at) => {
            go(at);
            setViewed({ row, column: at });
          }}
        />
      </section>
      {viewed && (
        <Viewer
          jobId={jobId}
          matrix={matrix}
          artifacts={data}
          row={viewed.row}
          column={viewed.column}
          onMove={(row, at) => {
            setViewed({ row, column: at });
            go(at);
          }}
          onClose={() => setViewed(null)}
        />
      )}
    </div>
  );
}

interface GridProps {
  matrix: Matrix;
  size: number;
  column: number;
  /** Whether the newest column is kept in sight. */
  following: boolean;
  onOpen: (row: number, column: number) => void;
}

/** Prompts down, steps across; only the columns in sight are in the document. */
function Grid({ matrix, size, column, following, onOpen }: GridProps) {
  const box = useRef<HTMLDivElement>(null);
  const { columns, rows } = matrix;
  // eslint-disable-next-line react-hooks/incompatible-library -- the virtualizer's functions change with its state by design
  const across = useVirtualizer({
    horizontal: true,
    count: columns.length,
    getScrollElement: () => box.current,
    estimateSize: () => size + GAP,
    overscan: 4,
  });
  useEffect(() => across.measure(), [across, size]);
  useEffect(() => {
    if (column >= 0) across.scrollToIndex(column, { align: following ? "end" : "auto" });
  }, [across, column, following, columns.length]);
  const items = across.getVirtualItems();
  const width = { width: across.getTotalSize() };
  return (
    <div className="flex">
      <div className="w-24 shrink-0 pr-3 md:w-44">
        <div className="label-caps h-9 pt-1">{S.samples.prompt}</div>
        {rows.map((row) => (
          <div
            key={row.index}
            className="flex items-center text-xs text-ink-2"
            style={{ height: size + GAP }}
          >
            <span className="line-clamp-5" title={row.prompt ?? undefined}>
              {row.prompt ?? S.samples.noPrompt}
            </span>
          </div>
        ))}
      </div>
      <div ref={box} className="min-w-0 flex-1 overflow-x-auto" tabIndex={-1}>
        <div className="relative h-9" style={width}>
          {items.map((item) => (
            <ColumnHead
              key={item.key}
              column={columns[item.index]}
              at={item.start}
              size={size}
              chosen={item.index === column}
            />
          ))}
        </div>
        {rows.map((row, rowIndex) => (
          <div key={row.index} className="relative" style={{ ...width, height: size + GAP }}>
            {items.map((item) => (
              <Cell
                key={item.key}
                sample={row.cells[item.index] ?? null}
                name={stepName(columns[item.index])}
                at={item.start}
                size={size}
                chosen={item.index === column}
                onOpen={() => onOpen(rowIndex, item.index)}
              />
            ))}
          </div>
        ))}
      </div>
    </div>
  );
}

function ColumnHead({
  column,
  at,
  size,
  chosen,
}: {
  column: Column | undefined;
  at: number;
  size: number;
  chosen: boolean;
}) {
  return (
    <div
      className={cn(
        "absolute top-0 truncate pt-1 text-center text-xs text-ink-3",
        chosen && "font-medium text-signal",
      )}
      style={{ transform: `translateX(${at}px)`, width: size }}
    >
      {stepName(column)}
    </div>
  );
}

function Cell({
  sample,
  name,
  at,
  size,
  chosen,
  onOpen,
}: {
  sample: Artifact | null;
  name: string;
  at: number;
  size: number;
  chosen: boolean;
  onOpen: () => void;
}) {
  const style = { transform: `translateX(${at}px)`, width: size, height: size };
  if (!sample) return <div className="absolute top-0 left-0 rounded-md border border-dashed" style={style} />;
  return (
    <button
      type="button"
      aria-label={S.samples.open(sample.prompt ?? S.samples.noPrompt, name)}
      onClick={onOpen}
      className={cn(
        "absolute top-0 left-0 overflow-hidden rounded-md bg-sunken focus-visible:outline-offset-1",
        chosen && "ring-2 ring-signal",
      )}
      style={style}
    >
      <Picture
        {...thumbnail(sample.url, size)}
        alt=""
        loading="lazy"
        decoding="async"
        className="size-full object-cover animate-fade"
      />
    </button>
  );
}
