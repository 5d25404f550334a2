import type { ErrorComponentProps } from "@tanstack/react-router";
import { Button } from "@/components/ui/button";
import { ButtonLink } from "@/components/ui/link";
import { PageHeader } from "@/components/ui/page";
import { Empty } from "@/components/ui/states";
import { S } from "@/strings";
import { actor } from "./actor";

export function NotFoundPage() {
  return (
    <>
      <PageHeader title={S.notFoundTitle} />
      <Empty title={S.notFound} className="panel">
        <ButtonLink to="/" className="mt-2">
          {S.toJobs}
        </ButtonLink>
      </Empty>
    </>
  );
}

/** What a share link shows of every address but its own. */
export function SharedOnlyPage() {
  return (
    <Empty title={S.shared.only}>
      <p className="mb-4">{S.shared.onlyText}</p>
      {actor.job_id && (
        <ButtonLink to="/jobs/$jobId" params={{ jobId: actor.job_id }} tone="primary">
          {S.shared.toJob}
        </ButtonLink>
      )}
    </Empty>
  );
}

export function CrashPage({ error }: ErrorComponentProps) {
  return (
    <main className="mx-auto max-w-2xl p-6">
      <Empty title={S.crashed}>
        <pre className="my-4 max-h-60 overflow-auto rounded-md bg-sunken p-3 text-left font-mono text-xs whitespace-pre-wrap">
          {error instanceof Error ? error.message : String(error)}
        </pre>
        <Button onClick={() => window.location.reload()}>{S.reload}</Button>
      </Empty>
    </main>
  );
}
