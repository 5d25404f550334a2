/** Decides what the page's one stream is connected to, and hands its frames on.

    While a job that is still going on is open, the stream is that job's; at any other time it is the global one, which
    also tells when an ended job that is open is resumed. A browser allows six connections to a server, so a second
    stream per tab would halve the number of tabs that work (docs/decisions/0072). */
import type { QueryClient } from "@tanstack/react-query";
import { isShared } from "@/app/actor";
import { FramePacer } from "@/lib/frame";
import { api, body } from "../client";
import { storeJob, withJobs } from "../queries";
import { isTerminal, type Job } from "../types";
import { JobLive } from "./job-live";
import { LiveSource, type Frame, type LinkState } from "./source";
import { Sparks, type Spark } from "./sparks";

const JOB_FRAMES = ["snapshot", "progress", "log", "sample", "checkpoint", "complete", "error"];
const LIST_FRAMES = ["snapshot", "job", "removed"];

/** How often the open job is written where everything but its running figures reads it (`useLiveJob`), ms. */
const STORED_EVERY = 500;

export interface JobChange {
  before: Job | undefined;
  after: Job;
}

export class LiveHub {
  readonly sparks = new Sparks();
  link: LinkState = "connecting";
  /** The open job, if one is open. */
  open: JobLive | null = null;
  /** Counts paints, for subscribers that compare. */
  version = 0;

  private source: LiveSource | null = null;
  private connectedTo = "";
  private readonly listeners = new Set<() => void>();
  private readonly outcomes = new Set<(change: JobChange) => void>();
  private readonly pacer = new FramePacer(() => this.paint());
  private changed = new Map<string, Job>();
  private removed = new Set<string>();
  private storedJob: Job | null = null;
  /** Jobs seen before their end: one may begin and end between two paints, above all in a tab that is not looked at. */
  private readonly underway = new Set<string>();
  private seenArtifacts = 0;
  private seenBegun = 0;
  private storedAt = 0;
  private storeTimer: number | null = null;

  constructor(private readonly client: QueryClient) {}

