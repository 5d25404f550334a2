import { expect, it } from "vitest";
import { settingsInWords, settingValue } from "./settings";

it("says settings as people do", () => {
  expect(settingsInWords({ lora_rank: 32, learning_rate: 0.0001, cache_latents: true })).toBe(
    "lora rank 32, learning rate 1e-4, cache latents yes",
  );
  expect(settingsInWords({})).toBe("");
});
it("shows what is not set, and what is no simple value", () => {
  expect(settingValue("sample_prompts", [])).toBe("–");
  expect(settingValue("sample_prompts", ["a", "b"])).toBe("a · b");
  expect(settingValue("optimizer_args", { betas: [0.9, 0.99] })).toBe('{"betas":[0.9,0.99]}');
});
