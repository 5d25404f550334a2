import { expect, it } from "vitest";
import { thumbnail } from "./thumbnail";

it("asks for the width that is drawn, and offers others to dense screens", () => {
  expect(thumbnail("/s/a.png?v=1", 40)).toEqual({
    src: "/s/a.png?v=1&width=128",
    srcSet: "/s/a.png?v=1&width=128 128w, /s/a.png?v=1&width=256 256w, /s/a.png?v=1&width=512 512w",
    sizes: "40px",
  });
  expect(thumbnail("/s/a.png", 208).src).toBe("/s/a.png?width=256");
  expect(thumbnail("/s/a.png", 2000).src).toBe("/s/a.png?width=512");
});