  start(): () => void {
    this.choose();
    const rearm = () => this.pacer.rearm();
    document.addEventListener("visibilitychange", rearm);
    return () => {
      document.removeEventListener("visibilitychange", rearm);
      this.source?.close();
      this.source = null;
      this.connectedTo = "";
      this.pacer.cancel();
      this.forgetStore();
    };
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Hears of every job that reaches an end while the page is open. */
  onOutcome(listener: (change: JobChange) => void): () => void {
    this.outcomes.add(listener);
    return () => this.outcomes.delete(listener);
  }

  /** Opens a job (as far as it is known), or none. */
  show(id: string | null, known?: Job): void {
    if (id !== (this.open?.id ?? null)) {
      if (this.open?.job) storeJob(this.client, this.open.job);
      this.open = id ? new JobLive(id) : null;
      this.seenArtifacts = 0;
      this.seenBegun = 0;
      this.storedJob = null;
      this.forgetStore();
    }
    if (this.open && known && (this.open.job?.last_seq ?? -1) <= known.last_seq) this.open.job = known;
    this.choose();
    this.pacer.request();
  }

  /** Takes the history of a job's loss for its sparkline. */
  seedSpark(id: string, history: Spark): void {
    this.sparks.seed(id, history);
    this.pacer.request();
  }

  /** Takes a job's state that an answer brought, and connects accordingly. */
  learn(job: Job): void {
    storeJob(this.client, job);
    if (this.open?.id === job.id) this.show(job.id, job);
  }

  private choose(): void {
    const job = this.open?.job;
    const url =
      this.open && job && !isTerminal(job.status)
        ? `/api/jobs/${encodeURIComponent(this.open.id)}/stream`
        : "/api/stream";
    if (url === this.connectedTo) return;
    this.source?.close();
    this.connectedTo = url;
    if (isShared && url === "/api/stream") {
      this.link = "live"; // a shared job that is over: nothing more will come
      return;
    }
    this.source = url === "/api/stream" ? this.listSource() : this.jobSource(url, this.open?.id ?? "");
    this.source.open();
  }

  private listSource(): LiveSource {
    return new LiveSource({
      url: "/api/stream",
      types: LIST_FRAMES,
      onFrame: (frame) => this.listFrame(frame),
      onState: (state) => this.linked(state),
      isOver: () => Promise.resolve(false),
    });
  }

  private jobSource(url: string, id: string): LiveSource {
    return new LiveSource({
      url,
      types: JOB_FRAMES,
      last: ["complete", "error"],
      onFrame: (frame) => this.jobFrame(id, frame),
      onState: (state) => this.linked(state),
      isOver: async (lastId) => {
        const job = await body(api.GET("/api/training/{job_id}", { params: { path: { job_id: id } } }));
        return isTerminal(job.status) && job.last_seq <= Number(lastId);
      },
    });
  }

  private linked(state: LinkState): void {
    // After a job's last line the page goes back to the global stream; there is nothing to tell the reader.
    if (state === "ended") {
      this.ended();
      return;
    }
    if (state === "live" && this.link === "reconnecting") this.askAgain();
    this.link = state;
    this.pacer.request();
  }

  /** The server is back: what failed while it was away is asked again. */
  private askAgain(): void {
    void this.client.refetchQueries({ predicate: (query) => query.state.status === "error" });
  }

  private ended(): void {
    const id = this.open?.id;
    if (id) {
      void this.client.invalidateQueries({ queryKey: ["job", id] });
      void this.client.invalidateQueries({ queryKey: ["jobs"] });
    }
    this.choose();
  }

  private jobFrame(id: string, frame: Frame): void {
    if (this.open?.id !== id) return;
    this.open.apply(frame);
    this.pacer.request();
  }

  private listFrame(frame: Frame): void {
    if (frame.type === "job") this.change(frame.data as Job);
    else if (frame.type === "removed") this.removed.add((frame.data as { id: string }).id);
    else this.snapshot((frame.data as { jobs: Job[] }).jobs);
    this.pacer.request();
  }

  private change(job: Job): void {
    this.changed.set(job.id, job);
    if (!isTerminal(job.status)) this.underway.add(job.id);
  }

  /** The snapshot holds what is not over. A job the page holds as active and that is missing ended unseen. */
  private snapshot(jobs: Job[]): void {
    for (const job of jobs) this.change(job);
    const active = new Set(jobs.map((job) => job.id));
    const known = this.client.getQueryData<Job[]>(["jobs"]);
    if (known?.some((job) => !isTerminal(job.status) && !active.has(job.id)))
      void this.client.invalidateQueries({ queryKey: ["jobs"] });
  }

  private paint(): void {
    this.version += 1;
    this.paintList();
    this.paintOpen();
    for (const listener of this.listeners) listener();
  }

  private paintList(): void {
    if (this.changed.size === 0 && this.removed.size === 0) return;
    const changed = [...this.changed.values()].filter((job) => !this.removed.has(job.id));
    const removed = this.removed;
    this.changed = new Map();
    this.removed = new Set();
    const before = this.client.getQueryData<Job[]>(["jobs"]);
    if (before) {
      const kept = removed.size > 0 ? before.filter((job) => !removed.has(job.id)) : before;
      this.client.setQueryData<Job[]>(["jobs"], withJobs(kept, changed));
    }
    for (const job of changed) {
      this.sparks.add(job);
      this.tell({ before: before?.find((known) => known.id === job.id), after: job });
      if (this.open?.id === job.id) this.show(job.id, job);
    }
    for (const id of removed) {
      this.sparks.forget(id);
      this.underway.delete(id);
    }
  }

  private paintOpen(): void {
    const open = this.open;
    if (!open) return;
    if (open.job && open.job !== this.storedJob) this.storeOpen(open.job);
    const begun = open.begun !== this.seenBegun;
    this.seenBegun = open.begun;
    if (begun) void this.client.invalidateQueries({ queryKey: ["job", open.id, "metrics"] });
    if (begun || open.artifacts !== this.seenArtifacts) {
      this.seenArtifacts = open.artifacts;
      void this.client.invalidateQueries({ queryKey: ["job", open.id, "artifacts"] });
    }
  }

  /** Steps are written at a pace, with the last one always among them; a change of state at once. */
  private storeOpen(job: Job): void {
    const wait = isSameState(job, this.storedJob) ? this.storedAt + STORED_EVERY - performance.now() : 0;
    if (wait > 0) {
      this.storeTimer ??= window.setTimeout(() => {
        this.storeTimer = null;
        this.pacer.request();
      }, wait);
      return;
    }
    this.forgetStore();
    const before = this.client.getQueryData<Job>(["job", job.id]);
    this.storedJob = job;
    this.storedAt = performance.now();
    this.sparks.add(job);
    storeJob(this.client, job);
    this.tell({ before, after: job });
  }

  private forgetStore(): void {
    if (this.storeTimer !== null) window.clearTimeout(this.storeTimer);
    this.storeTimer = null;
  }

  private tell(change: JobChange): void {
    if (!isTerminal(change.after.status)) return;
    const wasUnderway = this.underway.delete(change.after.id);
    if (wasUnderway || (change.before && !isTerminal(change.before.status)))
      for (const listener of this.outcomes) listener(change);
  }
}

/** Whether the two differ in figures only. */
function isSameState(job: Job, known: Job | null): boolean {
  return (
    known !== null &&
    job.status === known.status &&
    job.stage === known.stage &&
    job.phase === known.phase &&
    job.attempt === known.attempt
  );
}
