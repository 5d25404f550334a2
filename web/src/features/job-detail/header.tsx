import * as Radix from "@radix-ui/react-dialog";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import {
  Camera,
  ChevronsUp,
  Columns3,
  CopyPlus,
  Ellipsis,
  Link2,
  Package,
  RotateCw,
  Save,
  Share2,
  Square,
  Trash2,
  X,
} from "lucide-react";
import { useState } from "react";
import { api, body } from "@/api/client";
import { useLiveJob } from "@/api/live/react";
import { infoQuery } from "@/api/queries";
import { isTerminal, type Job } from "@/api/types";
import { isLoggedIn, isShared, mayChange } from "@/app/actor";
import { LinkStateMark } from "@/app/link-state";
import { Button, IconButton } from "@/components/ui/button";
import { CopyButton } from "@/components/ui/copy";
import { Menu, MenuItem, MenuSeparator } from "@/components/ui/menu";
import { ProgressBar, StatusBadge } from "@/components/ui/status";
import { notify } from "@/components/ui/toast";
import { canCancel, canDelete, canResume, useJobActions } from "@/features/jobs/actions";
import { QueuePlace, useStartNext } from "@/features/jobs/queue";
import { copyText } from "@/lib/clipboard";
import { count, duration, percent } from "@/lib/format";
import { S } from "@/strings";
import { ShareDialog, SharedMark } from "./sharing";
import { useSilence } from "./silence";

export function bundleUrl(jobId: string): string {
  return `/api/jobs/${encodeURIComponent(jobId)}/debug-bundle`;
}

export function Header({ job, name, onClose }: { job: Job; name: string; onClose: () => void }) {
  const { cancelMany, resume } = useJobActions();
  const [sharing, setSharing] = useState(false);
  return (
    <header className="shrink-0 border-b bg-surface px-3 pt-2.5 pb-2 md:px-5 md:pt-3">
      <div className="flex items-start gap-x-3 gap-y-1">
        <div className="min-w-0 flex-1">
          <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
            <Radix.Title className="truncate text-lg font-semibold tracking-tight">
              <span className="sr-only">{S.job.dialog("")}</span>
              <bdi>{name}</bdi>
            </Radix.Title>
            <StatusBadge status={job.status} />
            {job.status === "queued" && (
              <span className="text-xs text-ink-3 empty:hidden">
                <QueuePlace job={job} />
              </span>
            )}
            <span className="flex items-center font-mono text-2xs text-ink-3">
              {job.id}
              <CopyButton text={job.id} label={S.job.copyId} />
            </span>
            {job.attempt > 1 && <span className="text-xs text-ink-3">{S.jobs.attempt(job.attempt)}</span>}
            {job.host && (
              <span className="min-w-0 truncate text-xs text-ink-3" data-host={job.host}>
                {S.jobs.on} <bdi>{job.host}</bdi>
              </span>
            )}
            <SharedMark jobId={job.id} onOpen={() => setSharing(true)} />
          </div>
        </div>
        <div className="flex shrink-0 items-center gap-1.5">
          <LinkStateMark compact className="mr-1" />
          <div className="flex items-center gap-1.5 max-md:hidden">
            <Requests job={job} />
            {canResume(job) && (
              <Button disabled={resume.isPending} onClick={() => resume.mutate(job.id)}>
                <RotateCw aria-hidden /> {resume.isPending ? S.job.resuming : S.job.resume}
              </Button>
            )}
            {canCancel(job) && (
              <Button onClick={() => void cancelMany([job])}>
                <Square aria-hidden /> {S.job.cancel}
              </Button>
            )}
            <Button asChild title={S.job.bundleHint}>
              <a href={bundleUrl(job.id)} download data-bundle>
                <Package aria-hidden /> {S.job.bundle}
              </a>
            </Button>
          </div>
          <MoreMenu job={job} onShare={() => setSharing(true)} onGone={onClose} />
          {!isShared && (
            <IconButton label={S.job.close} onClick={onClose}>
              <X />
            </IconButton>
          )}
        </div>
      </div>
      <Progress job={job} />
      {isLoggedIn && <ShareDialog jobId={job.id} open={sharing} onClose={() => setSharing(false)} />}
    </header>
  );
}

