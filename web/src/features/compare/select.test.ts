import { describe, expect, it } from "vitest";
import type { Artifact, Job, MetricPoint } from "@/api/types";
import { chosenIds, curvesOf, promptsOf, sampleAt, sampleSteps, settingRows } from "./select";

const job = (config: Record<string, unknown>, trainer = "mock") => ({ trainer, config }) as Job;
const sample = (prompt: string, step: number, attempt = 1) =>
  ({ type: "sample", prompt, step, attempt, name: `${step}:${attempt}` }) as Artifact;
const point = (step: number, second: number, attempt = 1): MetricPoint => ({
  step,
  attempt,
  value: step,
  seq: second,
  timestamp: new Date(second * 1000).toISOString(),
});

it("takes at most six jobs, each once", () => {
  expect(chosenIds("a,b,a,,c,d,e,f,g")).toEqual(["a", "b", "c", "d", "e", "f"]);
  expect(chosenIds(undefined)).toEqual([]);
});

describe("settings", () => {
  it("differ when one job lacks them", () => {
    const rows = settingRows([job({ steps: 10, flip: true }), job({ steps: 10 })]);
    expect(rows.filter((row) => row.differs).map((row) => row.name)).toEqual(["flip"]);
  });
  it("compare lists by what they hold", () =>
    expect(settingRows([job({ p: ["a"] }), job({ p: ["a"] })]).every((row) => !row.differs)).toBe(true));
  it("tell trainers apart", () =>
    expect(settingRows([job({}), job({}, "diffusers")])[0]).toMatchObject({
      name: "trainer",
      differs: true,
    }));
});

describe("curves", () => {
  const series = [[point(1, 100), point(2, 110), point(1, 200, 2)], [point(1, 500)]];
  it("keep the attempts of a resumed job apart", () =>
    expect(
      curvesOf(series, [null, null], "step").map((curve) => [curve.job, curve.attempt, curve.xs]),
    ).toEqual([
      [0, 1, [1, 2]],
      [0, 2, [1]],
      [1, 1, [1]],
    ]));
  it("run over the time since each job's own start", () =>
    expect(curvesOf(series, [90_000, 490_000], "time").map((curve) => curve.xs)).toEqual([
      [10, 20],
      [110],
      [10],
    ]));
});

describe("samples", () => {
  const a = [sample("cat", 0), sample("cat", 100), sample("dog", 100)];
  const b = [sample("dog", 50), sample("dog", 150), sample("dog", 150, 2)];
  it("offer the prompts that most jobs share first", () => expect(promptsOf([a, b])).toEqual(["dog", "cat"]));
  it("scrub over every step that any of them has", () =>
    expect(sampleSteps([a, b], "dog")).toEqual([50, 100, 150]));
  it("show what each job had at that step", () => {
    expect(sampleAt(a, "dog", 150)?.step).toBe(100);
    expect(sampleAt(b, "dog", 150)?.name).toBe("150:2");
    expect(sampleAt(a, "dog", 50)).toBeNull();
  });
});
