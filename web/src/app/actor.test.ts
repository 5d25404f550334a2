import { expect, it } from "vitest";
import { actorOf } from "./actor";

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
