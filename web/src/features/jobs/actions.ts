/** What can be done to jobs: each asks first where something would be lost. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useCallback } from "react";
import { api, body } from "@/api/client";
import { useHub } from "@/api/live/react";
import { isTerminal, type Job } from "@/api/types";
import { mayChange } from "@/app/actor";
import { useConfirm } from "@/components/ui/confirm";
import { notify, notifyError } from "@/components/ui/toast";
import { S } from "@/strings";

const cancelOne = (id: string) =>
  body(api.POST("/api/training/{job_id}/cancel", { params: { path: { job_id: id } } }));
const removeOne = (id: string) => api.DELETE("/api/training/{job_id}", { params: { path: { job_id: id } } });

export function useJobActions() {
  const hub = useHub();
  const client = useQueryClient();
  const confirm = useConfirm();

  const cancelMany = useCallback(
    async (jobs: readonly Job[]): Promise<boolean> => {
      const { cancelQuestion, cancelText, cancelAction } = S.jobs;
      if (
        !(await confirm({
          title: cancelQuestion(jobs.length),
          text: cancelText(jobs.length),
          action: cancelAction,
        }))
      )
        return false;
      const results = await Promise.allSettled(jobs.map(async (job) => hub.learn(await cancelOne(job.id))));
      report(results, S.jobs.done.cancel);
      return true;
    },
    [confirm, hub],
  );

  const removeMany = useCallback(
    async (jobs: readonly Job[]): Promise<boolean> => {
      const { deleteQuestion, deleteText, deleteAction } = S.jobs;
      if (!(await confirm({ title: deleteQuestion(jobs.length), text: deleteText, action: deleteAction })))
        return false;
      const results = await Promise.allSettled(jobs.map((job) => removeOne(job.id)));
      report(results, S.jobs.done.remove);
      const gone = new Set(
        jobs.filter((_, index) => results[index]?.status === "fulfilled").map((job) => job.id),
      );
      client.setQueryData<Job[]>(["jobs"], (list) => list?.filter((job) => !gone.has(job.id)));
      return gone.size > 0;
    },
    [client, confirm],
  );

  const resume = useMutation({
    mutationFn: (id: string) =>
      body(api.POST("/api/training/{job_id}/resume", { params: { path: { job_id: id } } })),
    onSuccess: (job) => hub.learn(job),
  });

  return { cancelMany, removeMany, resume };
}

export const canCancel = (job: Job) => mayChange && !isTerminal(job.status) && job.status !== "cancelling";
export const canDelete = (job: Job) => mayChange && isTerminal(job.status);
export const canResume = (job: Job) => mayChange && (job.status === "failed" || job.status === "cancelled");

function report(results: PromiseSettledResult<unknown>[], done: (count: number) => string): void {
  const refused = results.filter((result) => result.status === "rejected");
  if (results.length > refused.length) notify(done(results.length - refused.length));
  const first = refused[0];
  if (!first) return;
  if (results.length === 1) notifyError(first.reason);
  else notifyError(new Error(S.jobs.someRefused(refused.length, (first.reason as Error).message)));
}
