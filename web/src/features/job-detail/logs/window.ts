/** A window over the journal on the server: pages are read when they come into sight, and forgotten when far away.

    What is in memory is bounded, however long the journal is; what is shown is the journal itself. Not tied to React:
    `subscribe` tells of changes, `line` and `total` answer. */
import { api, body } from "@/api/client";
import type { LogEntry, LogLevel, LogPage } from "@/api/types";

export const PAGE = 200;
/** Pages kept: about a dozen screens in each direction. */
const KEPT = 40;
/** Pages asked for at a time; those that scrolled out of sight meanwhile are not asked for at all. */
const AT_ONCE = 3;

export interface LogFilter {
  levels: readonly LogLevel[];
  event: string;
  search: string;
}

export const NO_FILTER: LogFilter = { levels: [], event: "", search: "" };

export function isFiltered(filter: LogFilter): boolean {
  return filter.levels.length > 0 || filter.event !== "" || filter.search !== "";
}

export function filterQuery(filter: LogFilter) {
  return {
    ...(filter.levels.length > 0 ? { level: filter.levels.join(",") } : {}),
    ...(filter.event ? { event: filter.event } : {}),
    ...(filter.search ? { search: filter.search } : {}),
  };
}

export type ReadPage = (offset: number, signal: AbortSignal) => Promise<Pick<LogPage, "entries" | "total">>;

export function pageReader(jobId: string, filter: LogFilter): ReadPage {
  return (offset, signal) =>
    body(
      api.GET("/api/jobs/{job_id}/logs/view", {
        params: {
          path: { job_id: jobId },
          query: { ...filterQuery(filter), offset, limit: PAGE, order: "asc" },
        },
        signal,
      }),
    );
}

export class LogWindow {
  /** Lines that the filters leave; null before the first answer. */
  total: number | null = null;
  error: unknown = null;
  /** Counts changes, for readers that compare. */
  version = 0;

  private readonly pages = new Map<number, LogEntry[]>();
  private readonly running = new Map<number, AbortController>();
  private wanted: number[] = [0];
  private refreshing = false;
  private stale = false;
  private readonly listeners = new Set<() => void>();
  private closed = false;

  constructor(private readonly read: ReadPage) {}

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** The line at `index`; undefined while its page is on the way. */
  line(index: number): LogEntry | undefined {
    return this.pages.get(Math.floor(index / PAGE))?.[index % PAGE];
  }

  /** Says which lines are in sight. */
  show(first: number, last: number): void {
    const from = Math.max(0, Math.floor(first / PAGE));
    const to = Math.max(from, Math.floor(last / PAGE));
    this.wanted = Array.from({ length: to - from + 1 }, (_, index) => from + index);
    for (const [page, request] of this.running) {
      if (this.wanted.includes(page)) continue;
      request.abort();
      this.running.delete(page);
    }
    this.load();
  }

  /** The journal has grown: reads on from the last line. Calls while a read is under way are folded into one. */
  async refresh(): Promise<void> {
    if (this.closed) return;
    if (this.refreshing) {
      this.stale = true;
      return;
    }
    this.refreshing = true;
    try {
      await this.readLast();
    } finally {
      this.refreshing = false;
    }
    if (this.stale) {
      this.stale = false;
      await this.refresh();
    }
  }

  retry(): void {
    this.error = null;
    this.load();
  }

  close(): void {
    this.closed = true;
    for (const request of this.running.values()) request.abort();
    this.running.clear();
  }

  private async readLast(): Promise<void> {
    const page = Math.floor((this.total ?? 0) / PAGE);
    const request = new AbortController();
    try {
      this.take(page, await this.read(page * PAGE, request.signal));
    } catch (error) {
      this.failed(error);
    }
  }

  private load(): void {
    if (this.closed || this.error !== null) return;
    for (const page of this.wanted) {
      if (this.running.size >= AT_ONCE) return;
      const known = this.pages.get(page);
      if (this.running.has(page) || (known && this.isWhole(page, known))) continue;
      this.fetch(page);
    }
  }

  /** A page read before the journal had grown past it has to be read again. */
  private isWhole(page: number, entries: LogEntry[]): boolean {
    return entries.length === PAGE || this.total === null || page * PAGE + entries.length >= this.total;
  }

  private fetch(page: number): void {
    const request = new AbortController();
    this.running.set(page, request);
    this.read(page * PAGE, request.signal)
      .then((answer) => {
        this.running.delete(page);
        this.take(page, answer);
        this.load();
      })
      .catch((error: unknown) => {
        if (this.running.get(page) === request) this.running.delete(page);
        if (!request.signal.aborted) this.failed(error);
      });
  }

  private take(page: number, answer: Pick<LogPage, "entries" | "total">): void {
    if (this.closed) return;
    this.error = null;
    this.total = Math.max(answer.total, this.total ?? 0);
    this.pages.delete(page);
    this.pages.set(page, answer.entries);
    this.forgetFar();
    this.tell();
  }

  private forgetFar(): void {
    for (const page of this.pages.keys()) {
      if (this.pages.size <= KEPT) return;
      if (!this.wanted.includes(page)) this.pages.delete(page);
    }
  }

  private failed(error: unknown): void {
    if (this.closed) return;
    this.error = error;
    this.tell();
  }

  private tell(): void {
    this.version += 1;
    for (const listener of this.listeners) listener();
  }
}
