import { expect, it } from "vitest";
import { actorOf, placeFor } from "./actor";

it("takes what the server wrote", () =>
  expect(actorOf('{"name":"share:train-1","role":"viewer","job_id":"train-1"}')).toEqual({
    name: "share:train-1",
    role: "viewer",
    job_id: "train-1",
  }));
it("takes an unfilled page for a local one", () =>
  expect([actorOf("__ACTOR__"), actorOf(undefined)].map((each) => each.role)).toEqual([
    "operator",
    "operator",
  ]));
it("keeps a share link to its one job", () => {
  const guest = actorOf('{"name":"share:train-1","role":"viewer","job_id":"train-1"}');
  const seen = ["/", "/jobs/train-1", "/jobs/train-1/", "/jobs/train-2", "/new", "/compare"];
  expect(seen.map((path) => placeFor(guest, path))).toEqual([
    "start",
    "here",
    "here",
    "elsewhere",
    "elsewhere",
    "elsewhere",
  ]);
  expect(placeFor(actorOf(undefined), "/new")).toBe("here");
});
