import type { ReactNode } from "react";
import { cn } from "@/lib/cn";

export function Panel({
  title,
  aside,
  className,
  children,
}: {
  title: string;
  aside?: ReactNode;
  className?: string;
  children: ReactNode;
}) {
  return (
    <section className={cn("panel min-w-0 p-4", className)}>
      <div className="mb-3 flex items-center justify-between gap-3">
        <h2 className="label-caps">{title}</h2>
        {aside}
      </div>
      {children}
    </section>
  );
}
