import { useQueries, useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { X } from "lucide-react";
import { useMemo } from "react";
import { artifactsQuery, jobQuery, jobsQuery } from "@/api/queries";
import type { Job } from "@/api/types";
import { CompareRoute, type CompareSearch } from "@/app/routes";
import { IconButton } from "@/components/ui/button";
import { Select } from "@/components/ui/field";
import { PageHeader } from "@/components/ui/page";
import { Panel } from "@/components/ui/panel";
import { Empty, Loading } from "@/components/ui/states";
import { StatusBadge } from "@/components/ui/status";
import { JobOptions } from "@/features/jobs/job-options";
import { useJobName } from "@/features/jobs/names";
import { shortId } from "@/lib/format";
import { S } from "@/strings";
import { Curves } from "./curves";
import { SampleRows } from "./sample-rows";
import { chosenIds, LEAST, MOST } from "./select";
import { SettingsTable } from "./settings-table";
import { Swatch } from "./swatch";

export function ComparePage() {
  const search = CompareRoute.useSearch();
  const ids = useMemo(() => chosenIds(search.jobs), [search.jobs]);
  const { data: all } = useQuery(jobsQuery);
  const loaded = useQueries({ queries: ids.map((id) => jobQuery(id)) });
  // The list is live, a job read by itself is not: the list goes first.
  const jobs = ids.flatMap((id, index) => all?.find((job) => job.id === id) ?? loaded[index]?.data ?? []);
  const answers = useQueries({ queries: jobs.map((job) => artifactsQuery(job.id)) });
  const artifacts = answers.map((answer) => answer.data ?? []);
  const navigate = useNavigate({ from: "/compare" });
  const change = (next: Partial<CompareSearch>) =>
    void navigate({ search: (known) => ({ ...known, ...next }), replace: true });
  const setIds = (next: readonly string[]) => change({ jobs: next.length > 0 ? next.join(",") : undefined });
  return (
    <>
      <PageHeader title={S.compare.title} lead={S.compare.lead}>
        <Picker jobs={all ?? []} ids={ids} onPick={(id) => setIds([...ids, id])} />
      </PageHeader>
      {jobs.length > 0 && <Chosen jobs={jobs} onRemove={(id) => setIds(ids.filter((each) => each !== id))} />}
      {jobs.length < LEAST ? (
        <Empty title={S.compare.none} className="panel">
          <p>{S.compare.noneText}</p>
        </Empty>
      ) : (
        <div className="grid gap-3">
          <Curves
            jobs={jobs}
            over={search.x ?? "step"}
            step={search.step ?? null}
            onOver={(x) => change({ x: x === "step" ? undefined : x })}
            onStep={(step) => change({ step })}
          />
          <Panel title={S.compare.samples}>
            {answers.some((answer) => answer.isPending) ? (
              <Loading className="h-96" />
            ) : (
              <SampleRows
                jobs={jobs}
                artifacts={artifacts}
                step={search.step ?? null}
                onStep={(step) => change({ step })}
              />
            )}
          </Panel>
          <SettingsTable jobs={jobs} />
        </div>
      )}
    </>
  );
}

function Picker({
  jobs,
  ids,
  onPick,
}: {
  jobs: readonly Job[];
  ids: readonly string[];
  onPick: (id: string) => void;
}) {
  const full = ids.length >= MOST;
  return (
    <Select
      aria-label={S.compare.pick}
      value=""
      className="md:max-w-80"
      disabled={full}
      title={full ? S.compare.full : undefined}
      onChange={(event) => event.target.value && onPick(event.target.value)}
    >
      <option value="">{full ? S.compare.full : S.compare.pick}</option>
      <JobOptions jobs={jobs.filter((job) => !ids.includes(job.id))} />
    </Select>
  );
}

function Chosen({ jobs, onRemove }: { jobs: readonly Job[]; onRemove: (id: string) => void }) {
  const nameOf = useJobName();
  return (
    <ul className="mb-3 flex flex-wrap gap-2">
      {jobs.map((job, index) => (
        <li key={job.id} className="panel flex max-w-full min-w-0 items-center gap-2.5 py-1 pr-1 pl-3">
          <Swatch index={index} />
          <Link
            to="/jobs/$jobId"
            params={{ jobId: job.id }}
            className="flex min-w-0 items-baseline gap-1.5 hover:underline"
          >
            <bdi className="truncate font-medium">{nameOf(job)}</bdi>
            <span className="shrink-0 font-mono text-2xs text-ink-3">{shortId(job.id)}</span>
          </Link>
          <StatusBadge status={job.status} />
          <IconButton
            label={S.compare.remove(`${nameOf(job)} ${shortId(job.id)}`)}
            onClick={() => onRemove(job.id)}
          >
            <X />
          </IconButton>
        </li>
      ))}
    </ul>
  );
}
