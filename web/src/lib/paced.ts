/** A store that changes with every frame, heard of at a pace at which drawing it is worth its cost. */
type Subscribe = (listener: () => void) => () => void;

/** `subscribe`, telling at most every `everyMs`: a first change at once, the last one always. */
export function paced(subscribe: Subscribe, everyMs: number): Subscribe {
  return (listener) => {
    let toldAt = -Infinity;
    let timer: number | null = null;
    const tell = () => {
      timer = null;
      toldAt = performance.now();
      listener();
    };
    const stop = subscribe(() => {
      if (timer !== null) return;
      const wait = toldAt + everyMs - performance.now();
      if (wait <= 0) tell();
      else timer = window.setTimeout(tell, wait);
    });
    return () => {
      stop();
      if (timer !== null) window.clearTimeout(timer);
    };
  };
}
