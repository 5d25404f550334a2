/** Two images on top of each other; a handle moves the border between them. */
import { useId } from "react";
import type { Artifact } from "@/api/types";
import { cn } from "@/lib/cn";
import { S } from "@/strings";
import { Picture } from "@/components/ui/picture";
import { thumbnail } from "@/lib/thumbnail";

export function Wipe({
  left,
  right,
  leftName,
  rightName,
  share,
  onShare,
  drawn,
  className,
}: {
  left: Artifact;
  right: Artifact;
  leftName: string;
  rightName: string;
  /** How much of the left image is shown, in percent: kept above, so that several move together. */
  share: number;
  onShare: (share: number) => void;
  /** CSS pixels across, at most, where it is drawn small; in full size where left out. */
  drawn?: number;
  className?: string;
}) {
  const id = useId();
  const sources = ({ url }: Artifact) => (drawn === undefined ? { src: url } : thumbnail(url, drawn));
  return (
    <div
      className={cn(
        "relative aspect-square w-full overflow-hidden rounded-md bg-sunken select-none",
        className,
      )}
      data-wipe={share}
    >
      <Picture
        {...sources(right)}
        alt={`${right.prompt ?? ""} ${rightName}`}
        className="absolute inset-0 size-full object-contain"
        draggable={false}
      />
      <Picture
        {...sources(left)}
        alt={`${left.prompt ?? ""} ${leftName}`}
        className="absolute inset-0 size-full object-contain"
        style={{ clipPath: `inset(0 ${100 - share}% 0 0)` }}
        draggable={false}
      />
      <span
        aria-hidden
        className="absolute inset-y-0 w-0.5 -translate-x-1/2 bg-signal"
        style={{ left: `${share}%` }}
      >
        <span className="absolute top-1/2 left-1/2 grid size-8 -translate-1/2 place-items-center rounded-full bg-signal text-on-signal">
          ⇔
        </span>
      </span>
      <Tag className="left-1.5">{leftName}</Tag>
      <Tag className="right-1.5">{rightName}</Tag>
      <label htmlFor={id} className="sr-only">
        {S.samples.wipe}
      </label>
      <input
        id={id}
        type="range"
        min={0}
        max={100}
        value={share}
        onChange={(event) => onShare(event.target.valueAsNumber)}
        className="absolute inset-0 size-full cursor-ew-resize touch-pan-y opacity-0 focus-visible:opacity-100 focus-visible:[accent-color:transparent] focus-visible:bg-transparent"
      />
    </div>
  );
}

function Tag({ className, children }: { className: string; children: string }) {
  return (
    <span
      aria-hidden
      className={`absolute bottom-1.5 rounded-sm bg-surface px-1.5 text-2xs text-ink ${className}`}
    >
      {children}
    </span>
  );
}
