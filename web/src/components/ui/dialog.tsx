/** Dialogs over the page: Radix for focus and names, our own shade. */
import * as Radix from "@radix-ui/react-dialog";
import { X } from "lucide-react";
import type { ReactNode } from "react";
import { cn } from "@/lib/cn";
import { S } from "@/strings";
import { IconButton } from "./button";

export interface DialogProps {
  open: boolean;
  onClose: () => void;
  title: ReactNode;
  /** Keeps the title for screen readers only. */
  hideTitle?: boolean;
  description?: ReactNode;
  className?: string;
  children: ReactNode;
}

export function Dialog({ open, onClose, title, hideTitle, description, className, children }: DialogProps) {
  return (
    <Radix.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 bg-shade animate-fade" />
        <Radix.Content
          aria-describedby={description ? undefined : ""}
          className={cn(
            "fixed top-1/2 left-1/2 z-50 flex max-h-[88dvh] w-[min(92vw,34rem)] -translate-1/2 flex-col overflow-auto rounded-lg border bg-surface p-5 shadow-lift animate-fade focus:outline-none",
            className,
          )}
        >
          {hideTitle ? (
            <Radix.Title className="sr-only">{title}</Radix.Title>
          ) : (
            <div className="mb-3 flex items-start justify-between gap-4">
              <Radix.Title className="text-lg font-semibold">{title}</Radix.Title>
              <Radix.Close asChild>
                <IconButton label={S.close} className="-mt-1 -mr-2">
                  <X />
                </IconButton>
              </Radix.Close>
            </div>
          )}
          {description && (
            <Radix.Description className="mb-4 text-sm text-ink-2">{description}</Radix.Description>
          )}
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
