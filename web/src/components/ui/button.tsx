import { Slot } from "@radix-ui/react-slot";
import { cva, type VariantProps } from "class-variance-authority";
import type { ComponentProps } from "react";
import { cn } from "@/lib/cn";

const look = cva(
  "touch-target inline-flex shrink-0 items-center justify-center gap-1.5 rounded-md border font-medium whitespace-nowrap transition-colors select-none disabled:opacity-50 [&_svg]:size-4 [&_svg]:shrink-0",
  {
    variants: {
      tone: {
        plain: "border-line bg-raised text-ink hover:border-edge",
        quiet: "border-transparent bg-transparent text-ink-2 hover:bg-raised hover:text-ink",
        primary: "border-signal bg-signal text-on-signal hover:opacity-90",
        danger: "border-bad bg-transparent text-bad hover:bg-bad-soft",
      },
      size: {
        sm: "h-7 px-2 text-xs",
        md: "h-8 px-3 text-sm",
        lg: "h-10 px-4 text-base",
        icon: "size-8 p-0",
      },
    },
    defaultVariants: { tone: "plain", size: "md" },
  },
);

export type ButtonProps = ComponentProps<"button"> & VariantProps<typeof look> & { asChild?: boolean };

export function Button({ className, tone, size, asChild, ...props }: ButtonProps) {
  const Element = asChild ? Slot : "button";
  return (
    <Element
      {...(asChild ? {} : { type: "button" })}
      className={cn(look({ tone, size }), className)}
      {...props}
    />
  );
}

/** A button that shows only an icon: its label is its name and its tooltip. */
export function IconButton({ label, ...props }: Omit<ButtonProps, "aria-label"> & { label: string }) {
  return <Button tone="quiet" size="icon" aria-label={label} title={label} {...props} />;
}
