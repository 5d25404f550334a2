/** The page's only `EventSource`.

    The browser reconnects by itself with `Last-Event-ID` after a broken connection. It gives up for good when the
    server answers with anything but a stream (a proxy's 502, a restart that refuses, the 204 after a job's last
    line); this class then asks whether the stream is over and otherwise opens a new one with `?after=`, so that no
    line is lost and none comes twice. Frames at or below the last one seen are dropped all the same. */

export type LinkState = "connecting" | "live" | "reconnecting" | "ended";

export interface Frame {
  type: string;
  /** The `id:` of the frame; empty if it had none. */
  id: string;
  data: unknown;
}

export interface SourceOptions {
  url: string;
  /** Event types to listen to. */
  types: readonly string[];
  onFrame: (frame: Frame) => void;
  onState: (state: LinkState) => void;
  /** Whether `id` is the last there will be; asked only after the server refused a connection. */
  isOver: (lastId: string) => Promise<boolean>;
  /** Frame types after which nothing follows. */
  last?: readonly string[];
}

const FIRST_RETRY = 500;
const LAST_RETRY = 10_000;

export class LiveSource {
  private source: EventSource | null = null;
  private lastId = "";
  private retry = FIRST_RETRY;
  private timer: number | null = null;
  private closed = false;

  constructor(private readonly options: SourceOptions) {}

  /** Connects; with `after` it goes on behind that frame. */
  open(after = ""): void {
    this.lastId = after;
    this.options.onState("connecting");
    this.connect();
    window.addEventListener("online", this.connectNow);
  }

  close(): void {
    this.closed = true;
    window.removeEventListener("online", this.connectNow);
    if (this.timer !== null) window.clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  private connect(): void {
    const { url, types } = this.options;
    const source = new EventSource(this.lastId ? `${url}?after=${encodeURIComponent(this.lastId)}` : url);
    this.source = source;
    source.addEventListener("open", () => {
      this.retry = FIRST_RETRY;
      this.options.onState("live");
    });
    source.addEventListener("error", () => this.failed(source));
    for (const type of types) source.addEventListener(type, (event) => this.received(source, type, event));
  }

  private received(source: EventSource, type: string, event: Event): void {
    // A connection error is an event named `error` too, but carries no data.
    if (!(event instanceof MessageEvent) || source !== this.source) return;
    const id = event.lastEventId;
    if (this.isRepeat(id, type)) return;
    this.lastId = id;
    this.options.onFrame({ type, id, data: JSON.parse(event.data as string) as unknown });
    if (this.options.last?.includes(type)) this.end();
  }

  /** A snapshot carries the id of the line it stands at, which may be the one already seen. */
  private isRepeat(id: string, type: string): boolean {
    if (type === "snapshot" || id === "" || this.lastId === "") return false;
    const seq = Number(id);
    return Number.isInteger(seq) && seq <= Number(this.lastId);
  }

  private failed(source: EventSource): void {
    if (source !== this.source || this.closed) return;
    this.options.onState("reconnecting");
    if (source.readyState !== EventSource.CLOSED) return;
    this.source = null;
    void this.options
      .isOver(this.lastId)
      .catch(() => false)
      .then((over) => {
        if (this.closed) return;
        if (over) this.end();
        else this.later();
      });
  }

  private later(): void {
    this.timer = window.setTimeout(this.connectNow, this.retry);
    this.retry = Math.min(LAST_RETRY, this.retry * 2);
  }

  private readonly connectNow = (): void => {
    if (this.closed || this.source) return;
    if (this.timer !== null) window.clearTimeout(this.timer);
    this.timer = null;
    this.connect();
  };

  private end(): void {
    this.close();
    this.options.onState("ended");
  }
}
