/** What the page knows live about the one job that is open.

    Frames are folded in as they come and cost a few numbers each; whoever shows them is told at most once a frame.
    Log lines are not kept here: the stream only says how far the journal has come, and the log reads its pages
    from the server, so that what it shows is the journal and its memory does not grow. */
import { Columns } from "@/lib/columns";
import { isTerminal, type Gpu, type Job, type LogEntry, type ProgressData } from "../types";
import type { Frame } from "./source";

/** Live points kept until the next read of the whole series takes them over. */
const TAIL = 8192;

export type TailKey = "step" | "loss" | "lr" | "ts" | "attempt" | "seq";

export class JobLive {
  readonly tail = new Columns<TailKey>(["step", "loss", "lr", "ts", "attempt", "seq"], TAIL);
  /** Number of the newest line the stream has told of. */
  lastSeq = 0;
  job: Job | null = null;
  /** Counts what makes the list of artifacts stale. */
  artifacts = 0;
  /** Lines of level WARN that came while the page was open, newest last. */
  warnings: LogEntry[] = [];
  /** Counts readings of GPU and machine. */
  readings = 0;
  /** Counts the beginnings of the stream: what was read before one may lack what came in between. */
  begun = 0;

  constructor(readonly id: string) {}

  apply(frame: Frame): void {
    if (frame.type === "snapshot") {
      this.job = frame.data as Job;
      this.lastSeq = Math.max(this.lastSeq, this.job.last_seq);
      this.begun += 1;
      return;
    }
    const seq = Number(frame.id);
    if (Number.isInteger(seq)) this.lastSeq = Math.max(this.lastSeq, seq);
    if (frame.type === "log") this.logged(frame.data as LogEntry);
    else this.progressed(frame.type, frame.data as ProgressData, seq);
  }

  private logged(entry: LogEntry): void {
    if (entry.level === "WARN") this.warnings = [...this.warnings.slice(-19), entry];
    if (entry.event === "gpu.metrics") this.measured(entry);
  }

  private measured(entry: LogEntry): void {
    this.readings += 1;
    const gpu = (entry.fields as { gpu?: Gpu }).gpu;
    if (this.job) this.job = { ...this.job, gpu: gpu ?? this.job.gpu, last_event_at: entry.timestamp };
  }

  private progressed(type: string, data: ProgressData, seq: number): void {
    if (this.job) this.job = merged(this.job, data, seq);
    if (type === "sample" || type === "checkpoint" || type === "complete") this.artifacts += 1;
    if (type === "progress" && data.step != null && data.loss !== undefined) {
      this.tail.push({
        step: data.step,
        loss: data.loss ?? NaN,
        lr: data.lr ?? NaN,
        ts: Date.parse(data.ts),
        attempt: data.attempt ?? 1,
        seq,
      });
    }
  }

  /** Drops live points that a freshly read series holds. */
  taken(untilSeq: number): void {
    this.tail.dropWhile((index) => this.tail.at("seq", index) <= untilSeq);
  }
}

/** The job after a progress frame: what the frame does not say stays. */
export function merged(job: Job, data: ProgressData, seq: number): Job {
  const next: Job = { ...job, last_seq: Math.max(job.last_seq, seq), last_event_at: data.ts };
  if (data.status) next.status = data.status;
  if (data.stage) next.stage = data.stage;
  if (data.step != null) next.current_step = data.step;
  if (data.steps_total != null) next.total_steps = data.steps_total;
  if (data.progress_pct != null) next.progress = data.progress_pct;
  if (data.loss != null) next.current_loss = data.loss;
  if (data.lr != null) next.lr = data.lr;
  if (data.it_per_s != null) next.it_per_s = data.it_per_s;
  if (data.eta_seconds != null) next.eta_seconds = data.eta_seconds;
  if (data.status === "running") next.started_at ??= data.ts;
  if (data.attempt != null) next.attempt = data.attempt;
  if (data.gpu) next.gpu = data.gpu;
  if (data["hosted"] === true && typeof data["host"] === "string") next.host = data["host"];
  if (data.phase !== undefined || (data.stage && data.stage !== job.stage)) {
    next.phase = data.phase ?? null;
    next.phase_pct = data.phase_pct ?? null;
  }
  if (data.error != null) next.error_message = data.error;
  if (data.error_type != null) next.error_type = data.error_type;
  if (data.status && isTerminal(data.status)) {
    next.completed_at = data.ts;
    next.eta_seconds = null;
  } else if (data.status && isTerminal(job.status)) {
    next.completed_at = null;
    next.error_message = null;
    next.error_type = null;
  }
  return next;
}
