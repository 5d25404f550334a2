/** The home of the page: every job, live. The open job lies over it as a dialog with an address of its own. */
import { useQuery } from "@tanstack/react-query";
import { Outlet, useNavigate } from "@tanstack/react-router";
import { Plus } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { jobsQuery, readyQuery } from "@/api/queries";
import type { Job } from "@/api/types";
import { isShared, mayChange } from "@/app/actor";
import { HomeRoute } from "@/app/routes";
import { useShortcuts } from "@/app/shortcuts";
import { preloadJobView } from "@/features/job-detail/opening";
import { ButtonLink } from "@/components/ui/link";
import { Empty, Failed, Loading } from "@/components/ui/states";
import { Button } from "@/components/ui/button";
import { PageHeader } from "@/components/ui/page";
import { S } from "@/strings";
import { BulkBar } from "./bulk-bar";
import { FirstSteps } from "./first-steps";
import { JobTable } from "./job-table";
import { useJobName } from "./names";
import { filterCounts, selectJobs } from "./select";
import { PauseButton, PausedNotice } from "./queue";
import { Toolbar } from "./toolbar";

const NONE: Job[] = [];

export function JobsPage() {
  return isShared ? <Outlet /> : <Jobs />;
}

function Jobs() {
  const search = HomeRoute.useSearch();
  const navigate = useNavigate();
  const nameOf = useJobName();
  const { data: jobs, error, isPending, refetch } = useQuery(jobsQuery);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [cursor, setCursor] = useState(-1);
  const searchBox = useRef<HTMLInputElement>(null);

  const { q = "", status = "all", sort = "created", dir = "desc" } = search;
  const shown = useMemo(
    () => selectJobs(jobs ?? [], nameOf, { search: q, filter: status, sort, direction: dir }),
    [jobs, nameOf, q, status, sort, dir],
  );
  const counts = useMemo(() => filterCounts(jobs ?? []), [jobs]);
  const selected = useMemo(() => (jobs ?? []).filter((job) => chosen.has(job.id)), [jobs, chosen]);

  const open = (job: Job | undefined) => {
    if (job) void navigate({ to: "/jobs/$jobId", params: { jobId: job.id }, search: (known) => known });
  };
  const toggle = (job: Job | undefined) => {
    if (job) setChosen((known) => toggled(known, job.id));
  };
  const isListed = jobs !== undefined;
  useEffect(() => (isListed ? preloadJobView() : undefined), [isListed]);
  const move = (by: number) => setCursor((at) => Math.min(shown.length - 1, Math.max(0, at + by)));
  useShortcuts("jobs", [
    { key: "/", label: S.shortcuts.search, run: () => searchBox.current?.focus() },
    { key: "j", label: S.shortcuts.next, run: () => move(1) },
    { key: "k", label: S.shortcuts.previous, run: () => move(-1) },
    { key: "enter", label: S.shortcuts.open, run: () => open(shown[cursor]) },
    { key: "x", label: S.shortcuts.select, run: () => toggle(shown[cursor]) },
    { key: "escape", label: S.shortcuts.escape, run: () => setChosen(new Set()) },
  ]);

  return (
    <>
      <PageHeader title={S.jobs.title}>
        <PauseButton jobs={jobs ?? NONE} />
        {mayChange && (
          <ButtonLink to="/new" tone="primary">
            <Plus aria-hidden /> {S.jobs.create}
          </ButtonLink>
        )}
      </PageHeader>
      {jobs && <NoWorker jobs={jobs} />}
      <PausedNotice />
      {isPending ? (
        <Loading />
      ) : !jobs ? (
        <Failed error={error} onRetry={() => void refetch()} />
      ) : jobs.length === 0 ? (
        <FirstSteps />
      ) : (
        <>
          <Toolbar counts={counts} searchBox={searchBox} />
          {shown.length > 0 ? (
            <JobTable
              jobs={shown}
              chosen={chosen}
              cursor={cursor}
              onChoose={setChosen}
              sort={sort}
              direction={dir}
            />
          ) : (
            <Empty title={S.jobs.noMatch}>
              <p className="mb-4">{S.jobs.noMatchText}</p>
              <Button onClick={() => void navigate({ to: "/", search: {} })}>{S.jobs.clearFilter}</Button>
            </Empty>
          )}
        </>
      )}
      {selected.length > 0 && <BulkBar jobs={selected} onClear={() => setChosen(new Set())} />}
      <Outlet />
    </>
  );
}

export function toggled(set: ReadonlySet<string>, id: string): ReadonlySet<string> {
  const next = new Set(set);
  if (!next.delete(id)) next.add(id);
  return next;
}

/** Says why a queued job does not move when nobody is there to run it. */
function NoWorker({ jobs }: { jobs: readonly Job[] }) {
  const waits = jobs.some((job) => job.status === "queued");
  const { data, refetch } = useQuery({ ...readyQuery, enabled: waits, retry: false });
  useEffect(() => {
    if (waits) void refetch();
  }, [waits, refetch]);
  const worker = data?.checks.find((check) => check.name === "worker");
  if (!waits || !worker || worker.ok) return null;
  return (
    <p role="status" className="mb-3 rounded-md border border-warn bg-warn-soft px-3 py-2 text-warn">
      {S.jobs.noWorker} {worker.detail}
    </p>
  );
}
