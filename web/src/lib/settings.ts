/** A training's settings in words. Pure. */
import { DASH, rate } from "./format";

export function settingName(name: string): string {
  return name.replaceAll("_", " ");
}

export function settingValue(name: string, value: unknown): string {
  if (value === null || value === undefined || value === "") return DASH;
  if (typeof value === "number") return name.includes("rate") ? rate(value) : String(value);
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "string") return value;
  if (Array.isArray(value) && value.every((each) => typeof each === "string"))
    return value.join(" · ") || DASH;
  return JSON.stringify(value);
}

/** `lora rank 32, batch size 1`. */
export function settingsInWords(settings: Readonly<Record<string, unknown>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${settingName(name)} ${settingValue(name, value)}`)
    .join(", ");
}
