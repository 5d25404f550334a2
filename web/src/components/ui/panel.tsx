/** A framed part of a page with a small heading. */
import type { ReactNode } from "react";
import { cn } from "@/lib/cn";

export interface PanelProps {
  title: string;
  aside?: ReactNode;
  className?: string;
  children: ReactNode;
  /** One below the heading it stands under. */
  heading?: "h2" | "h3";
}

export function Panel({ title, aside, className, children, heading: Heading = "h2" }: PanelProps) {
  return (
    <section className={cn("panel min-w-0 p-3.5 md:p-4", className)}>
      <div className="mb-2.5 flex items-center justify-between gap-3">
        <Heading className="label-caps">{title}</Heading>
        {aside}
      </div>
      {children}
    </section>
  );
}

/** A panel inside an open job, whose title is a heading of its own. */
export function Section(props: Omit<PanelProps, "heading">) {
  return <Panel heading="h3" {...props} />;
}
