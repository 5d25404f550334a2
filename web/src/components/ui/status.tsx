/** A job's status and stage as people read them: a shape, a word and a colour, never a colour alone. */
import { Ban, Check, CircleDashed, Clock3, LoaderCircle, X } from "lucide-react";
import type { JobStatus } from "@/api/types";
import { cn } from "@/lib/cn";
import { S } from "@/strings";

interface StatusLook {
  icon: typeof Check;
  ink: string;
  soft: string;
  bar: string;
}

export const STATUS_LOOK: Record<JobStatus, StatusLook> = {
  queued: { icon: Clock3, ink: "text-info", soft: "bg-info-soft", bar: "bg-info" },
  running: { icon: CircleDashed, ink: "text-signal", soft: "bg-signal-soft", bar: "bg-signal" },
  cancelling: { icon: LoaderCircle, ink: "text-warn", soft: "bg-warn-soft", bar: "bg-warn" },
  completed: { icon: Check, ink: "text-ok", soft: "bg-ok-soft", bar: "bg-ok" },
  failed: { icon: X, ink: "text-bad", soft: "bg-bad-soft", bar: "bg-bad" },
  cancelled: { icon: Ban, ink: "text-ink-2", soft: "bg-raised", bar: "bg-ink-3" },
};

export function StatusBadge({ status, className }: { status: JobStatus; className?: string }) {
  const { icon: Icon, ink, soft } = STATUS_LOOK[status];
  const turns = status === "running" || status === "cancelling";
  return (
    <span
      data-status={status}
      className={cn(
        "inline-flex h-6 shrink-0 items-center gap-1.5 rounded-full px-2.5 whitespace-nowrap text-xs font-medium",
        ink,
        soft,
        className,
      )}
    >
      <Icon className={cn("size-3.5", turns && "animate-spin [animation-duration:3s]")} aria-hidden />
      {S.status[status]}
    </span>
  );
}

/** Progress as a bar with its value for screen readers. */
export function ProgressBar({
  value,
  status,
  label,
  className,
}: {
  value: number;
  status: JobStatus;
  label: string;
  className?: string;
}) {
  const share = Math.min(100, Math.max(0, value));
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(share)}
      className={cn("h-1.5 overflow-hidden rounded-full bg-sunken ring-1 ring-line ring-inset", className)}
    >
      <div
        className={cn(
          "h-full origin-left rounded-full transition-transform duration-300",
          STATUS_LOOK[status].bar,
        )}
        style={{ transform: `scaleX(${share / 100})` }}
      />
    </div>
  );
}
