/** Sorts a job's metric keys into the charts of the system tab. Pure. */
import { bytes, DASH, figure, gib, percent } from "@/lib/format";
import { S } from "@/strings";

export interface Group {
  title: string;
  keys: string[];
  format: (value: number | null) => string;
  label: (key: string) => string;
  range?: [number, number];
}

interface Rule {
  title: string;
  matches: RegExp;
  format: (value: number | null) => string;
  range?: [number, number];
}

const unit = (name: string) => (value: number | null) =>
  value === null ? DASH : `${Math.round(value)} ${name}`;

const RULES: readonly Rule[] = [
  { title: S.system.gpuUse, matches: /^gpu.*util/, format: percent, range: [0, 100] },
  { title: S.system.gpuMemory, matches: /^gpu.*memory(?!_total)/, format: gib },
  { title: S.system.gpuHeat, matches: /^gpu.*temperature/, format: unit("°C") },
  { title: S.system.gpuPower, matches: /^gpu.*power/, format: unit("W") },
  { title: S.system.cpu, matches: /cpu.*(pct|percent|util)/, format: percent },
  { title: S.system.memory, matches: /(ram|memory|rss).*_mb$/, format: gib },
  { title: S.system.memory, matches: /(ram|memory|rss).*bytes$/, format: bytes },
  { title: S.system.disk, matches: /disk.*_mb$/, format: gib },
  { title: S.system.disk, matches: /disk.*bytes$/, format: bytes },
  { title: S.system.other, matches: /^(gpu|system|cpu|ram|disk|memory)[._]/, format: figure },
];

/** Figures that a chart has its own place for, or that do not change. */
const LEFT_OUT = /(_total_mb|clock_mhz)$/;

/** Each GPU under its number; the first one's figures come a second time without it, for whoever has only one. */
function chosen(keys: readonly string[]): string[] {
  const hasSecond = keys.some((key) => /^gpu\.[1-9]/.test(key));
  const again = hasSecond ? /^gpu\.[a-z]/ : /^gpu\.\d/;
  return keys.filter((key) => !again.test(key) && !LEFT_OUT.test(key));
}

function labelOf(key: string): string {
  const [, number = "", figure = key] = /^gpu\.(?:(\d+)\.)?(.*)$/.exec(key) ?? [];
  const name = S.system.names[figure.replace(/^system\./, "")] ?? figure.replaceAll(/[._]/g, " ");
  return number ? S.system.ofGpu(number, name) : name;
}

export function groupsOf(keys: readonly string[]): Group[] {
  const groups = new Map<Rule, Group>();
  for (const key of chosen(keys)) {
    const rule = RULES.find((each) => each.matches.test(key));
    if (!rule) continue;
    const group = groups.get(rule) ?? {
      title: rule.title,
      keys: [],
      format: rule.format,
      label: labelOf,
      ...(rule.range ? { range: rule.range } : {}),
    };
    group.keys.push(key);
    groups.set(rule, group);
  }
  return RULES.flatMap((rule) => groups.get(rule) ?? []);
}
