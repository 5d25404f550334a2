import type { ComponentProps } from "react";
import { cn } from "@/lib/cn";

const box =
  "h-8 w-full rounded-md border border-edge bg-well px-2.5 text-sm font-normal text-ink transition-colors hover:border-ink-3 aria-invalid:border-bad pointer-coarse:h-11 pointer-coarse:text-[1rem]";

export function Input({ className, ...props }: ComponentProps<"input">) {
  return <input className={cn(box, className)} {...props} />;
}

export function Textarea({ className, ...props }: ComponentProps<"textarea">) {
  return <textarea className={cn(box, "h-auto min-h-16 py-1.5 leading-snug", className)} {...props} />;
}

/** The platform's own select: best on a phone, complete for the keyboard, nothing to load. */
export function Select({ className, ...props }: ComponentProps<"select">) {
  return <select className={cn(box, "w-auto max-w-full min-w-0 pr-1", className)} {...props} />;
}

export function Checkbox({ className, ...props }: Omit<ComponentProps<"input">, "type">) {
  return (
    <input
      type="checkbox"
      className={cn(
        "grid size-4 shrink-0 cursor-pointer appearance-none place-items-center rounded-sm border border-edge bg-well",
        "checked:border-signal checked:bg-signal checked:after:text-xs checked:after:leading-none checked:after:font-bold checked:after:text-on-signal checked:after:content-['✓']",
        "disabled:opacity-50 pointer-coarse:size-5.5",
        className,
      )}
      {...props}
    />
  );
}
