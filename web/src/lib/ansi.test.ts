import { describe, expect, it } from "vitest";
import { parseAnsi } from "./ansi";

const textOf = (line: string) =>
  parseAnsi(line)
    .map((run) => run.text)
    .join("");

describe("terminal colours", () => {
  it("become runs that keep the text", () => {
    const runs = parseAnsi("\x1b[31;1mred\x1b[0m plain");
    expect(runs.map((run) => [run.text, run.fg, run.bold])).toEqual([
      ["red", 1, true],
      [" plain", null, false],
    ]);
  });
  it("leave markup as text", () => {
    expect(parseAnsi("\x1b[32m<script>alert(1)</script>\x1b[39m")[0]?.text).toBe("<script>alert(1)</script>");
  });
  it("drop cursor movement, titles and stray control characters", () => {
    expect(textOf("\x1b[2K\x1b[1Gstep 3\x1b]0;title\x07\x00!")).toBe("step 3!");
  });
  it("skip the parameters of true colour", () => {
    const runs = parseAnsi("\x1b[38;2;1;31;4mx\x1b[38;5;9my");
    expect(runs.map((run) => [run.text, run.fg, run.underline])).toEqual([
      ["x", null, false],
      ["y", 9, false],
    ]);
  });
  it("survive a sequence that never ends", () => {
    expect(textOf("a\x1b[")).toBe("a[");
    expect(textOf("a\x1b]0;no end")).toBe("a");
  });
});
