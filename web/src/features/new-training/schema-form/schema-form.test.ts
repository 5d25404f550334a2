import { describe, expect, it } from "vitest";
import { fieldsOf } from "./fields";
import { presetDraft } from "./presets";
import { draftOf, fieldProblem, read, taken } from "./values";

const schema = {
  $defs: { Mode: { enum: ["none", "oom"], type: "string", description: "What goes wrong." } },
  properties: {
    fail_mode: { $ref: "#/$defs/Mode", default: "none", group: "advanced" },
    fail_at_step: { anyOf: [{ type: "integer", minimum: 1 }, { type: "null" }], default: null },
    steps: { type: "integer", default: 200, minimum: 1, maximum: 1000, group: "common", unit: "steps" },
    learning_rate: { type: "number", default: 0.0001, exclusiveMinimum: 0, maximum: 1, group: "common" },
    sample_prompts: { type: "array", items: { type: "string" }, maxItems: 2, group: "common" },
    lora_rank: { type: "integer", default: 1, minimum: 1, group: "common" },
    extra: { type: "object", default: {} },
    flip: { type: "boolean", default: false },
  },
};
const fields = fieldsOf(schema);
const draft = () => draftOf(fields, {});

describe("a form drawn from a schema", () => {
  it("puts the common fields first", () =>
    expect(fields.map((field) => field.name)).toEqual([
      "steps",
      "learning_rate",
      "sample_prompts",
      "lora_rank",
      "fail_mode",
      "fail_at_step",
      "extra",
      "flip",
    ]));
  it("follows references and takes 'or null' apart", () => {
    expect(fields.find((field) => field.name === "fail_mode")).toMatchObject({
      kind: "choice",
      choices: ["none", "oom"],
    });
    expect(fields.find((field) => field.name === "fail_at_step")).toMatchObject({
      kind: "integer",
      nullable: true,
      minimum: 1,
    });
  });
  it("names fields as people do", () =>
    expect(fields.find((field) => field.name === "lora_rank")?.label).toBe("LoRA rank"));
});

describe("reading the form", () => {
  it("turns an untouched form into the defaults", () =>
    expect(read(fields, draft())).toEqual({
      config: {
        steps: 200,
        learning_rate: 0.0001,
        sample_prompts: [],
        lora_rank: 1,
        fail_mode: "none",
        fail_at_step: null,
        extra: {},
        flip: false,
      },
      errors: {},
    }));
  it.each([
    ["steps", "0"],
    ["steps", "1001"],
    ["steps", "2.5"],
    ["steps", "many"],
    ["learning_rate", "0"],
    ["learning_rate", "Infinity"],
    ["extra", "{"],
  ])("refuses %s = %s at the field", (name, value) => {
    const { errors, config } = read(fields, { ...draft(), [name]: value });
    expect(Object.keys(errors)).toEqual([name]);
    expect(config).not.toHaveProperty(name);
  });
  it("reads exponents and a decimal comma", () => {
    expect(read(fields, { ...draft(), learning_rate: "5e-4" }).config["learning_rate"]).toBe(5e-4);
    expect(read(fields, { ...draft(), learning_rate: "0,01" }).config["learning_rate"]).toBe(0.01);
  });
  it("drops empty lines and counts the rest", () => {
    expect(read(fields, { ...draft(), sample_prompts: ["a", " ", "b"] }).config["sample_prompts"]).toEqual([
      "a",
      "b",
    ]);
    expect(read(fields, { ...draft(), sample_prompts: ["a", "b", "c"] }).errors).toHaveProperty(
      "sample_prompts",
    );
  });
});

it("brings the server's refusal to its field", () => {
  expect(fieldProblem("config.steps: input should be less than 5")).toEqual({
    field: "steps",
    message: "input should be less than 5",
  });
  expect(fieldProblem("no character has the id 'x'")).toBeNull();
});

it("keeps presets within the trainer's limits", () => {
  expect(presetDraft(fields, "quick")).toMatchObject({ steps: "50", lora_rank: "1" });
  expect(presetDraft(fields, "thorough")).toMatchObject({
    steps: "500",
    lora_rank: "2",
    learning_rate: "6e-5",
  });
});

it("takes single settings over and leaves what was typed", () => {
  const typed = { ...draft(), steps: "7" };
  const next = taken(fields, typed, { flip: true, lora_rank: 4, unknown: 1 });
  expect(next).toEqual({ ...typed, flip: true, lora_rank: "4" });
});
