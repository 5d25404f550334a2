/** Starting points for any trainer: its own defaults, scaled and kept within its own limits. Pure. */
import type { FieldSpec } from "./fields";
import { draftOf, type Draft } from "./values";

export const PRESETS = ["quick", "usual", "thorough"] as const;
export type Preset = (typeof PRESETS)[number];

/** Factors on the defaults; samples and checkpoints stay as many as they were. */
const FACTORS: Record<Preset, Record<string, number>> = {
  quick: { steps: 0.25, sample_every_n_steps: 0.25, checkpoint_every_n_steps: 0.25, lora_rank: 0.5 },
  usual: {},
  thorough: {
    steps: 2.5,
    sample_every_n_steps: 2.5,
    checkpoint_every_n_steps: 2.5,
    lora_rank: 2,
    learning_rate: 0.6,
  },
};

export function presetDraft(fields: readonly FieldSpec[], preset: Preset): Draft {
  const config: Record<string, unknown> = {};
  for (const field of fields) {
    const factor = FACTORS[preset][field.name];
    if (factor !== undefined && typeof field.fallback === "number")
      config[field.name] = scaled(field, field.fallback, factor);
  }
  return draftOf(fields, config);
}

function scaled(field: FieldSpec, value: number, factor: number): number {
  const wanted =
    field.kind === "integer" ? Math.round(value * factor) : Number((value * factor).toPrecision(2));
  const low = field.minimum ?? -Infinity;
  return Math.min(field.maximum ?? Infinity, wanted <= low ? value : wanted);
}
