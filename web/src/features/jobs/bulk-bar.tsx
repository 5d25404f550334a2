import { useNavigate } from "@tanstack/react-router";
import { Columns3, Square, Trash2, X } from "lucide-react";
import { Button, IconButton } from "@/components/ui/button";
import type { Job } from "@/api/types";
import { S } from "@/strings";
import { canCancel, canDelete, useJobActions } from "./actions";

/** Appears when jobs are selected: what can be done to all of them at once. */
export function BulkBar({ jobs, onClear }: { jobs: readonly Job[]; onClear: () => void }) {
  const { cancelMany, removeMany } = useJobActions();
  const navigate = useNavigate();
  const running = jobs.filter(canCancel);
  const ended = jobs.filter(canDelete);
  return (
    <div
      role="toolbar"
      aria-label={S.jobs.selected(jobs.length)}
      className="fixed bottom-5 left-1/2 z-30 flex -translate-x-1/2 items-center gap-2 rounded-lg border bg-surface py-1.5 pr-1.5 pl-4 shadow-lift animate-rise max-md:bottom-20 max-md:w-[94vw] max-md:flex-wrap"
    >
      <span className="mr-2 font-medium whitespace-nowrap">{S.jobs.selected(jobs.length)}</span>
      <Button
        disabled={running.length === 0}
        onClick={() => void cancelMany(running).then((done) => done && onClear())}
      >
        <Square aria-hidden /> {S.jobs.cancelMany}
      </Button>
      <Button
        tone="danger"
        disabled={ended.length === 0}
        onClick={() => void removeMany(ended).then((done) => done && onClear())}
      >
        <Trash2 aria-hidden /> {S.jobs.deleteMany}
      </Button>
      <Button
        disabled={jobs.length < 2 || jobs.length > 6}
        title={S.jobs.compareHint}
        onClick={() =>
          void navigate({ to: "/compare", search: { jobs: jobs.map((job) => job.id).join(",") } })
        }
      >
        <Columns3 aria-hidden /> {S.jobs.compareMany}
      </Button>
      <IconButton label={S.jobs.clear} onClick={onClear}>
        <X />
      </IconButton>
    </div>
  );
}
