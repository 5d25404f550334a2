/** What a line says on one row. Pure. */
import type { LogEntry } from "@/api/types";
import { count, figure, percent, rate, speed } from "@/lib/format";

type Fields = Record<string, unknown>;

const number = (fields: Fields, name: string): number | null => {
  const value = fields[name];
  return typeof value === "number" ? value : null;
};

/** The message; without one, the figures that the line carries. */
export function messageOf(entry: LogEntry): string {
  if (entry.message) return entry.message;
  if (entry.event === "training.step") return stepMessage(entry.fields);
  if (entry.event === "gpu.metrics") return gpuMessage(entry.fields);
  const plain = Object.entries(entry.fields).filter(
    ([, value]) => value !== null && typeof value !== "object",
  );
  return plain.map(([name, value]) => `${name}=${String(value)}`).join(" ") || entry.event;
}

function stepMessage(fields: Fields): string {
  const parts = [`step ${count(number(fields, "step"))}/${count(number(fields, "steps_total"))}`];
  const loss = number(fields, "loss");
  const lr = number(fields, "lr");
  const pace = number(fields, "it_per_s");
  if (loss !== null) parts.push(`loss ${figure(loss)}`);
  else if ("loss" in fields) parts.push(`loss ${String(fields["loss"])}`);
  if (lr !== null) parts.push(`lr ${rate(lr)}`);
  if (pace !== null) parts.push(speed(pace));
  const { metrics } = fields;
  if (typeof metrics === "object" && metrics !== null)
    for (const [name, value] of Object.entries(metrics))
      if (typeof value === "number") parts.push(`${name} ${figure(value)}`);
  return parts.join("  ");
}

function gpuMessage(fields: Fields): string {
  const gpu = fields["gpu"];
  if (typeof gpu !== "object" || gpu === null) return "gpu.metrics";
  const reading = gpu as Fields;
  const used = number(reading, "memory_used_mb");
  const parts = [
    typeof reading["name"] === "string" ? reading["name"] : `GPU ${number(reading, "index") ?? 0}`,
  ];
  parts.push(percent(number(reading, "utilization_pct")));
  if (used !== null) parts.push(`${count(used)} MB`);
  return parts.join("  ");
}
