/** Short names for the generated types. Nothing here is written by hand but the names. */
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Job = Schemas["JobView"];
export type JobStatus = Job["status"];
export type Stage = Job["stage"];
export type Gpu = Schemas["GpuView"];
export type Character = Schemas["CharacterView"];
export type CharacterImage = Schemas["ImageView"];
export type UploadResult = Schemas["UploadResult"];
export type Finding = Schemas["FindingView"];
export type Preflight = Schemas["Preflight"];
export type LogEntry = Schemas["LogEntry"];
export type LogPage = Schemas["LogPage"];
export type LogLevel = LogEntry["level"];
export type Metrics = Schemas["Metrics"];
export type MetricPoint = Schemas["MetricPoint"];
export type Artifact = Schemas["Artifact"];
export type ShareLink = Schemas["ShareLinkView"];
export type StageView = Schemas["StageView"];
export type MemoryNeed = Schemas["MemoryNeed"];
export type Trace = Schemas["Trace"];
export type TraceEntry = Schemas["TraceEntry"];
export type Info = Schemas["Info"];
export type Trainer = Schemas["TrainerView"];
/** A progress frame's data; the stream leaves out what is not known. */
export type ProgressData = Partial<Schemas["ProgressData"]> & { job_id: string; ts: string };

export const TERMINAL: readonly JobStatus[] = ["completed", "failed", "cancelled"];

export function isTerminal(status: JobStatus): boolean {
  return TERMINAL.includes(status);
}
