/** With no job open, the tab shows the one that is running, if there is exactly one. */
import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { jobsQuery } from "@/api/queries";
import { isShared } from "./actor";
import { useJobName } from "@/features/jobs/names";
import { setBackgroundStatus } from "./tab-title";

export function useBackgroundStatus(): void {
  const { data } = useQuery({ ...jobsQuery, enabled: !isShared });
  const nameOf = useJobName();
  const running = data?.filter((job) => job.status === "running" || job.status === "cancelling") ?? [];
  const only = running.length === 1 ? running[0] : undefined;
  const name = only ? nameOf(only) : "";
  useEffect(() => {
    setBackgroundStatus(only ? { name, status: only.status, progress: only.progress } : null);
  }, [name, only]);
}
