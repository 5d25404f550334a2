/** What the page asks for, by key. Live frames write into the same cache (`live/`), so nothing here polls. */
import { keepPreviousData, queryOptions, type QueryClient } from "@tanstack/react-query";
import { api, body } from "./client";
import type { Artifact, Job, ShareLink, StageView } from "./types";

/** Jobs the list holds; older ones are reached through their own address. */
const LIST_LIMIT = 2000;
const PAGE = 200;

async function everyJob(signal: AbortSignal): Promise<Job[]> {
  const jobs: Job[] = [];
  let cursor: string | undefined;
  do {
    const query = { limit: PAGE, ...(cursor ? { cursor } : {}) };
    const page = await body(api.GET("/api/training", { params: { query }, signal }));
    jobs.push(...page.jobs);
    cursor = page.cursor ?? undefined;
  } while (cursor && jobs.length < LIST_LIMIT);
  return jobs;
}

export const jobsQuery = queryOptions({
  queryKey: ["jobs"],
  queryFn: ({ signal }) => everyJob(signal),
  staleTime: Infinity,
  // Replaced as a whole once a frame; comparing every job with its past would cost more than it saves.
  structuralSharing: false,
});

export const jobQuery = (id: string) =>
  queryOptions({
    queryKey: ["job", id],
    queryFn: ({ signal }) =>
      body(api.GET("/api/training/{job_id}", { params: { path: { job_id: id } }, signal })),
    staleTime: Infinity,
    structuralSharing: false,
  });

export const charactersQuery = queryOptions({
  queryKey: ["characters"],
  queryFn: ({ signal }) => body(api.GET("/api/characters", { signal })),
  staleTime: 30_000,
});

export const characterQuery = (id: string) =>
  queryOptions({
    queryKey: ["characters", id],
    queryFn: ({ signal }) =>
      body(api.GET("/api/characters/{character_id}", { params: { path: { character_id: id } }, signal })),
    staleTime: 30_000,
  });

export const imagesQuery = (id: string) =>
  queryOptions({
    queryKey: ["characters", id, "images"],
    queryFn: ({ signal }) =>
      body(
        api.GET("/api/characters/{character_id}/images", { params: { path: { character_id: id } }, signal }),
      ),
    staleTime: 30_000,
  });

export const infoQuery = queryOptions({
  queryKey: ["info"],
  queryFn: ({ signal }) => body(api.GET("/info", { signal })),
  staleTime: 5 * 60_000,
});

export const readyQuery = queryOptions({
  queryKey: ["ready"],
  queryFn: ({ signal }) => body(api.GET("/ready", { signal })),
  staleTime: 15_000,
});

export const queueQuery = queryOptions({
  queryKey: ["queue"],
  queryFn: ({ signal }) => body(api.GET("/api/queue", { signal })),
  staleTime: Infinity,
});

export const summaryQuery = (id: string) =>
  queryOptions({
    queryKey: ["job", id, "summary"],
    queryFn: ({ signal }) =>
      body(api.GET("/api/jobs/{job_id}/summary", { params: { path: { job_id: id } }, signal })),
    staleTime: 10_000,
  });

/** `state` changes whenever there is something new to read: the stream tells, nothing polls. */
export const stagesQuery = (id: string, state: readonly unknown[]) =>
  queryOptions({
    queryKey: ["job", id, "stages", ...state],
    queryFn: async ({ signal }): Promise<StageView[]> =>
      (await body(api.GET("/api/jobs/{job_id}/stages", { params: { path: { job_id: id } }, signal }))).stages,
    placeholderData: keepPreviousData,
    staleTime: Infinity,
    gcTime: 10_000,
  });

/** Only for those who are logged in: elsewhere there are no links, and a guest is not told. */
export const sharesQuery = (id: string) =>
  queryOptions({
    queryKey: ["job", id, "shares"],
    queryFn: async ({ signal }): Promise<ShareLink[]> =>
      (await body(api.GET("/api/jobs/{job_id}/share", { params: { path: { job_id: id } }, signal }))).links,
    staleTime: 10_000,
  });

export const artifactsQuery = (id: string) =>
  queryOptions({
    queryKey: ["job", id, "artifacts"],
    queryFn: async ({ signal }): Promise<Artifact[]> =>
      (await body(api.GET("/api/jobs/{job_id}/artifacts", { params: { path: { job_id: id } }, signal })))
        .artifacts,
    staleTime: Infinity,
  });

export interface MetricsRange {
  from?: number;
  to?: number;
  points: number;
}

export const metricsQuery = (id: string, keys: readonly string[], range: MetricsRange) =>
  queryOptions({
    queryKey: ["job", id, "metrics", keys.join(","), range],
    queryFn: ({ signal }) =>
      body(
        api.GET("/api/jobs/{job_id}/metrics", {
          params: {
            path: { job_id: id },
            query: {
              keys: keys.join(","),
              max_points: range.points,
              ...(range.from === undefined ? {} : { from_step: range.from }),
              ...(range.to === undefined ? {} : { to_step: range.to }),
            },
          },
          signal,
        }),
      ),
    staleTime: Infinity,
    gcTime: 60_000,
    structuralSharing: false,
    placeholderData: keepPreviousData,
  });

export const traceQuery = (id: string) =>
  queryOptions({
    queryKey: ["job", id, "trace"],
    queryFn: ({ signal }) =>
      body(
        api.GET("/api/jobs/{job_id}/trace", {
          params: { path: { job_id: id }, query: { limit: 2000 } },
          signal,
        }),
      ),
    staleTime: 5_000,
  });

/** Writes a job's new state wherever it is shown. An older state never overwrites a newer one. */
export function storeJob(client: QueryClient, job: Job): void {
  client.setQueryData<Job>(["job", job.id], (known) => (isOlder(job, known) ? known : job));
  client.setQueryData<Job[]>(["jobs"], (list) => (list ? withJobs(list, [job]) : list));
}

/** The list with `changed` put in; a new job goes on top. Returns the same list when nothing is new. */
export function withJobs(list: Job[], changed: readonly Job[]): Job[] {
  if (changed.length === 0) return list;
  const byId = new Map(changed.map((job) => [job.id, job]));
  const next = list.map((job) => {
    const fresh = byId.get(job.id);
    byId.delete(job.id);
    return fresh && !isOlder(fresh, job) ? fresh : job;
  });
  return [...[...byId.values()].sort((a, b) => b.created_at.localeCompare(a.created_at)), ...next];
}

function isOlder(job: Job, known: Job | undefined): boolean {
  return known !== undefined && job.last_seq < known.last_seq;
}
