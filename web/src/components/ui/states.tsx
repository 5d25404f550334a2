/** What a place shows while it has nothing else: loading, empty, failed. */
import { CircleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { ApiError } from "@/api/client";
import { cn } from "@/lib/cn";
import { S } from "@/strings";
import { Button } from "./button";
import { CopyButton } from "./copy";

export function Loading({ label = S.loading, className }: { label?: string; className?: string }) {
  return (
    <div role="status" className={cn("flex items-center justify-center gap-2 p-10 text-ink-3", className)}>
      <span className="size-2 rounded-full bg-signal animate-breathe" aria-hidden />
      {label}
    </div>
  );
}

export function Empty({
  title,
  children,
  className,
}: {
  title: string;
  children?: ReactNode;
  className?: string;
}) {
  return (
    <div className={cn("flex flex-col items-center gap-2 px-6 py-14 text-center", className)}>
      <p className="text-base font-medium">{title}</p>
      {children && <div className="max-w-md text-ink-2">{children}</div>}
    </div>
  );
}

/** A failed request: what the server said, the id to look it up by, and another try. */
export function Failed({
  error,
  onRetry,
  className,
  children,
}: {
  error: unknown;
  onRetry?: () => void;
  className?: string;
  /** Other ways on, beside another try. */
  children?: ReactNode;
}) {
  const id = error instanceof ApiError ? error.correlationId : "";
  return (
    <div role="alert" className={cn("flex flex-col items-center gap-3 px-6 py-12 text-center", className)}>
      <CircleAlert className="size-6 text-bad" aria-hidden />
      <p className="max-w-md text-base">{error instanceof Error ? error.message : String(error)}</p>
      {id && (
        <p className="flex items-center gap-1 font-mono text-2xs text-ink-3">
          {S.correlation} {id}
          <CopyButton text={id} label={S.copyCorrelation} />
        </p>
      )}
      <div className="flex flex-wrap justify-center gap-2">
        {onRetry && <Button onClick={onRetry}>{S.tryAgain}</Button>}
        {children}
      </div>
    </div>
  );
}
