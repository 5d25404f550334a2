/** One sample in full size. Up and down change the step, left and right the prompt; on a phone a swipe does. */
import * as Radix from "@radix-ui/react-dialog";
import {
  ChevronDown,
  ChevronLeft,
  ChevronRight,
  ChevronUp,
  Clock3,
  Download,
  SplitSquareHorizontal,
  X,
} from "lucide-react";
import { useRef, useState, type PointerEvent, type ReactNode } from "react";
import type { Artifact } from "@/api/types";
import { useShortcuts } from "@/app/shortcuts";
import { IconButton } from "@/components/ui/button";
import { cn } from "@/lib/cn";
import { S } from "@/strings";
import { KeepButton } from "./keep-button";
import type { Matrix } from "./matrix";
import { usePlayer } from "./player";
import { stepName, StepSelect } from "./step";
import { Picture } from "@/components/ui/picture";
import { thumbnail } from "@/lib/thumbnail";
import { Wipe } from "./wipe";

const SWIPE = 45;
const intoSight = (item: HTMLElement | null) => item?.scrollIntoView({ block: "nearest", inline: "center" });

interface ViewerProps {
  jobId: string;
  matrix: Matrix;
  artifacts: readonly Artifact[];
  row: number;
  column: number;
  onMove: (row: number, column: number) => void;
  onClose: () => void;
}

