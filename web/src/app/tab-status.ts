/** The tab's title and icon: progress while a training runs, its outcome afterwards. */
import type { JobStatus } from "@/api/types";

const COLOURS: Record<JobStatus, string> = {
  queued: "#5b9bd9",
  running: "#4fd1c0",
  cancelling: "#e8b44f",
  completed: "#5fbf7f",
  failed: "#ef6b60",
  cancelled: "#8a99a3",
};

const MARKS: Partial<Record<JobStatus, string>> = { completed: "✓", failed: "✗", cancelled: "⊘" };

export interface TabStatus {
  name: string;
  status: JobStatus;
  progress: number;
}

export function titleOf(shown: TabStatus | null, page: string): string {
  if (!shown) return page ? `${page} · Isengard` : "Isengard";
  const lead = MARKS[shown.status] ?? (shown.status === "queued" ? "…" : `${Math.floor(shown.progress)} %`);
  return `${lead} ${shown.name} · Isengard`;
}

const SIZE = 32;
let canvas: HTMLCanvasElement | null = null;
let drawn = "";

/** Draws the icon anew when a whole percent or the status has changed. */
export function showIcon(shown: TabStatus | null): void {
  const link = document.querySelector<HTMLLinkElement>("link[rel=icon]");
  if (!link) return;
  const state = shown ? `${shown.status}:${Math.floor(shown.progress)}` : "";
  if (state === drawn) return;
  drawn = state;
  if (!shown) {
    link.type = "image/svg+xml";
    link.href = "/favicon.svg";
    return;
  }
  canvas ??= document.createElement("canvas");
  canvas.width = canvas.height = SIZE;
  const pen = canvas.getContext("2d");
  if (!pen) return;
  ring(pen, shown);
  link.type = "image/png";
  link.href = canvas.toDataURL("image/png");
}

function ring(pen: CanvasRenderingContext2D, { status, progress }: TabStatus): void {
  const centre = SIZE / 2;
  const share = status === "running" || status === "cancelling" ? progress / 100 : 1;
  pen.clearRect(0, 0, SIZE, SIZE);
  pen.fillStyle = "#12181d";
  pen.beginPath();
  pen.arc(centre, centre, centre, 0, 2 * Math.PI);
  pen.fill();
  pen.lineWidth = 5;
  pen.strokeStyle = "#33414a";
  pen.beginPath();
  pen.arc(centre, centre, 11, 0, 2 * Math.PI);
  pen.stroke();
  pen.strokeStyle = COLOURS[status];
  pen.beginPath();
  pen.arc(centre, centre, 11, -Math.PI / 2, -Math.PI / 2 + 2 * Math.PI * share);
  pen.stroke();
  if (status === "completed" || status === "failed") {
    pen.fillStyle = COLOURS[status];
    pen.beginPath();
    pen.arc(centre, centre, 6, 0, 2 * Math.PI);
    pen.fill();
  }
}