function Progress({ job: known }: { job: Job }) {
  const job = useLiveJob(known);
  const silence = useSilence(job);
  const words = [
    S.jobs.stepOf(count(job.current_step), count(job.total_steps || null)),
    percent(job.progress, job.progress < 10 ? 1 : 0),
  ];
  if (!isTerminal(job.status)) {
    words.push(job.phase ?? S.stage[job.stage]);
    if (silence !== null) words.push(S.overview.silent(duration(silence)));
    else if (job.eta_seconds != null) words.push(S.job.eta(duration(job.eta_seconds)));
  }
  return (
    <div className="mt-1.5 flex items-center gap-x-3 gap-y-1 max-md:flex-wrap">
      <ProgressBar
        value={job.progress}
        status={job.status}
        label={S.job.progress}
        className="h-2 flex-1 max-md:basis-full"
      />
      <p className="truncate text-xs text-ink-2" data-progress-words>
        {words.join(" · ")}
      </p>
    </div>
  );
}

/** "Sample now" and "save now", where the trainer can. */
function useRequests(job: Job) {
  const running = mayChange && job.status === "running";
  const { data: info } = useQuery({ ...infoQuery, enabled: running });
  const ask = useMutation({
    mutationFn: (kind: "sample" | "save") =>
      body(api.POST("/api/jobs/{job_id}/requests", { params: { path: { job_id: job.id } }, body: { kind } })),
    onSuccess: ({ kind }) => notify(S.job.asked[kind]),
  });
  const can = info?.trainers.find((trainer) => trainer.name === job.trainer)?.capabilities ?? [];
  return {
    ask: ask.mutate,
    sample: running && can.includes("sample_now"),
    save: running && can.includes("save_now"),
  };
}

function Requests({ job }: { job: Job }) {
  const { ask, sample, save } = useRequests(job);
  return (
    <>
      {sample && (
        <Button onClick={() => ask("sample")}>
          <Camera aria-hidden /> {S.job.sampleNow}
        </Button>
      )}
      {save && (
        <Button onClick={() => ask("save")}>
          <Save aria-hidden /> {S.job.saveNow}
        </Button>
      )}
    </>
  );
}

/** What is less often wanted; on a phone all of it. */
function MoreMenu({ job, onShare, onGone }: { job: Job; onShare: () => void; onGone: () => void }) {
  const { cancelMany, removeMany, resume } = useJobActions();
  const { ask, sample, save } = useRequests(job);
  const startNext = useStartNext();
  const navigate = useNavigate();
  return (
    <Menu
      trigger={
        <IconButton label={S.job.more}>
          <Ellipsis />
        </IconButton>
      }
    >
      <div className="md:hidden">
        {canResume(job) && (
          <MenuItem onSelect={() => resume.mutate(job.id)}>
            <RotateCw aria-hidden /> {S.job.resume}
          </MenuItem>
        )}
        {sample && (
          <MenuItem onSelect={() => ask("sample")}>
            <Camera aria-hidden /> {S.job.sampleNow}
          </MenuItem>
        )}
        {save && (
          <MenuItem onSelect={() => ask("save")}>
            <Save aria-hidden /> {S.job.saveNow}
          </MenuItem>
        )}
        {canCancel(job) && (
          <MenuItem onSelect={() => void cancelMany([job])}>
            <Square aria-hidden /> {S.job.cancel}
          </MenuItem>
        )}
        <MenuItem asChild>
          <a href={bundleUrl(job.id)} download>
            <Package aria-hidden /> {S.job.bundle}
          </a>
        </MenuItem>
        <MenuSeparator />
      </div>
      {mayChange && job.status === "queued" && (
        <MenuItem onSelect={() => startNext.mutate(job.id)}>
          <ChevronsUp aria-hidden /> {S.queue.startNext}
        </MenuItem>
      )}
      {mayChange && (
        <MenuItem onSelect={() => void navigate({ to: "/new", search: { like: job.id } })}>
          <CopyPlus aria-hidden /> {S.job.like}
        </MenuItem>
      )}
      {!isShared && (
        <MenuItem onSelect={() => void navigate({ to: "/compare", search: { jobs: job.id } })}>
          <Columns3 aria-hidden /> {S.job.compare}
        </MenuItem>
      )}
      <MenuItem onSelect={() => void copyText(window.location.href).then(() => notify(S.copied))}>
        <Link2 aria-hidden /> {S.job.share}
      </MenuItem>
      {isLoggedIn && (
        <MenuItem onSelect={onShare}>
          <Share2 aria-hidden /> {mayChange ? S.share.open : S.share.see}
        </MenuItem>
      )}
      {canDelete(job) && (
        <>
          <MenuSeparator />
          <MenuItem
            className="text-bad"
            onSelect={() => void removeMany([job]).then((gone) => gone && onGone())}
          >
            <Trash2 aria-hidden /> {S.job.remove}
          </MenuItem>
        </>
      )}
    </Menu>
  );
}
