/** A chart that can be picked from, zoomed and marked. Draws with uPlot, which is loaded with the first chart. */
import { late } from "@/lib/late";
import type { ChartProps } from "./model";

const Canvas = late<ChartProps>(() => import("./canvas").then((part) => part.default));

/** Has the drawing half loaded while the figures are still on their way. */
export const preloadChart = Canvas.preload;

export function Chart(props: ChartProps) {
  return (
    <div className="relative" style={{ minHeight: props.height }}>
      <Canvas {...props} />
    </div>
  );
}
