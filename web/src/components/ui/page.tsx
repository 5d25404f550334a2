import { useEffect, type ReactNode } from "react";
import { setPageTitle } from "@/app/tab-title";

/** The head of a page: its name and what can be done there. */
export function PageHeader({
  title,
  children,
  lead,
}: {
  title: string;
  children?: ReactNode;
  lead?: ReactNode;
}) {
  useEffect(() => setPageTitle(title), [title]);
  return (
    <header className="mb-4 flex min-h-9 flex-wrap items-center justify-between gap-3">
      <div>
        <h1 className="text-xl font-semibold tracking-tight">
          <bdi>{title}</bdi>
        </h1>
        {lead && <p className="text-ink-2">{lead}</p>}
      </div>
      <div className="flex max-w-full min-w-0 flex-wrap gap-2">{children}</div>
    </header>
  );
}
