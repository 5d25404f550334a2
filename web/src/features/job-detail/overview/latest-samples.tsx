/** The newest samples of every prompt, or those of the chosen moment. */
import { useMemo } from "react";
import type { Artifact } from "@/api/types";
import { count } from "@/lib/format";
import { S } from "@/strings";
import { useMoment } from "../moment";
import { Section } from "@/components/ui/panel";
import { Picture } from "@/components/ui/picture";
import { thumbnail } from "@/lib/thumbnail";

const MOST = 8;
/** CSS pixels across, at most: the columns share what is left over. */
const DRAWN = 200;

export function LatestSamples({ artifacts }: { artifacts: readonly Artifact[] }) {
  const { step, goTo } = useMoment();
  const latest = useMemo(() => samplesAt(artifacts, step), [artifacts, step]);
  if (latest.length === 0) return null;
  return (
    <Section
      title={S.overview.latest}
      aside={
        <button
          type="button"
          className="touch-target text-xs text-signal hover:underline"
          onClick={() => goTo("samples")}
        >
          {S.overview.allSamples}
        </button>
      }
    >
      <ul className="grid grid-cols-[repeat(auto-fill,minmax(8rem,1fr))] gap-2.5">
        {latest.slice(0, MOST).map((sample) => (
          <li key={sample.index ?? sample.name}>
            <button
              type="button"
              className="block w-full text-left"
              onClick={() => goTo("samples", sample.step === null ? {} : { step: sample.step })}
            >
              <Picture
                {...thumbnail(sample.url, DRAWN)}
                alt={sample.prompt ?? sample.name}
                decoding="async"
                className="aspect-square w-full rounded-md bg-sunken object-cover"
              />
              <span className="mt-1 block truncate text-xs">{sample.prompt ?? S.samples.noPrompt}</span>
              <span className="block text-2xs text-ink-3">{S.samples.step(count(sample.step))}</span>
            </button>
          </li>
        ))}
      </ul>
    </Section>
  );
}

/** Each prompt's newest sample, not newer than `step` where one is chosen. */
export function samplesAt(artifacts: readonly Artifact[], step: number | null): Artifact[] {
  const byPrompt = new Map<number, Artifact>();
  for (const each of artifacts) {
    if (each.type !== "sample" || (step !== null && (each.step ?? 0) > step)) continue;
    const known = byPrompt.get(each.index ?? 0);
    if (!known || isNewer(each, known)) byPrompt.set(each.index ?? 0, each);
  }
  return [...byPrompt.entries()].sort(([a], [b]) => a - b).map(([, sample]) => sample);
}

function isNewer(a: Artifact, b: Artifact): boolean {
  return (
    (a.step ?? 0) > (b.step ?? 0) || ((a.step ?? 0) === (b.step ?? 0) && (a.attempt ?? 1) >= (b.attempt ?? 1))
  );
}
