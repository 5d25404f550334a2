/** An image that is tried again when the connection comes back: a server's restart leaves no broken pictures. */
import { useState, type ComponentProps } from "react";
import type { LiveHub } from "@/api/live/hub";
import { useLive } from "@/api/live/react";
import { cn } from "@/lib/cn";

const readLink = (hub: LiveHub) => hub.link;

interface PictureProps extends ComponentProps<"img"> {
  alt: string;
  /** Show nothing, not even its words, while it cannot be had. */
  hideBroken?: boolean;
}

export function Picture({ alt, className, hideBroken = false, ...props }: PictureProps) {
  const link = useLive(readLink);
  const [failed, setFailed] = useState(false);
  return (
    <img
      // A new key is a new element, which asks anew.
      key={failed ? link : "shown"}
      alt={alt}
      onError={() => setFailed(true)}
      onLoad={() => setFailed(false)}
      className={cn(
        "overflow-hidden text-2xs text-ink-3",
        failed && link === "reconnecting" && "text-transparent",
        failed && hideBroken && "invisible",
        className,
      )}
      {...props}
    />
  );
}
