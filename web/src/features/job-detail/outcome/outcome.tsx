/** What happened, once it is over: said first, with what can be done now. */
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { Check, CircleSlash, CopyPlus, Download, OctagonX, Package, RotateCw } from "lucide-react";
import type { ReactNode } from "react";
import { api, body } from "@/api/client";
import { summaryQuery } from "@/api/queries";
import type { Artifact, Job } from "@/api/types";
import { mayChange } from "@/app/actor";
import { AnsiText } from "@/components/ui/ansi";
import { Button } from "@/components/ui/button";
import { CopyButton } from "@/components/ui/copy";
import type { Setting } from "@/app/search";
import { canResume, useJobActions } from "@/features/jobs/actions";
import { cn } from "@/lib/cn";
import { bytes, count, duration, shortId } from "@/lib/format";
import { settingsInWords } from "@/lib/settings";
import { S } from "@/strings";
import { bundleUrl } from "../header";
import { useElapsed } from "../overview/figures";

export function Outcome({
  job,
  artifacts,
  onFirstError,
}: {
  job: Job;
  artifacts: readonly Artifact[];
  onFirstError: () => void;
}) {
  if (job.status === "completed") return <Completed job={job} artifacts={artifacts} />;
  if (job.status === "failed") return <FailedJob job={job} onFirstError={onFirstError} />;
  return <Cancelled job={job} artifacts={artifacts} />;
}

function Frame({
  tone,
  icon,
  title,
  children,
  actions,
}: {
  tone: string;
  icon: ReactNode;
  title: string;
  children?: ReactNode;
  actions: ReactNode;
}) {
  return (
    <section className={`panel border-l-4 p-4 ${tone}`} data-outcome>
      {/* The actions stand beside the title where there is room for both, and behind everything where there is not. */}
      <div className="grid grid-cols-[auto_minmax(0,1fr)] items-start gap-x-3 md:grid-cols-[auto_minmax(0,1fr)_auto] [&>svg]:mt-0.5 [&>svg]:size-5">
        {icon}
        <h3 className="text-base font-semibold text-ink">{title}</h3>
        <div className="min-w-0 text-ink-2 max-md:col-start-2 md:col-span-2 md:col-start-2 md:row-start-2">
          {children}
        </div>
        <div className="flex flex-wrap gap-2 max-md:col-span-2 max-md:mt-3 md:col-start-3 md:row-start-1 md:justify-end md:pb-2">
          {actions}
        </div>
      </div>
    </section>
  );
}

function Completed({ job, artifacts }: { job: Job; artifacts: readonly Artifact[] }) {
  const took = useElapsed(job);
  const model = artifacts.find((each) => each.type === "model");
  return (
    <Frame
      tone="border-l-ok text-ok"
      icon={<Check aria-hidden />}
      title={took === null ? S.outcome.completed : S.outcome.completedIn(duration(took))}
      actions={
        <>
          {model && (
            <Button asChild tone="primary">
              <a href={model.url} download={model.name}>
                <Download aria-hidden /> {S.outcome.download} ({bytes(model.size_bytes)})
              </a>
            </Button>
          )}
          <Like job={job} />
        </>
      }
    >
      {job.output_path && <p className="font-mono text-xs">{job.output_path}</p>}
    </Frame>
  );
}

interface FailureFields {
  error?: string;
  error_type?: string;
  error_stack?: string;
  last_lines?: string[];
  cause?: { title?: string; explanation?: string; advice?: string[]; settings?: Record<string, Setting> };
}

/** What the journal says of a failure; undefined while it is on its way. */
function useFailure(jobId: string, attempt: number): FailureFields | undefined {
  const { data, isError } = useQuery({
    queryKey: ["job", jobId, "failure", attempt],
    queryFn: ({ signal }) =>
      body(
        api.GET("/api/jobs/{job_id}/logs/view", {
          params: { path: { job_id: jobId }, query: { event: "job.failed", order: "desc", limit: 1 } },
          signal,
        }),
      ),
    staleTime: Infinity,
  });
  return data || isError ? (data?.entries[0]?.fields ?? {}) : undefined;
}

