/** How figures, durations, sizes and times are written. Pure; never reads the clock by itself. */

export const DASH = "–";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export function count(value: number | null | undefined): string {
  return value == null ? DASH : whole.format(value);
}

/** A loss or another figure of unknown scale, in a steady width: four significant digits. */
export function figure(value: number | null | undefined): string {
  if (value == null) return DASH;
  if (!Number.isFinite(value)) return String(value);
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 10_000 || size < 0.0001) return value.toExponential(2);
  return value.toPrecision(4);
}

/** Labels of one axis with as many decimals as the axis needs, the same for all: `0.05`, `0.10`, not `0.05000`, `0.1000`. */
export function evenDecimals(labels: readonly string[]): string[] {
  const parts = labels.map((label) => /^(-?[\d,]+)(?:\.(\d+))?((?: .*)?)$/.exec(label));
  if (parts.some((part, index) => !part && labels[index] !== "")) return [...labels];
  const needed = Math.max(0, ...parts.map((part) => part?.[2]?.replace(/0+$/, "").length ?? 0));
  return parts.map((part) => {
    if (!part) return "";
    const [, whole = "", decimals = "", unit = ""] = part;
    return needed > 0
      ? `${whole}.${decimals.padEnd(needed, "0").slice(0, needed)}${unit}`
      : `${whole}${unit}`;
  });
}

/** A learning rate: `1e-4` rather than `0.0001000`. */
export function rate(value: number | null | undefined): string {
  if (value == null) return DASH;
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size < 0.001 ? value.toExponential(2).replace(/\.?0+e/, "e") : String(Number(value.toPrecision(3)));
}

/** Steps a second, or seconds a step when it is slow. */
export function speed(perSecond: number | null | undefined): string {
  if (perSecond == null || perSecond <= 0) return DASH;
  return perSecond >= 1
    ? `${perSecond.toFixed(perSecond >= 10 ? 0 : 2)} it/s`
    : `${(1 / perSecond).toFixed(2)} s/it`;
}

export function percent(value: number | null | undefined, digits = 0): string {
  return value == null ? DASH : `${value.toFixed(digits)} %`;
}

/** `48 s`, `3 m 05 s`, `2 h 07 m`, `3 d 4 h`. */
export function duration(seconds: number | null | undefined): string {
  if (seconds == null || !Number.isFinite(seconds)) return DASH;
  const total = Math.max(0, Math.round(seconds));
  if (total < 60) return `${total} s`;
  const minutes = Math.floor(total / 60);
  if (minutes < 60) return `${minutes} m ${pad(total % 60)} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${pad(minutes % 60)} m`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** The one coarse unit that matters: `now`, `5 m`, `3 h`, `2 d`. */
export function age(from: Date, now: Date): string {
  const seconds = Math.max(0, (now.getTime() - from.getTime()) / 1000);
  if (seconds < 10) return "now";
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

/** `5 m ago`, but `just now`. */
export function ago(from: Date, now: Date): string {
  const words = age(from, now);
  return words === "now" ? "just now" : `${words} ago`;
}

export function bytes(value: number | null | undefined): string {
  if (value == null) return DASH;
  const units = ["B", "KB", "MB", "GB", "TB"];
  let size = value;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${units[unit] ?? ""}`;
}

/** MiB as the GPU's driver counts them, in GiB. */
export function gib(mib: number | null | undefined): string {
  return mib == null ? DASH : `${(mib / 1024).toFixed(mib >= 10_240 ? 0 : 1)} GB`;
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

/** Time of day in the reader's zone, with milliseconds where asked. */
export function clockTime(date: Date, milliseconds = false): string {
  return clock.format(date) + (milliseconds ? `.${String(date.getMilliseconds()).padStart(3, "0")}` : "");
}

/** Day and time of day in the reader's zone. */
export function dateTime(date: Date): string {
  return `${day.format(date)}, ${clock.format(date)}`;
}

/** Exact UTC, for the hover. */
export function utc(date: Date): string {
  return `${date.toISOString().replace("T", " ").replace("Z", "")} UTC`;
}

/** The name of an error's type without the module that it lives in. */
export function shortType(type: string): string {
  return type.slice(type.lastIndexOf(".") + 1) || type;
}

/** The last part of an id, enough to tell two apart at a glance. */
export function shortId(id: string): string {
  const dash = id.indexOf("-");
  return dash < 0 ? id.slice(0, 8) : id.slice(dash + 1, dash + 9);
}
