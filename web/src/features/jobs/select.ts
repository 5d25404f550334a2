/** Which jobs the list shows, and in which order. Pure. */
import { isTerminal, type Job, type JobStatus } from "@/api/types";

export const SORTS = ["created", "name", "status", "progress", "loss", "eta"] as const;
export type Sort = (typeof SORTS)[number];
export type Direction = "asc" | "desc";
export const FILTERS = ["all", "active", "completed", "failed", "cancelled"] as const;
export type Filter = (typeof FILTERS)[number];

export interface Selection {
  search: string;
  filter: Filter;
  sort: Sort;
  direction: Direction;
}

const STATUS_ORDER: Record<JobStatus, number> = {
  running: 0,
  cancelling: 1,
  queued: 2,
  failed: 3,
  completed: 4,
  cancelled: 5,
};

export function matchesFilter(job: Job, filter: Filter): boolean {
  if (filter === "all") return true;
  return filter === "active" ? !isTerminal(job.status) : job.status === filter;
}

export function selectJobs(jobs: readonly Job[], nameOf: (job: Job) => string, by: Selection): Job[] {
  const words = by.search.toLowerCase().split(/\s+/).filter(Boolean);
  const found = jobs.filter(
    (job) => matchesFilter(job, by.filter) && words.every((word) => textOf(job, nameOf).includes(word)),
  );
  const sign = by.direction === "asc" ? 1 : -1;
  return found.sort(
    (a, b) => compare(a, b, by.sort, sign, nameOf) || b.created_at.localeCompare(a.created_at),
  );
}

function textOf(job: Job, nameOf: (job: Job) => string): string {
  return `${nameOf(job)} ${job.id} ${job.trainer} ${job.status} ${job.stage} ${job.host ?? ""}`.toLowerCase();
}

function compare(a: Job, b: Job, sort: Sort, sign: number, nameOf: (job: Job) => string): number {
  switch (sort) {
    case "created":
      return sign * a.created_at.localeCompare(b.created_at);
    case "name":
      return sign * nameOf(a).localeCompare(nameOf(b), "en", { numeric: true });
    case "status":
      return sign * (STATUS_ORDER[a.status] - STATUS_ORDER[b.status]);
    case "progress":
      return sign * (a.progress - b.progress);
    case "loss":
      return known(a.current_loss, b.current_loss, sign);
    case "eta":
      return known(a.eta_seconds, b.eta_seconds, sign);
  }
}

/** What is not known comes last, whichever way round. */
function known(a: number | null, b: number | null, sign: number): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  return sign * (a - b);
}

export function filterCounts(jobs: readonly Job[]): Record<Filter, number> {
  const counts = { all: 0, active: 0, completed: 0, failed: 0, cancelled: 0 };
  for (const job of jobs) for (const filter of FILTERS) if (matchesFilter(job, filter)) counts[filter] += 1;
  return counts;
}
