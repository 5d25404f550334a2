import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Download } from "lucide-react";
import { useState, type ComponentProps } from "react";
import { api, body } from "@/api/client";
import { artifactsQuery } from "@/api/queries";
import type { Artifact } from "@/api/types";
import { mayChange } from "@/app/actor";
import { Button, IconButton } from "@/components/ui/button";
import { Checkbox } from "@/components/ui/field";
import { Picture } from "@/components/ui/picture";
import { thumbnail } from "@/lib/thumbnail";
import { Empty, Failed, Loading } from "@/components/ui/states";
import { Time } from "@/components/ui/time";
import { cn } from "@/lib/cn";
import { bytes, count } from "@/lib/format";
import { S } from "@/strings";
import { bundleUrl } from "./header";
import { useMoment } from "./moment";
import { Section } from "@/components/ui/panel";

/** Keeps a checkpoint from being removed, or gives it free again; shown at once, taken back if the server refuses. */
export function useKeep(jobId: string) {
  const client = useQueryClient();
  const { queryKey } = artifactsQuery(jobId);
  return useMutation({
    onMutate: ({ name, keep }) => {
      client.setQueryData(queryKey, (known) =>
        known?.map((each) =>
          each.type === "checkpoint" && each.name === name ? { ...each, kept: keep } : each,
        ),
      );
    },
    mutationFn: ({ name, keep }: { name: string; keep: boolean }) => {
      const params = { path: { job_id: jobId, filename: name } };
      const path = "/api/jobs/{job_id}/artifacts/checkpoints/{filename}/keep";
      return body(keep ? api.PUT(path, { params }) : api.DELETE(path, { params }));
    },
    onSettled: () => client.invalidateQueries({ queryKey }),
  });
}

export function ArtifactsTab({ jobId }: { jobId: string }) {
  const { data, error, refetch } = useQuery(artifactsQuery(jobId));
  if (error && !data) return <Failed error={error} onRetry={() => void refetch()} />;
  if (!data) return <Loading />;
  const of = (type: Artifact["type"]) => data.filter((each) => each.type === type);
  const base = `/api/jobs/${encodeURIComponent(jobId)}`;
  return (
    <div className="mx-auto flex max-w-5xl flex-col gap-3 p-3 md:p-4">
      {data.length === 0 && (
        <Empty title={S.artifacts.none}>
          <p>{S.artifacts.noneText}</p>
        </Empty>
      )}
      <Files jobId={jobId} title={S.artifacts.model} files={of("model")} />
      <Files jobId={jobId} title={S.artifacts.checkpoints} files={of("checkpoint").reverse()} />
      <Files jobId={jobId} title={S.artifacts.samples} files={of("sample").reverse()} />
      <Section title={S.artifacts.records}>
        <div className="flex flex-wrap gap-2">
          <Button asChild>
            <a href={`${base}/logs`} download={`${jobId}.events.jsonl`}>
              <Download aria-hidden /> {S.artifacts.journal}
            </a>
          </Button>
          <Button asChild>
            <a href={bundleUrl(jobId)} download>
              <Download aria-hidden /> {S.artifacts.bundle}
            </a>
          </Button>
        </div>
      </Section>
    </div>
  );
}

/** So many rows are in the document at first, and so many more with each click: a long run has thousands of samples. */
const ROWS = 60;
const MORE_ROWS = 300;

const intoSight = (row: HTMLElement | null) => row?.scrollIntoView({ block: "nearest" });

