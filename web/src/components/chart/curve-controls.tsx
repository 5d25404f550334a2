/** How the reader wants curves drawn: smoothed, on a log scale. Kept for every chart. */
import { prefer, usePreferences } from "@/app/preferences";
import { Checkbox } from "@/components/ui/field";
import { S } from "@/strings";

export function CurveControls() {
  const { smoothing, logScale } = usePreferences();
  return (
    <>
      <label className="flex items-center gap-2">
        {S.overview.smoothing}
        <input
          type="range"
          min={0}
          max={0.99}
          step={0.01}
          value={smoothing}
          onChange={(event) => prefer({ smoothing: event.target.valueAsNumber })}
          className="h-6 w-28 accent-[var(--signal)]"
        />
        <output className="w-8 font-mono text-2xs">{smoothing.toFixed(2)}</output>
      </label>
      <label className="flex min-h-6 items-center gap-2">
        <Checkbox checked={logScale} onChange={(event) => prefer({ logScale: event.target.checked })} />
        {S.overview.log}
      </label>
    </>
  );
}
