// @vitest-environment node
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const css = readFileSync(new URL("./styles.css", import.meta.url), "utf8");

function tokens(selector: string): Map<string, string> {
  const start = css.indexOf(`${selector} {`);
  const block = css.slice(start, css.indexOf("}", start));
  return new Map(Array.from(block.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g), (m) => [m[1] ?? "", m[2] ?? ""]));
}

function luminance(hex: string): number {
  const channel = (at: number) => {
    const value = parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
}

function contrast(a: string, b: string): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

const grounds = ["canvas", "surface", "raised", "sunken", "well"];
const inks = ["ink", "ink-2", "ink-3", "signal", "ok", "warn", "bad", "info", "mark"];
const pairs = [
  ...inks.flatMap((ink) => grounds.map((ground) => [ink, ground] as const)),
  ...["signal", "ok", "warn", "bad", "info", "mark"].map((tone) => [tone, `${tone}-soft`] as const),
  ["on-signal", "signal"] as const,
  ["ink", "signal-soft"] as const,
  ["ink-2", "signal-soft"] as const,
];

describe.each([
  ["light", ":root"],
  ["dark", '[data-theme="dark"]'],
])("the %s theme", (_name, selector) => {
  const theme = tokens(selector);
  it.each(pairs)("sets %s on %s at 4.5:1 or better", (ink, ground) => {
    expect(contrast(theme.get(ink) ?? "", theme.get(ground) ?? "")).toBeGreaterThanOrEqual(4.5);
  });
  it.each(grounds)("draws control edges on %s at 3:1 or better", (ground) => {
    expect(contrast(theme.get("edge") ?? "", theme.get(ground) ?? "")).toBeGreaterThanOrEqual(3);
  });
});
