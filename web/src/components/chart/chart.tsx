/** A chart that can be picked from, zoomed and marked. Draws with uPlot, which is loaded with the first chart. */
import { lazy, Suspense } from "react";
import { patiently } from "@/lib/patient";
import type { ChartProps } from "./model";

const Canvas = lazy(() => patiently(() => import("./canvas")));

export function Chart(props: ChartProps) {
  return (
    <div className="relative" style={{ minHeight: props.height }}>
      <Suspense fallback={null}>
        <Canvas {...props} />
      </Suspense>
    </div>
  );
}
