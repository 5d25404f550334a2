import { describe, expect, it } from "vitest";
import { MAX_HEIGHT, ScrollMap } from "./scroll-map";

function map(total: number, view = 500): ScrollMap {
  const result = new ScrollMap();
  result.resize(total, view);
  return result;
}

describe("a list that fits", () => {
  it("is where the scroll box is", () => {
    const short = map(10_000);
    short.scrolled(1234);
    expect(short.offset).toBe(1234);
    expect(short.height).toBe(10_000);
  });
});

describe("a list too long for a browser", () => {
  const total = 22_000_000;
  it("keeps its box below the limit", () => {
    expect(map(total).height).toBe(MAX_HEIGHT);
  });
  it("moves pixel by pixel under the wheel", () => {
    const long = map(total);
    const top = long.jump(11_000_000);
    const before = long.offset;
    long.scrolled(top + 100);
    expect(long.offset - before).toBeCloseTo(100, 3);
  });
  it("goes to the same share when the thumb is dragged, and reaches both ends", () => {
    const long = map(total);
    long.scrolled(MAX_HEIGHT - 500);
    expect(long.offset).toBe(long.end);
    long.scrolled(0);
    expect(long.offset).toBe(0);
  });
  it("never sticks at an edge before the list ends", () => {
    const long = map(total);
    let top = long.jump(long.end - 40_000);
    for (let turns = 0; turns < 1000 && long.offset < long.end; turns += 1) {
      top = Math.min(MAX_HEIGHT - 500, top + 120);
      top = long.scrolled(top) ?? top;
    }
    expect(long.offset).toBe(long.end);
  });
});
