/** The page's only way to the server: typed from the OpenAPI document, with a correlation id on every request. */
import createClient, { type Middleware } from "openapi-fetch";
import { logIn } from "@/app/actor";
import type { paths } from "./schema";

export const CORRELATION_HEADER = "X-Correlation-ID";

/** A request that failed; `correlationId` finds it in the server's logs (`isengard trace`). */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    message: string,
    /** HTTP status, or 0 when the server could not be reached. */
    readonly status: number,
    readonly correlationId: string,
  ) {
    super(message);
  }
}

/** One id for this page's visit, one suffix per request: the visit can be traced as well as the click. */
const visit = randomHex(8);
let requests = 0;

export function nextCorrelationId(): string {
  requests += 1;
  return `web-${visit}-${requests}`;
}

/** A trace that begins here (https://www.w3.org/TR/trace-context/). The page exports no span of its own and says so. */
export function newTrace(): Record<string, string> {
  return { traceparent: `00-${randomHex(16)}-${randomHex(8)}-01`, tracestate: "isengard=page" };
}

function randomHex(bytes: number): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
}

const correlation: Middleware = {
  onRequest({ request }) {
    request.headers.set(CORRELATION_HEADER, nextCorrelationId());
    for (const [name, value] of Object.entries(newTrace())) request.headers.set(name, value);
    return request;
  },
  async onResponse({ request, response }) {
    if (response.ok) return;
    if (response.status === 401) logIn(); // the session is over
    const id = response.headers.get(CORRELATION_HEADER) ?? request.headers.get(CORRELATION_HEADER) ?? "";
    throw new ApiError(await problem(response), response.status, id);
  },
  onError({ request, error }) {
    if (error instanceof ApiError || (error instanceof DOMException && error.name === "AbortError")) return;
    return new ApiError("The server cannot be reached.", 0, request.headers.get(CORRELATION_HEADER) ?? "");
  },
};

/** The sentence of an error answer; never more than that, whatever a proxy in between may have sent. */
async function problem(response: Response): Promise<string> {
  const text = await response.text();
  try {
    const body = JSON.parse(text) as { detail?: unknown };
    if (typeof body.detail === "string" && body.detail) return body.detail;
  } catch {
    // Not ours: a proxy's page. The status says more than its markup.
  }
  return `The server answered ${response.status} ${response.statusText}`.trim();
}

export const api = createClient<paths>({ baseUrl: "" });
api.use(correlation);

/** The body of an answer that was checked by the middleware above. */
export async function body<T>(call: Promise<{ data?: T }>): Promise<T> {
  const { data } = await call;
  return data as T;
}
