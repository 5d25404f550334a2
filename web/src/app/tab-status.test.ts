import { expect, it } from "vitest";
import { titleOf } from "./tab-status";

it("shows whole percents, never one too many", () => {
  expect(titleOf({ name: "Pip", status: "running", progress: 99.9 }, "")).toBe("99 % Pip · Isengard");
});
it("shows the outcome", () => {
  expect(titleOf({ name: "Pip", status: "failed", progress: 40 }, "")).toBe("✗ Pip · Isengard");
});
it("shows the page when nothing is open", () => {
  expect(titleOf(null, "Jobs")).toBe("Jobs · Isengard");
});
