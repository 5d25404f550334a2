/** One paint a frame: whatever calls `request` between two frames, `paint` runs once. */

/** A hidden tab gets no frames; its title and notifications are kept up at this pace, ms. */
const HIDDEN_PACE = 1000;

export class FramePacer {
  private pending: (() => void) | null = null;

  constructor(private readonly paint: () => void) {}

  request(): void {
    if (this.pending) return;
    const run = () => {
      this.pending = null;
      this.paint();
    };
    if (document.hidden) {
      const timer = window.setTimeout(run, HIDDEN_PACE);
      this.pending = () => window.clearTimeout(timer);
    } else {
      const frame = requestAnimationFrame(run);
      this.pending = () => cancelAnimationFrame(frame);
    }
  }

  /** Drops a paint that is due. */
  cancel(): void {
    this.pending?.();
    this.pending = null;
  }

  /** Asks anew after the tab was hidden or shown: a frame asked for before would not come. */
  rearm(): void {
    if (!this.pending) return;
    this.cancel();
    this.request();
  }
}
