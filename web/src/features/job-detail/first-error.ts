/** One key to the first error of the latest attempt. */
import { useMutation } from "@tanstack/react-query";
import { api, ApiError, body } from "@/api/client";
import { notify, notifyError } from "@/components/ui/toast";
import { S } from "@/strings";
import type { Moment } from "./moment";

export function useFirstError(jobId: string, moment: Moment): () => void {
  const { mutate } = useMutation({
    meta: { quiet: true },
    mutationFn: () =>
      body(
        api.GET("/api/jobs/{job_id}/logs/locate", {
          params: { path: { job_id: jobId }, query: { first_error: true } },
        }),
      ),
    onSuccess: (place) => moment.goTo("logs", { line: place.seq }),
    onError: (error) => {
      if (error instanceof ApiError && error.status === 404) notify(S.logs.noError);
      else notifyError(error);
    },
  });
  return () => mutate();
}
