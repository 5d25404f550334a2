/** Samples of the same prompt and step beside each other; one scrubber moves them all. */
import { useState } from "react";
import type { Artifact, Job } from "@/api/types";
import { useShortcuts } from "@/app/shortcuts";
import { Select } from "@/components/ui/field";
import { useJobName } from "@/features/jobs/names";
import { count, shortId } from "@/lib/format";
import { S } from "@/strings";
import { promptsOf, sampleAt, sampleSteps } from "./select";
import { Swatch } from "./swatch";
import { Picture } from "@/components/ui/picture";
import { thumbnail } from "@/lib/thumbnail";

/** CSS pixels across, at most. */
const DRAWN = 320;

interface SampleRowsProps {
  jobs: readonly Job[];
  artifacts: readonly (readonly Artifact[])[];
  step: number | null;
  onStep: (step: number) => void;
}

export function SampleRows({ jobs, artifacts, step, onStep }: SampleRowsProps) {
  const nameOf = useJobName();
  const prompts = promptsOf(artifacts);
  const [wanted, setWanted] = useState("");
  const prompt = prompts.includes(wanted) ? wanted : (prompts[0] ?? "");
  const steps = sampleSteps(artifacts, prompt);
  const last = steps.length - 1;
  const at =
    step === null
      ? last
      : Math.max(
          0,
          steps.findLastIndex((each) => each <= step),
        );
  const go = (index: number) => {
    const next = steps[Math.min(last, Math.max(0, index))];
    if (next !== undefined) onStep(next);
  };
  useShortcuts("compare", [
    { key: "arrowleft", label: S.compare.keys.previous, run: () => go(at - 1) },
    { key: "arrowright", label: S.compare.keys.next, run: () => go(at + 1) },
  ]);
  if (prompts.length === 0) return <p className="text-ink-3">{S.compare.noCommon}</p>;
  const shown = steps[at] ?? 0;
  return (
    <>
      <div className="mb-3 flex flex-wrap items-center gap-x-4 gap-y-2">
        <label className="flex min-w-0 items-center gap-2 text-xs text-ink-2">
          {S.compare.prompt}
          <Select
            value={prompt}
            className="max-w-[60vw] min-w-0 truncate md:max-w-96"
            onChange={(event) => setWanted(event.target.value)}
          >
            {prompts.map((each) => (
              <option key={each}>{each}</option>
            ))}
          </Select>
        </label>
        <input
          type="range"
          aria-label={S.compare.scrub}
          aria-valuetext={S.samples.step(count(shown))}
          min={0}
          max={Math.max(0, last)}
          value={Math.max(0, at)}
          onChange={(event) => go(event.target.valueAsNumber)}
          className="h-6 min-w-32 flex-1 accent-[var(--signal)]"
        />
        <span className="w-24 font-medium">{S.samples.step(count(shown))}</span>
      </div>
      <ul className="grid grid-cols-[repeat(auto-fit,minmax(min(100%,9rem),20rem))] justify-center gap-3">
        {jobs.map((job, index) => {
          const sample = sampleAt(artifacts[index] ?? [], prompt, shown);
          return (
            <li key={job.id} className="min-w-0">
              <div className="grid aspect-square place-items-center overflow-hidden rounded-md bg-sunken">
                {sample ? (
                  <Picture
                    {...thumbnail(sample.url, DRAWN)}
                    alt={`${nameOf(job)}: ${prompt}, ${S.samples.step(count(sample.step))}`}
                    className="size-full object-contain"
                  />
                ) : (
                  <span className="text-xs text-ink-3">{S.compare.noSample}</span>
                )}
              </div>
              <p className="mt-1 flex items-center gap-2 text-xs">
                <Swatch index={index} />
                <span className="truncate">
                  {nameOf(job)} <span className="font-mono text-2xs text-ink-3">{shortId(job.id)}</span>
                </span>
                {sample && sample.step !== shown && (
                  <span className="text-ink-3">{S.samples.step(count(sample.step))}</span>
                )}
              </p>
            </li>
          );
        })}
      </ul>
    </>
  );
}
