import { useLive } from "@/api/live/react";
import type { LiveHub } from "@/api/live/hub";
import { cn } from "@/lib/cn";
import { S } from "@/strings";

const readLink = (hub: LiveHub) => hub.link;

/** Whether the page is live. A lost connection is visible but does not shout: what is missed is caught up. */
export function LinkStateMark({ compact, className }: { compact?: boolean; className?: string }) {
  const link = useLive(readLink);
  const lost = link === "reconnecting";
  return (
    <span
      role="status"
      data-link={link}
      title={lost ? S.link.reconnectingHint : S.link.liveHint}
      className={cn(
        "inline-flex items-center gap-1.5 text-2xs whitespace-nowrap",
        lost ? "text-warn" : "text-ink-3",
        className,
      )}
    >
      <span
        className={cn("size-2 rounded-full", link === "live" ? "bg-signal" : "bg-warn animate-breathe")}
        aria-hidden
      />
      <span className={cn(compact && lost && "md:text-[0.625rem]", compact && !lost && "sr-only")}>
        {S.link[link]}
      </span>
    </span>
  );
}
