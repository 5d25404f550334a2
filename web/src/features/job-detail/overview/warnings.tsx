/** What the runner found worth a warning: a stall, an exploding loss, a disk nearly full. */
import { useQuery } from "@tanstack/react-query";
import { TriangleAlert } from "lucide-react";
import { useCallback } from "react";
import { api, body } from "@/api/client";
import { useLive } from "@/api/live/react";
import type { LiveHub } from "@/api/live/hub";
import { Time } from "@/components/ui/time";
import { S } from "@/strings";
import { useMoment } from "../moment";

const MOST = 3;

export function Warnings({ jobId }: { jobId: string }) {
  const { goTo } = useMoment();
  const readCount = useCallback((hub: LiveHub) => hub.open?.warnings ?? null, []);
  const live = useLive(readCount);
  const { data } = useQuery({
    queryKey: ["job", jobId, "warnings", live?.at(-1)?.seq ?? 0],
    queryFn: ({ signal }) =>
      body(
        api.GET("/api/jobs/{job_id}/logs/view", {
          params: {
            path: { job_id: jobId },
            query: { level: "WARN", event: "log", order: "desc", limit: MOST },
          },
          signal,
        }),
      ),
    placeholderData: (before) => before,
    staleTime: Infinity,
  });
  if (!data || data.entries.length === 0) return null;
  return (
    <ul aria-label={S.overview.warnings} className="flex flex-col gap-1">
      {data.entries.map((entry) => (
        <li key={entry.seq}>
          <button
            type="button"
            onClick={() => goTo("logs", { line: entry.seq })}
            className="touch-target flex w-full items-center gap-2.5 rounded-md border border-warn bg-warn-soft px-3 py-1 text-left text-warn"
          >
            <TriangleAlert className="size-4 shrink-0" aria-hidden />
            <span className="min-w-0 flex-1 truncate">{entry.message}</span>
            <Time iso={entry.timestamp} as="clock" className="shrink-0 text-xs" />
          </button>
        </li>
      ))}
    </ul>
  );
}
