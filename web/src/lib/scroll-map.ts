/** Scrolling through more rows than a browser can make an element high (17.8 million pixels in Firefox).

    The scroll box gets a height it can have; this class keeps the place in the list beside the box's `scrollTop`.
    A small movement (wheel, arrow keys, a swipe) moves the place by as many pixels, so that scrolling feels as it
    always does; a large one (dragging the thumb) goes to the same share of the list. Below the limit both are equal. */

export const MAX_HEIGHT = 8_000_000;

export class ScrollMap {
  private place = 0;
  private lastTop = 0;
  private total = 0;
  private view = 0;

  /** Pixels of the list above the view. */
  get offset(): number {
    return this.place;
  }

  /** The box's `scrollTop` as this map last set or saw it. */
  get top(): number {
    return this.lastTop;
  }

  /** Height for the scroll box's content, px. */
  get height(): number {
    return Math.min(this.total, MAX_HEIGHT);
  }

  /** How far the place can go, px. */
  get end(): number {
    return Math.max(0, this.total - this.view);
  }

  resize(total: number, view: number): void {
    this.total = total;
    this.view = view;
    this.place = Math.min(this.place, this.end);
  }

  /** Takes the box's new `scrollTop`; returns the `scrollTop` to set instead, if it has to be corrected. */
  scrolled(top: number): number | null {
    const delta = top - this.lastTop;
    this.lastTop = top;
    if (this.total <= MAX_HEIGHT) {
      this.place = Math.min(Math.max(0, top), this.end);
      return null;
    }
    if (Math.abs(delta) > this.view * 2) {
      this.place = Math.min(this.end, Math.max(0, top * this.ratio));
      return null;
    }
    this.place = Math.min(this.end, Math.max(0, this.place + delta));
    return this.corrected(top);
  }

  /** Goes to `offset` pixels; returns the `scrollTop` the box has to be given. */
  jump(offset: number): number {
    this.place = Math.min(this.end, Math.max(0, offset));
    this.lastTop = this.total <= MAX_HEIGHT ? this.place : this.place / this.ratio;
    return this.lastTop;
  }

  private get ratio(): number {
    return this.end / Math.max(1, this.height - this.view);
  }

  /** Small movements let the thumb drift from its share; it is put back before it would hit an end. */
  private corrected(top: number): number | null {
    const atEdge = top <= 0 || top >= this.height - this.view - 1;
    const wanted = this.place / this.ratio;
    const drift = Math.abs(wanted - top);
    if (atEdge && drift < 1) this.place = top <= 0 ? 0 : this.end;
    if (drift < 1 || (!atEdge && drift < this.view * 4)) return null;
    this.lastTop = wanted;
    return wanted;
  }
}
