import type { ReactNode } from "react";
import { SeriesContext, useSeries } from "./series";

/** Keeps the open job's series. What lies inside renders with them only where it asks for them. */
export function SeriesProvider({
  jobId,
  enabled,
  children,
}: {
  jobId: string;
  enabled: boolean;
  children: ReactNode;
}) {
  return <SeriesContext value={useSeries(jobId, enabled)}>{children}</SeriesContext>;
}
