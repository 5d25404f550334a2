/** Points in typed columns of a fixed capacity: the newest stay, the oldest fall out. */

export class Columns<Key extends string> {
  private readonly data: Record<Key, Float64Array>;
  private start = 0;
  private used = 0;
  /** Counts every change, for readers that compare. */
  lastPushed = 0;

  constructor(
    private readonly keys: readonly Key[],
    readonly capacity: number,
  ) {
    this.data = Object.fromEntries(keys.map((key) => [key, new Float64Array(capacity)])) as Record<
      Key,
      Float64Array
    >;
  }

  get length(): number {
    return this.used;
  }

  push(point: Record<Key, number>): void {
    this.lastPushed += 1;
    const at = (this.start + this.used) % this.capacity;
    for (const key of this.keys) this.data[key][at] = point[key];
    if (this.used < this.capacity) this.used += 1;
    else this.start = (this.start + 1) % this.capacity;
  }

  /** The value `index` places from the oldest; NaN outside. */
  at(key: Key, index: number): number {
    if (index < 0 || index >= this.used) return NaN;
    return this.data[key][(this.start + index) % this.capacity] ?? NaN;
  }

  /** Drops the oldest points for which `gone` holds; stops at the first that stays. */
  dropWhile(gone: (index: number) => boolean): void {
    let dropped = 0;
    while (dropped < this.used && gone(dropped)) dropped += 1;
    if (dropped > 0) this.lastPushed += 1;
    this.start = (this.start + dropped) % this.capacity;
    this.used -= dropped;
  }

  clear(): void {
    this.start = 0;
    this.used = 0;
  }
}
