/** What an address may carry after `?`, checked: a wrong value is dropped, never an error. */
import { FILTERS, SORTS, type Direction, type Filter, type Sort } from "@/features/jobs/select";

export interface HomeSearch {
  q?: string | undefined;
  status?: Filter | undefined;
  sort?: Sort | undefined;
  dir?: Direction | undefined;
}

export const TABS = ["overview", "logs", "samples", "artifacts", "system", "trace"] as const;
export type Tab = (typeof TABS)[number];

export interface JobSearch extends HomeSearch {
  tab?: Tab | undefined;
  /** The moment that chart, logs, samples, checkpoints and GPU curve show. */
  step?: number | undefined;
  /** Number of a journal line: a permalink. */
  line?: number | undefined;
}

export interface CompareSearch {
  /** Ids by comma. */
  jobs?: string | undefined;
  x?: "step" | "time" | undefined;
  step?: number | undefined;
}

export interface NewSearch {
  character?: string | undefined;
  /** A job whose settings are taken over. */
  like?: string | undefined;
  /** What is changed in them, by setting. */
  with?: Record<string, Setting> | undefined;
}

export type Setting = string | number | boolean;

type Raw = Record<string, unknown>;

const text = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : typeof value === "number" ? String(value) : undefined;
const whole = (value: unknown): number | undefined => {
  const number = typeof value === "string" ? Number(value) : value;
  return typeof number === "number" && Number.isInteger(number) && number >= 0 ? number : undefined;
};
const oneOf = <T extends string>(value: unknown, choices: readonly T[]): T | undefined =>
  choices.find((choice) => choice === value);

/** What is one of a form's simple values, by name. */
function settings(value: unknown): Record<string, Setting> | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const known = Object.entries(value).filter((entry): entry is [string, Setting] =>
    ["string", "number", "boolean"].includes(typeof entry[1]),
  );
  return known.length > 0 ? Object.fromEntries(known) : undefined;
}

/** Without the keys that hold nothing, so that they do not show in the address. */
function set<T extends object>(values: T): T {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;
}

export const homeSearch = (raw: Raw): HomeSearch =>
  set({
    q: text(raw["q"]),
    status: oneOf(raw["status"], FILTERS),
    sort: oneOf(raw["sort"], SORTS),
    dir: oneOf(raw["dir"], ["asc", "desc"] as const),
  });

export const jobSearch = (raw: Raw): JobSearch =>
  set({
    ...homeSearch(raw),
    tab: oneOf(raw["tab"], TABS),
    step: whole(raw["step"]),
    line: whole(raw["line"]),
  });

export const compareSearch = (raw: Raw): CompareSearch =>
  set({ jobs: text(raw["jobs"]), x: oneOf(raw["x"], ["step", "time"] as const), step: whole(raw["step"]) });

export const newSearch = (raw: Raw): NewSearch =>
  set({ character: text(raw["character"]), like: text(raw["like"]), with: settings(raw["with"]) });
