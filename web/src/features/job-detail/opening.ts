/** What an open job needs first, asked for with the click: its answers are under way while its code still comes. */
import { noop, type QueryClient } from "@tanstack/react-query";
import { artifactsQuery, jobQuery } from "@/api/queries";
import { isTerminal, type Job } from "@/api/types";
import { preloadChart } from "@/components/chart/chart";
import { seriesQuery } from "./series";

export const loadJobDialog = () => import("./job-dialog");

/** Has the code of an open job loaded as soon as there is nothing else to do. Returns what calls that off. */
export function preloadJobView(): () => void {
  const start = () => {
    preloadChart();
    void loadJobDialog().catch(noop); // the click loads it again, and tells of a failure
  };
  if (!("requestIdleCallback" in window)) {
    const timer = setTimeout(start, 1000); // Safari
    return () => clearTimeout(timer);
  }
  const idle = requestIdleCallback(start);
  return () => cancelIdleCallback(idle);
}

/** Starts the requests and waits for none of them. What is there already is not asked for again. */
export function beginOpening(client: QueryClient, jobId: string): void {
  preloadChart();
  void client.query(jobQuery(jobId)).catch(noop);
  void client.query(artifactsQuery(jobId)).catch(noop);
  const listed = client.getQueryData<Job[]>(["jobs"])?.find((job) => job.id === jobId);
  // A job that goes on is read once its stream has begun, so that nothing falls between the two.
  if (listed && isTerminal(listed.status)) void client.query(seriesQuery(jobId)).catch(noop);
}
