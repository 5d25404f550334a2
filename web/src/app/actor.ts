/** Who the server takes the reader for: written into the page by the server, so that it is known before any request.

    The server decides what is allowed; this only keeps the page from offering what would be refused. */
export interface Actor {
  name: string;
  role: "operator" | "viewer";
  /** The one job that a share link shows; null for all. */
  job_id: string | null;
}

/** Whoever reaches a server without tokens. */
const LOCAL: Actor = { name: "local", role: "operator", job_id: null };

export function actorOf(told: string | undefined): Actor {
  try {
    return { ...LOCAL, ...(JSON.parse(told ?? "") as Partial<Actor>) };
  } catch {
    return LOCAL; // served by the development server, which knows nobody
  }
}

export const actor = actorOf(document.querySelector<HTMLMetaElement>("meta[name=isengard-actor]")?.content);

/** Whether the page offers to start, stop, change and delete. */
export const mayChange = actor.role === "operator";
/** Whether the page shows one shared job and nothing around it. */
export const isShared = actor.job_id !== null;
/** Whether there is somebody to log out. */
export const isLoggedIn = actor.name !== LOCAL.name && !isShared;

/** Where an address lies for the reader: a share link's start page is its one job, everything but that is elsewhere. */
export function placeFor(reader: Actor, pathname: string): "here" | "start" | "elsewhere" {
  if (reader.job_id === null) return "here";
  if (pathname === "/") return "start";
  return pathname.replace(/\/$/, "") === `/jobs/${reader.job_id}` ? "here" : "elsewhere";
}

/** To the login page, and back here afterwards. */
export function logIn(): void {
  const here = window.location.pathname + window.location.search;
  window.location.assign(`/login?next=${encodeURIComponent(here)}`);
}
