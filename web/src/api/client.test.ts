import { describe, expect, it } from "vitest";

import { newTrace } from "./client";

describe("newTrace", () => {
  it("begins a sampled trace of its own and exports no span", () => {
    const first = newTrace();
    expect(first.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    expect(first.tracestate).toBe("isengard=page");
    expect(newTrace().traceparent).not.toBe(first.traceparent);
  });
});
