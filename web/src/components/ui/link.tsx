import { createLink } from "@tanstack/react-router";
import type { ComponentProps } from "react";
import { Button, type ButtonProps } from "./button";

function Anchor({
  tone,
  size,
  className,
  children,
  ...props
}: ComponentProps<"a"> & Pick<ButtonProps, "tone" | "size">) {
  return (
    <Button asChild tone={tone} size={size} className={className}>
      <a {...props}>{children}</a>
    </Button>
  );
}

/** A link within the page that looks like a button. */
export const ButtonLink = createLink(Anchor);
