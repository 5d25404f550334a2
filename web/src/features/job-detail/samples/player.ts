import { useEffect, useEffectEvent, useState } from "react";

/** Time a step is shown, ms: slow enough to see, and below three changes a second for those whom flashes harm. */
const FRAME_MS = 400;

/** Plays through the columns; starts again from the first when it stands at the last. */
export function usePlayer(column: number, last: number, show: (column: number) => void) {
  const [playing, setPlaying] = useState(false);
  const next = useEffectEvent(() => {
    if (column >= last) setPlaying(false);
    else show(column + 1);
  });
  useEffect(() => {
    if (!playing) return;
    const timer = window.setInterval(() => next(), FRAME_MS);
    return () => window.clearInterval(timer);
  }, [playing]);
  return {
    playing,
    stop: () => setPlaying(false),
    toggle: () => {
      if (!playing && column >= last) show(0);
      setPlaying(!playing);
    },
  };
}