function FailedJob({ job, onFirstError }: { job: Job; onFirstError: () => void }) {
  const { resume } = useJobActions();
  const failure = useFailure(job.id, job.attempt);
  const error = failure?.error ?? job.error_message ?? "";
  const kind = failure?.error_type ?? job.error_type;
  const remedy = mayChange ? failure?.cause?.settings : undefined;
  const hasRemedy = remedy !== undefined && Object.keys(remedy).length > 0;
  return (
    <Frame
      tone="border-l-bad text-bad"
      icon={<OctagonX aria-hidden />}
      title={[S.outcome.failedAt(count(job.current_step)), failure?.cause?.title].filter(Boolean).join(" · ")}
      actions={
        <>
          {hasRemedy && <TryWith job={job} settings={remedy} />}
          {canResume(job) && (
            <Button
              tone={hasRemedy ? "plain" : "primary"}
              disabled={resume.isPending}
              onClick={() => resume.mutate(job.id)}
            >
              <RotateCw aria-hidden /> {S.job.resume}
            </Button>
          )}
          <Button asChild>
            <a href={bundleUrl(job.id)} download>
              <Package aria-hidden /> {S.job.bundle}
            </a>
          </Button>
          {!hasRemedy && <Like job={job} />}
        </>
      }
    >
      <p className="mt-1 font-mono text-sm text-bad" data-error>
        {kind && <strong className="font-medium">{kind}: </strong>}
        {error}
      </p>
      <button
        type="button"
        onClick={onFirstError}
        className="touch-target text-xs text-signal hover:underline"
      >
        {S.outcome.firstError}
      </button>
      <div className={cn("mt-2", !failure && "min-h-40")}>
        <h4 className="font-semibold text-ink">{S.outcome.tryThis}</h4>
        {failure && <Advice failure={failure} />}
      </div>
      <SeenBefore jobId={job.id} />
      {failure?.error_stack && <Folded title={S.outcome.stack} text={failure.error_stack} />}
      {failure?.last_lines && failure.last_lines.length > 0 && (
        <Folded title={S.outcome.lastLines} text={failure.last_lines.join("\n")} open />
      )}
    </Frame>
  );
}

function Advice({ failure: { cause } }: { failure: FailureFields }) {
  const advice = cause?.advice ?? [];
  if (advice.length === 0) return <p>{S.outcome.unknown}</p>;
  return (
    <>
      <p>{cause?.explanation}</p>
      <ul className="mt-1 list-disc pl-5">
        {advice.map((each) => (
          <li key={each}>{each}</li>
        ))}
      </ul>
    </>
  );
}

/** Whether earlier jobs failed alike, and which: the second look at a failure is what became of the first one. */
function SeenBefore({ jobId }: { jobId: string }) {
  const { data } = useQuery(summaryQuery(jobId));
  const alike = data?.failed_alike;
  if (!alike) return null;
  return (
    <p className="mt-2 flex flex-wrap items-baseline gap-x-3" data-seen={alike.count}>
      {alike.count === 0 ? (
        S.outcome.notSeen
      ) : (
        <>
          <span className="font-medium text-ink">{S.outcome.seen(alike.count)}</span>
          {alike.job_ids.map((id) => (
            <Link
              key={id}
              to="/jobs/$jobId"
              params={{ jobId: id }}
              className="touch-target font-mono text-xs text-signal hover:underline"
            >
              {shortId(id)}
            </Link>
          ))}
        </>
      )}
    </p>
  );
}

function Folded({ title, text, open }: { title: string; text: string; open?: boolean }) {
  return (
    <details className="mt-3" open={open}>
      <summary className="label-caps min-h-6 select-none">{title}</summary>
      <div className="relative mt-1">
        <CopyButton text={text} label={S.logs.copyLine} className="absolute top-1 right-1" />
        <pre
          // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls must be reachable by keyboard
          tabIndex={0}
          aria-label={title}
          className="max-h-72 overflow-auto rounded-md bg-sunken p-3 font-mono text-xs whitespace-pre-wrap text-ink"
        >
          <AnsiText text={text} />
        </pre>
      </div>
    </details>
  );
}

function Cancelled({ job, artifacts }: { job: Job; artifacts: readonly Artifact[] }) {
  const { resume } = useJobActions();
  const checkpoints = artifacts.filter((each) => each.type === "checkpoint");
  const samples = artifacts.filter((each) => each.type === "sample").length;
  const newest = checkpoints.reduce<number | null>((last, each) => Math.max(last ?? 0, each.step ?? 0), null);
  return (
    <Frame
      tone="border-l-ink-3 text-ink-2"
      icon={<CircleSlash aria-hidden />}
      title={S.outcome.cancelledAt(count(job.current_step))}
      actions={
        <>
          {canResume(job) && (
            <Button tone="primary" disabled={resume.isPending} onClick={() => resume.mutate(job.id)}>
              <RotateCw aria-hidden /> {S.job.resume}
            </Button>
          )}
          <Like job={job} />
        </>
      }
    >
      <h4 className="mt-1 font-semibold text-ink">{S.outcome.kept}</h4>
      <p>
        {checkpoints.length + samples > 0
          ? S.outcome.keptText(checkpoints.length, samples, newest === null ? null : count(newest))
          : S.outcome.keptNothing}
      </p>
      <p>{S.outcome.resumeHint}</p>
    </Frame>
  );
}

/** A new training with the settings that would have avoided the failure: the form opens filled in. */
function TryWith({ job, settings }: { job: Job; settings: Record<string, Setting> }) {
  const navigate = useNavigate();
  return (
    <Button
      tone="primary"
      className="h-auto min-h-8 whitespace-normal"
      title={S.outcome.tryWithHint}
      onClick={() => void navigate({ to: "/new", search: { like: job.id, with: settings } })}
    >
      <CopyPlus aria-hidden /> {S.outcome.tryWith(settingsInWords(settings))}
    </Button>
  );
}

function Like({ job }: { job: Job }) {
  const navigate = useNavigate();
  if (!mayChange) return null;
  return (
    <Button onClick={() => void navigate({ to: "/new", search: { like: job.id } })}>
      <CopyPlus aria-hidden /> {S.job.like}
    </Button>
  );
}