export function Viewer({ jobId, matrix, artifacts, row, column, onMove, onClose }: ViewerProps) {
  const { rows, columns } = matrix;
  const sample = rows[row]?.cells[column] ?? null;
  const prompt = rows[row]?.prompt ?? S.samples.noPrompt;
  const move = (down: number, across: number) => {
    const toRow = Math.min(rows.length - 1, Math.max(0, row + across));
    const toColumn = Math.min(columns.length - 1, Math.max(0, column + down));
    if (toRow !== row || toColumn !== column) onMove(toRow, toColumn);
  };
  /** The step that this one is laid over, while two are compared. */
  const [under, setUnder] = useState<number | null>(null);
  const [share, setShare] = useState(50);
  const compared = under === null ? null : (rows[row]?.cells[under] ?? null);
  const toggleCompare = () => setUnder(under === null ? 0 : null);
  const player = usePlayer(column, columns.length - 1, (next) => onMove(row, next));
  useShortcuts("viewer", [
    { key: "arrowup", label: S.samples.previousStep, run: () => move(-1, 0) },
    { key: "arrowdown", label: S.samples.nextStep, run: () => move(1, 0) },
    { key: "arrowleft", label: S.samples.previousPrompt, run: () => move(0, -1) },
    { key: "arrowright", label: S.samples.nextPrompt, run: () => move(0, 1) },
    { key: " ", label: S.samples.play, run: player.toggle },
    { key: "w", label: S.samples.compare, run: toggleCompare },
  ]);
  const swipe = useSwipe(move);

  return (
    <Radix.Root open onOpenChange={(open) => !open && onClose()}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-50 bg-shade" />
        <Radix.Content
          aria-describedby={undefined}
          data-shortcuts="viewer"
          onOpenAutoFocus={(event) => {
            event.preventDefault();
            (event.currentTarget as HTMLElement | null)?.focus();
          }}
          className="fixed inset-0 z-50 flex flex-col bg-canvas focus:outline-none md:inset-4 md:rounded-lg md:border md:shadow-lift"
        >
          <div className="flex shrink-0 items-center gap-3 px-4 py-2">
            <Radix.Title className="flex min-w-0 flex-1 gap-1 text-sm font-medium" title={prompt}>
              <bdi className="truncate">{prompt}</bdi>
              <span className="shrink-0 text-ink-3"> · {stepName(columns[column])}</span>
            </Radix.Title>
            {sample?.seed != null && (
              <span className="text-xs text-ink-3 max-md:hidden">
                {S.samples.seed} {sample.seed}
              </span>
            )}
            {under !== null && (
              <StepSelect columns={columns} value={under} onChange={setUnder} className="max-md:hidden" />
            )}
            <IconButton
              label={S.samples.compare}
              aria-pressed={under !== null}
              disabled={columns.length < 2}
              onClick={toggleCompare}
              className={cn(under !== null && "border-signal text-signal")}
            >
              <SplitSquareHorizontal />
            </IconButton>
            <span className="max-md:hidden">
              <KeepButton jobId={jobId} artifacts={artifacts} step={columns[column]?.step ?? 0} />
            </span>
            {sample && (
              <IconButton asChild label={S.samples.download}>
                <a href={sample.url} download={sample.name}>
                  <Download aria-hidden />
                </a>
              </IconButton>
            )}
            <IconButton label={S.samples.closeViewer} onClick={onClose}>
              <X />
            </IconButton>
          </div>
          <div className="relative min-h-0 flex-1 touch-none px-2 md:px-14" {...(compared ? {} : swipe)}>
            {sample && compared ? (
              <Wipe
                left={compared}
                right={sample}
                leftName={stepName(columns[under ?? 0])}
                rightName={stepName(columns[column])}
                share={share}
                onShare={setShare}
                className="mx-auto h-full w-auto max-w-full"
              />
            ) : sample ? (
              <Picture
                src={sample.url}
                alt={`${prompt}, ${stepName(columns[column])}`}
                draggable={false}
                className="size-full object-contain [image-rendering:auto]"
                data-viewed={sample.name}
              />
            ) : (
              <div className="grid size-full place-items-center text-ink-3">–</div>
            )}
            <Arrow
              label={S.samples.previousPrompt}
              onClick={() => move(0, -1)}
              disabled={row === 0}
              className="top-1/2 left-2"
            >
              <ChevronLeft />
            </Arrow>
            <Arrow
              label={S.samples.nextPrompt}
              onClick={() => move(0, 1)}
              disabled={row === rows.length - 1}
              className="top-1/2 right-2"
            >
              <ChevronRight />
            </Arrow>
          </div>
          <div className="flex shrink-0 items-center gap-2 px-2 py-2 md:px-4">
            <IconButton label={S.samples.previousStep} onClick={() => move(-1, 0)} disabled={column === 0}>
              <ChevronUp />
            </IconButton>
            <ul className="mx-auto flex min-w-0 gap-1.5 overflow-x-auto p-1" aria-label={S.samples.scrub}>
              {rows[row]?.cells.map((cell, index) => (
                <li
                  key={`${columns[index]?.step}:${columns[index]?.attempt}`}
                  ref={index === column ? intoSight : undefined}
                  className="shrink-0"
                >
                  <button
                    type="button"
                    aria-label={stepName(columns[index])}
                    aria-current={index === column}
                    onClick={() => onMove(row, index)}
                    className={cn(
                      "block size-12 overflow-hidden rounded-sm bg-sunken opacity-60",
                      index === column && "opacity-100 ring-2 ring-signal",
                    )}
                  >
                    {cell && (
                      <Picture
                        {...thumbnail(cell.url, 48)}
                        alt=""
                        loading="lazy"
                        className="size-full object-cover"
                      />
                    )}
                  </button>
                </li>
              ))}
            </ul>
            <IconButton
              label={S.samples.nextStep}
              onClick={() => move(1, 0)}
              disabled={column === columns.length - 1}
            >
              <ChevronDown />
            </IconButton>
          </div>
          <p className="shrink-0 pb-2 text-center text-2xs text-ink-3 max-md:hidden">
            <Clock3 className="mr-1 inline size-3" aria-hidden />
            {S.samples.hint}
          </p>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

function Arrow({
  label,
  onClick,
  disabled,
  className,
  children,
}: {
  label: string;
  onClick: () => void;
  disabled: boolean;
  className: string;
  children: ReactNode;
}) {
  return (
    <IconButton
      label={label}
      onClick={onClick}
      disabled={disabled}
      className={cn("absolute size-10 -translate-y-1/2 bg-surface", className)}
    >
      {children}
    </IconButton>
  );
}

/** Swiping up or left goes on, down or right goes back, as pages do. */
function useSwipe(move: (down: number, across: number) => void) {
  const start = useRef<{ x: number; y: number } | null>(null);
  return {
    onPointerDown: (event: PointerEvent) => {
      start.current = { x: event.clientX, y: event.clientY };
    },
    onPointerUp: (event: PointerEvent) => {
      if (!start.current) return;
      const x = event.clientX - start.current.x;
      const y = event.clientY - start.current.y;
      start.current = null;
      if (Math.max(Math.abs(x), Math.abs(y)) < SWIPE) return;
      if (Math.abs(x) > Math.abs(y)) move(0, x < 0 ? 1 : -1);
      else move(y < 0 ? 1 : -1, 0);
    },
  };
}
