/** Samples as a table: a row for each prompt, a column for each step. Pure. */
import type { Artifact } from "@/api/types";

export interface Column {
  step: number;
  attempt: number;
  /** Whether another attempt has a column for the same step. */
  repeated: boolean;
}

export interface Matrix {
  columns: Column[];
  rows: { index: number; prompt: string | null; cells: (Artifact | null)[] }[];
}

/** A step that two attempts did gets two columns: neither overwrites the other. */
export function matrixOf(artifacts: readonly Artifact[]): Matrix {
  const samples = artifacts.filter((each) => each.type === "sample");
  const columns = new Map<string, Column>();
  const rows = new Map<number, { index: number; prompt: string | null; byColumn: Map<string, Artifact> }>();
  for (const sample of samples) {
    const step = sample.step ?? 0;
    const attempt = sample.attempt ?? 1;
    const key = `${step}:${attempt}`;
    columns.set(key, { step, attempt, repeated: false });
    const index = sample.index ?? 0;
    let row = rows.get(index);
    if (!row) rows.set(index, (row = { index, prompt: sample.prompt, byColumn: new Map() }));
    row.prompt ??= sample.prompt;
    row.byColumn.set(key, sample);
  }
  const sorted = [...columns.entries()].sort(([, a], [, b]) => a.step - b.step || a.attempt - b.attempt);
  const times = new Map<number, number>();
  for (const [, column] of sorted) times.set(column.step, (times.get(column.step) ?? 0) + 1);
  return {
    columns: sorted.map(([, column]) => ({ ...column, repeated: (times.get(column.step) ?? 0) > 1 })),
    rows: [...rows.values()]
      .sort((a, b) => a.index - b.index)
      .map(({ index, prompt, byColumn }) => ({
        index,
        prompt,
        cells: sorted.map(([key]) => byColumn.get(key) ?? null),
      })),
  };
}

/** The column to show for a moment: the newest attempt's last one that is not after `step`, else the first. */
export function columnAt(columns: readonly Column[], step: number | null): number {
  if (columns.length === 0) return -1;
  if (step === null) return columns.length - 1;
  const index = columns.findLastIndex((column) => column.step <= step);
  return Math.max(0, index);
}

/** The checkpoint that a sample stands for: of the same step, or the last before it. */
export function checkpointFor(artifacts: readonly Artifact[], step: number): Artifact | null {
  let best: Artifact | null = null;
  for (const each of artifacts) {
    if (each.type !== "checkpoint" || each.step === null || each.step > step) continue;
    if (
      !best ||
      each.step > (best.step ?? 0) ||
      (each.step === best.step && (each.attempt ?? 1) > (best.attempt ?? 1))
    )
      best = each;
  }
  return best;
}
