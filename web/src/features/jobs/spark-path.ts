/** Scales a few points into an SVG path. Pure. */
export function sparkPath(values: readonly number[], width: number, height: number): string {
  if (values.length < 2) return "";
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const span = high - low || 1;
  const pad = 1.5;
  return values
    .map((value, index) => {
      const x = (index / (values.length - 1)) * (width - 2 * pad) + pad;
      const y = height - pad - ((value - low) / span) * (height - 2 * pad);
      return `${index === 0 ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`;
    })
    .join("");
}
