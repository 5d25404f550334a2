import type { LogLevel } from "@/api/types";

export const LEVELS: readonly LogLevel[] = ["DEBUG", "INFO", "WARN", "ERROR"];

export const LEVEL_INK: Record<LogLevel, string> = {
  DEBUG: "text-ink-3",
  INFO: "text-ink",
  WARN: "text-warn",
  ERROR: "text-bad",
};

export const LEVEL_BADGE: Record<LogLevel, string> = {
  DEBUG: "text-ink-3",
  INFO: "text-info",
  WARN: "bg-warn-soft text-warn",
  ERROR: "bg-bad-soft text-bad",
};

export const EVENTS = [
  "log",
  "job.stage",
  "training.step",
  "training.sample",
  "training.checkpoint",
  "subprocess.start",
  "subprocess.stdout",
  "subprocess.stderr",
  "subprocess.exit",
  "gpu.metrics",
  "job.created",
  "job.queued",
  "job.started",
  "job.completed",
  "job.failed",
  "job.cancelled",
  "job.resumed",
  "job.adopted",
] as const;
