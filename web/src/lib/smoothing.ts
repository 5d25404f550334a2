/** Exponential moving average without the bias of its start; what is not a number leaves a gap and no trace. */
export function smooth(values: ArrayLike<number | null>, weight: number): (number | null)[] {
  const result = new Array<number | null>(values.length);
  let mean = 0;
  let seen = 0;
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index];
    if (value == null || !Number.isFinite(value)) {
      result[index] = null;
      continue;
    }
    mean = mean * weight + value * (1 - weight);
    seen += 1;
    result[index] = mean / (1 - weight ** seen);
  }
  return result;
}
