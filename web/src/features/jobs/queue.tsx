/** The queue as far as it needs words: that it is paused and why, who is next, and moving a job to its front. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { CirclePause, CirclePlay } from "lucide-react";
import { useEffect } from "react";
import { api, body } from "@/api/client";
import { useHub } from "@/api/live/react";
import { queueQuery } from "@/api/queries";
import { isTerminal, type Job } from "@/api/types";
import { mayChange } from "@/app/actor";
import { Button } from "@/components/ui/button";
import { notify } from "@/components/ui/toast";
import { S } from "@/strings";

const HIGHEST = 1000;

/** Read again whenever a job enters, leaves or moves in the queue: the stream of jobs tells, nothing polls. */
function useQueue(jobs: readonly Job[]) {
  const client = useQueryClient();
  const active = jobs.filter((job) => !isTerminal(job.status));
  const state = active.map((job) => `${job.id}:${job.status}:${job.priority}`).join();
  const { data } = useQuery({ ...queueQuery, enabled: active.length > 0 });
  useEffect(() => void client.invalidateQueries({ queryKey: queueQuery.queryKey }), [client, state]);
  return active.length > 0 ? data : undefined;
}

function usePause() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (paused: boolean) => body(api.PATCH("/api/queue", { body: { paused } })),
    onSuccess: (queue) => client.setQueryData(queueQuery.queryKey, queue),
  });
}

/** Offered while there is something to hold back. */
export function PauseButton({ jobs }: { jobs: readonly Job[] }) {
  const queue = useQueue(jobs);
  const pause = usePause();
  if (!queue || queue.paused || !mayChange) return null;
  return (
    <Button disabled={pause.isPending} title={S.queue.pauseHint} onClick={() => pause.mutate(true)}>
      <CirclePause aria-hidden /> <span className="max-sm:sr-only">{S.queue.pause}</span>
    </Button>
  );
}

export function PausedNotice() {
  const { data: queue } = useQuery({ ...queueQuery, enabled: false });
  const pause = usePause();
  if (!queue?.paused) return null;
  return (
    <div
      role="status"
      className="mb-3 flex flex-wrap items-center justify-between gap-3 rounded-md border border-warn bg-warn-soft py-1.5 pr-1.5 pl-3 text-warn"
    >
      <span>
        {S.queue.paused} {queue.reason}
      </span>
      {mayChange && (
        <Button disabled={pause.isPending} onClick={() => pause.mutate(false)}>
          <CirclePlay aria-hidden /> {S.queue.goOn}
        </Button>
      )}
    </div>
  );
}

/** How many are before a queued job. */
export function QueuePlace({ job }: { job: Job }) {
  const { data: queue } = useQuery({ ...queueQuery, enabled: false });
  const place = queue?.waiting.findIndex((each) => each.job_id === job.id) ?? -1;
  return place < 0 ? null : S.queue.place(place);
}

/** Moves a queued job before all others. */
export function useStartNext() {
  const hub = useHub();
  return useMutation({
    mutationFn: async (id: string) => {
      const { waiting } = await body(api.GET("/api/queue"));
      const highest = Math.max(
        0,
        ...waiting.filter((each) => each.job_id !== id).map((each) => each.priority),
      );
      const priority = Math.min(HIGHEST, highest + 1);
      return body(
        api.PATCH("/api/training/{job_id}", { params: { path: { job_id: id } }, body: { priority } }),
      );
    },
    onSuccess: (job) => {
      hub.learn(job);
      notify(S.queue.isNext);
    },
  });
}