function Files({ jobId, title, files }: { jobId: string; title: string; files: Artifact[] }) {
  const { step, setStep } = useMoment();
  const keep = useKeep(jobId);
  const [limit, setLimit] = useState(ROWS);
  if (files.length === 0) return null;
  const isCheckpoint = files[0]?.type === "checkpoint";
  const isAt = (file: Artifact) => step !== null && file.step === step;
  // The checkpoint of the moment is among those shown, wherever it stands.
  const most = isCheckpoint ? Math.max(limit, files.findLastIndex(isAt) + 1) : limit;
  return (
    <Section title={title} aside={<span className="text-xs text-ink-3">{files.length}</span>}>
      <div className="overflow-x-auto" tabIndex={-1}>
        <table className="w-full table-fixed text-left">
          <thead className="label-caps">
            <tr>
              <Head>{S.artifacts.name}</Head>
              <Head className="w-16 text-right md:w-24">{S.artifacts.step}</Head>
              <Head className="w-20 text-right md:w-28">{S.artifacts.size}</Head>
              <Head className="w-44 pl-8 max-md:hidden">{S.artifacts.made}</Head>
              {isCheckpoint ? (
                <Head className="w-12 text-center md:w-20" title={S.artifacts.keepHint}>
                  {S.artifacts.keep}
                </Head>
              ) : (
                <td className="w-20 max-md:hidden" />
              )}
              <Head className="w-9 pointer-coarse:w-12">
                <span className="sr-only">{S.artifacts.download}</span>
              </Head>
            </tr>
          </thead>
          <tbody>
            {files.slice(0, most).map((file) => (
              <tr
                key={`${file.name}:${file.attempt ?? 1}`}
                ref={isCheckpoint && isAt(file) ? intoSight : undefined}
                aria-current={isAt(file) || undefined}
                className={cn("border-t", isAt(file) && "bg-signal-soft")}
              >
                <td className="py-1">
                  <Name file={file} />
                </td>
                <td className="text-right">
                  {file.step === null ? (
                    "–"
                  ) : (
                    <button
                      type="button"
                      className="touch-target text-right text-signal hover:underline"
                      onClick={() => setStep(file.step)}
                    >
                      {count(file.step)}
                    </button>
                  )}
                </td>
                <td className="text-right whitespace-nowrap">{bytes(file.size_bytes)}</td>
                <td className="pl-8 text-xs whitespace-nowrap text-ink-2 max-md:hidden">
                  <Time iso={file.created_at} />
                </td>
                <td className={cn("text-center", !isCheckpoint && "max-md:hidden")}>
                  {isCheckpoint && (
                    <Checkbox
                      aria-label={S.samples.keep(count(file.step))}
                      checked={file.kept}
                      disabled={!mayChange}
                      onChange={(event) => keep.mutate({ name: file.name, keep: event.target.checked })}
                      className="inline-grid align-middle"
                    />
                  )}
                </td>
                <td className="text-right">
                  <IconButton asChild label={`${S.artifacts.download} ${file.name}`}>
                    <a href={file.url} download={file.name}>
                      <Download aria-hidden />
                    </a>
                  </IconButton>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
        {files.length > most && (
          <Button tone="quiet" className="mt-2" onClick={() => setLimit(most + MORE_ROWS)}>
            {S.artifacts.more(Math.min(MORE_ROWS, files.length - most), files.length)}
          </Button>
        )}
      </div>
    </Section>
  );
}

function Head({ className, ...props }: ComponentProps<"th">) {
  return <th scope="col" className={cn("py-1 font-medium whitespace-nowrap", className)} {...props} />;
}

/** The file's name; a sample's picture and prompt with it. */
function Name({ file }: { file: Artifact }) {
  return (
    <div className="flex min-w-0 items-center gap-2.5 pr-3">
      {file.type === "sample" && (
        <Picture
          {...thumbnail(file.url, 32)}
          alt=""
          loading="lazy"
          decoding="async"
          className="size-8 shrink-0 rounded-sm"
        />
      )}
      <div className="min-w-0">
        <p className="font-mono text-xs break-words max-md:text-2xs">
          {file.name}
          {(file.attempt ?? 1) > 1 && (
            <span className="text-ink-3"> · {S.samples.attempt(file.attempt ?? 1)}</span>
          )}
        </p>
        {file.prompt && <p className="truncate text-xs text-ink-3">{file.prompt}</p>}
      </div>
    </div>
  );
}
