/** One job, as a dialog over the list with an address of its own. */
import * as Radix from "@radix-ui/react-dialog";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect } from "react";
import { useHub } from "@/api/live/react";
import { jobQuery } from "@/api/queries";
import type { Job } from "@/api/types";
import { isShared } from "@/app/actor";
import { JobRoute } from "@/app/routes";
import { setOpenStatus } from "@/app/tab-title";
import { Failed, Loading } from "@/components/ui/states";
import { Button } from "@/components/ui/button";
import { useJobName } from "@/features/jobs/names";
import { S } from "@/strings";
import { JobView } from "./job-view";

export function JobDialog() {
  const { jobId } = JobRoute.useParams();
  const hub = useHub();
  const client = useQueryClient();
  const navigate = useNavigate();
  const nameOf = useJobName();
  const {
    data: job,
    error,
    refetch,
  } = useQuery({
    ...jobQuery(jobId),
    placeholderData: () => client.getQueryData<Job[]>(["jobs"])?.find((each) => each.id === jobId),
  });
  const name = job ? nameOf(job) : "";
  const close = () =>
    void navigate({ to: "/", search: ({ q, status, sort, dir }) => ({ q, status, sort, dir }) });

  useEffect(() => {
    hub.show(jobId);
    return () => hub.show(null);
  }, [hub, jobId]);
  useEffect(() => {
    if (job) hub.show(jobId, job);
  }, [hub, jobId, job]);
  useEffect(() => {
    if (job) setOpenStatus({ name, status: job.status, progress: job.progress });
    return () => setOpenStatus(null);
  }, [job, name]);

  return (
    <Radix.Root open onOpenChange={(open) => !open && !isShared && close()}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 bg-shade animate-fade" />
        <Radix.Content
          aria-describedby={undefined}
          data-shortcuts="job logs samples page"
          onEscapeKeyDown={(event) => {
            // The dialog hears Escape first; some parts of it have a use of their own for it.
            if ((event.target as Element | null)?.closest("[data-own-escape]")) event.preventDefault();
          }}
          onOpenAutoFocus={(event) => {
            // The dialog itself takes the focus, so that no button looks chosen and the keys work at once.
            event.preventDefault();
            (event.currentTarget as HTMLElement | null)?.focus();
          }}
          className="fixed inset-0 z-40 flex flex-col overflow-hidden bg-canvas animate-rise focus:outline-none md:inset-3 md:rounded-lg md:border md:shadow-lift lg:inset-x-8 lg:inset-y-5"
        >
          {job ? (
            <JobView key={jobId} job={job} name={name} onClose={close} />
          ) : (
            <>
              <Radix.Title className="sr-only">{jobId}</Radix.Title>
              {error ? (
                <Failed error={error} onRetry={() => void refetch()}>
                  <Button onClick={close}>{S.toJobs}</Button>
                </Failed>
              ) : (
                <Loading />
              )}
            </>
          )}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
