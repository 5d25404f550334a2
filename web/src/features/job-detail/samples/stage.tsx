/** The training as a film: one step of every prompt, a scrubber, and two steps side by side with a wipe. */
import { Pause, Play, SplitSquareHorizontal } from "lucide-react";
import { useEffect, useState } from "react";
import type { Artifact } from "@/api/types";
import { Button } from "@/components/ui/button";
import { cn } from "@/lib/cn";
import { S } from "@/strings";
import { KeepButton } from "./keep-button";
import type { Matrix } from "./matrix";
import { usePlayer } from "./player";
import { stepName, StepSelect } from "./step";
import { Wipe } from "./wipe";
import { Picture } from "@/components/ui/picture";
import { preload, thumbnail } from "@/lib/thumbnail";

/** So many prompts are read ahead: enough for what is in sight. */
const AHEAD = 12;

/** How wide a picture is at most, in CSS pixels and as columns: a few stand large, many beside each other. */
function widthFor(prompts: number): { drawn: number; columns: string } {
  if (prompts <= 4)
    return { drawn: 288, columns: "grid-cols-[repeat(auto-fit,minmax(min(100%,11rem),18rem))]" };
  if (prompts <= 6)
    return { drawn: 208, columns: "grid-cols-[repeat(auto-fit,minmax(min(100%,9rem),13rem))]" };
  return { drawn: 160, columns: "grid-cols-[repeat(auto-fit,minmax(min(100%,8rem),10rem))]" };
}

interface StageProps {
  jobId: string;
  matrix: Matrix;
  artifacts: readonly Artifact[];
  column: number;
  onColumn: (column: number) => void;
  onOpen: (row: number, column: number) => void;
}

export function Stage({ jobId, matrix, artifacts, column, onColumn, onOpen }: StageProps) {
  const [other, setOther] = useState<number | null>(null);
  const last = matrix.columns.length - 1;
  const player = usePlayer(column, last, onColumn);
  const shown = matrix.columns[column];
  const { drawn, columns } = widthFor(matrix.rows.length);
  const [share, setShare] = useState(50);
  usePreload(matrix, column, drawn);
  return (
    <section className="panel p-3">
      <div className="mb-3 flex flex-wrap items-center gap-x-3 gap-y-2">
        <Button onClick={player.toggle} aria-pressed={player.playing} disabled={last < 1}>
          {player.playing ? <Pause aria-hidden /> : <Play aria-hidden />}
          <span className="max-sm:sr-only">{player.playing ? S.samples.pause : S.samples.play}</span>
        </Button>
        <input
          type="range"
          aria-label={S.samples.scrub}
          aria-valuetext={stepName(shown)}
          min={0}
          max={Math.max(0, last)}
          value={Math.max(0, column)}
          onChange={(event) => {
            player.stop();
            onColumn(event.target.valueAsNumber);
          }}
          className="h-6 min-w-32 flex-1 accent-[var(--signal)]"
        />
        <span className="text-sm font-medium sm:w-32" data-shown-step={shown?.step}>
          {stepName(shown)}
        </span>
        <Button
          aria-pressed={other !== null}
          disabled={last < 1}
          onClick={() => setOther(other === null ? 0 : null)}
          className={cn(other !== null && "border-signal text-signal")}
        >
          <SplitSquareHorizontal aria-hidden /> {S.samples.compare}
        </Button>
        {other !== null && <StepSelect columns={matrix.columns} value={other} onChange={setOther} />}
        {shown && <KeepButton jobId={jobId} artifacts={artifacts} step={shown.step} />}
      </div>
      <ul className={cn("grid justify-center gap-3", columns)}>
        {matrix.rows.map((row, index) => {
          const sample = row.cells[column] ?? null;
          const left = other === null ? null : (row.cells[other] ?? null);
          return (
            <li key={row.index} className="min-w-0">
              {sample && left ? (
                <Wipe
                  left={left}
                  right={sample}
                  leftName={stepName(matrix.columns[other ?? 0])}
                  rightName={stepName(shown)}
                  share={share}
                  onShare={setShare}
                  drawn={drawn}
                />
              ) : (
                <button
                  type="button"
                  disabled={!sample}
                  aria-label={S.samples.open(row.prompt ?? S.samples.noPrompt, stepName(shown))}
                  onClick={() => onOpen(index, column)}
                  className="block aspect-square w-full overflow-hidden rounded-md bg-sunken"
                >
                  {sample && (
                    <Picture
                      {...thumbnail(sample.url, drawn)}
                      alt={row.prompt ?? sample.name}
                      className="size-full object-contain"
                    />
                  )}
                </button>
              )}
              <p className="mt-1 truncate text-xs text-ink-2" title={row.prompt ?? undefined}>
                {row.prompt ?? S.samples.noPrompt}
              </p>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

/** Reads the next steps' images before they are wanted, so that playing does not flicker. */
function usePreload(matrix: Matrix, column: number, drawn: number): void {
  useEffect(() => {
    for (const row of matrix.rows.slice(0, AHEAD))
      for (const next of [column + 1, column + 2, column - 1]) {
        const url = row.cells[next]?.url;
        if (url) preload(url, drawn);
      }
  }, [matrix, column, drawn]);
}
