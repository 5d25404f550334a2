/** What the training will need of a GPU's memory, beside what there is, and what would make it fit. */
import { CircleCheck, TriangleAlert } from "lucide-react";
import type { MemoryNeed } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Panel } from "@/components/ui/panel";
import { settingName, settingValue } from "@/lib/settings";
import { bytes } from "@/lib/format";
import { cn } from "@/lib/cn";
import { S } from "@/strings";
import { memoryShares, PARTS, type MemoryPart } from "./memory-shares";

const INKS: Record<MemoryPart, string> = {
  weights: "bg-signal",
  lora: "bg-mark",
  activations: "bg-info",
  rest: "bg-ink-3",
};

export function MemoryPanel({
  need,
  onTake,
}: {
  need: MemoryNeed;
  onTake: (settings: Record<string, unknown>) => void;
}) {
  const { capacity_bytes: capacity, total_bytes: total } = need;
  const { filled, mark } = memoryShares(need);
  return (
    <Panel title={S.create.memory.title}>
      <div role="status" data-memory={total} data-fits={need.fits ?? "unknown"}>
        <p className="flex flex-wrap items-baseline gap-x-2">
          <span className="text-xl font-semibold">{S.create.memory.about(bytes(total))}</span>
          {capacity !== null && <span className="text-ink-2">{S.create.memory.of(bytes(capacity))}</span>}
        </p>
        <Verdict need={need} />
      </div>
      <div
        role="img"
        aria-label={S.create.memory.label}
        className="relative my-3 flex h-3 overflow-hidden rounded-full bg-sunken ring-1 ring-line ring-inset"
      >
        {PARTS.map((part) => (
          <span key={part} className={INKS[part]} style={{ width: `${100 * filled[part]}%` }} />
        ))}
        {mark !== null && (
          <span className="absolute inset-y-0 w-0.5 bg-bad" style={{ left: `${100 * mark}%` }} />
        )}
      </div>
      <ul className="flex flex-wrap gap-x-4 gap-y-1 text-xs text-ink-2">
        {PARTS.map((part) => (
          <li key={part} className="flex items-center gap-1.5">
            <i className={cn("size-2 rounded-xs", INKS[part])} aria-hidden />
            {S.create.memory.parts[part]} {bytes(need[`${part}_bytes`])}
          </li>
        ))}
      </ul>
      <Remedy settings={need.settings} onTake={onTake} />
      <p className="mt-2 text-xs text-ink-3">{S.create.memory.rough}</p>
    </Panel>
  );
}

function Verdict({ need }: { need: MemoryNeed }) {
  if (need.fits === null) return <p className="text-ink-3">{S.create.memory.noGpu}</p>;
  const Icon = need.fits ? CircleCheck : TriangleAlert;
  const text = need.fits
    ? S.create.memory.fits
    : need.settings
      ? S.create.memory.tooMuch
      : S.create.memory.hopeless;
  return (
    <p className={cn("flex items-center gap-1.5", need.fits ? "text-ok" : "text-warn")}>
      <Icon className="size-4 shrink-0" aria-hidden /> {text}
    </p>
  );
}

function Remedy({
  settings,
  onTake,
}: {
  settings: Record<string, unknown> | null;
  onTake: (settings: Record<string, unknown>) => void;
}) {
  const changes = Object.entries(settings ?? {});
  if (settings === null || changes.length === 0) return null;
  return (
    <div className="mt-3 flex flex-wrap items-center gap-x-3 gap-y-2" data-remedy>
      <span className="text-ink-2">{S.create.memory.wouldFit}</span>
      {changes.map(([name, value]) => (
        <code key={name} className="rounded-sm bg-sunken px-1.5 py-0.5 font-mono text-xs">
          {settingName(name)}: {settingValue(name, value)}
        </code>
      ))}
      <Button onClick={() => onTake(settings)}>{S.create.memory.take}</Button>
    </div>
  );
}
