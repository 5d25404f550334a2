import { describe, expect, it } from "vitest";
import { age, bytes, duration, evenDecimals, figure, rate, shortId, speed, utc } from "./format";

describe("figures", () => {
  it("keep four significant digits over the usual range of a loss", () => {
    expect(figure(0.123456)).toBe("0.1235");
    expect(figure(12.3)).toBe("12.30");
  });
  it("turn to exponents where digits would say nothing", () => {
    expect(figure(0.0000123)).toBe("1.23e-5");
    expect(figure(1234567)).toBe("1.23e+6");
  });
  it("show what is not a number as what it is", () => {
    expect(figure(NaN)).toBe("NaN");
    expect(figure(null)).toBe("–");
  });
  it("have the same decimals all along an axis, and no more than it needs", () => {
    expect(evenDecimals(["0.05000", "0.1000", "0.1500"])).toEqual(["0.05", "0.10", "0.15"]);
    expect(evenDecimals(["0.0 GB", "1.0 GB", "2.0 GB"])).toEqual(["0 GB", "1 GB", "2 GB"]);
    expect(evenDecimals(["0", "0.5000", ""])).toEqual(["0.0", "0.5", ""]);
    expect(evenDecimals(["1e-4", "8.5e-5", "0"])).toEqual(["1e-4", "8.5e-5", "0"]);
  });
  it("write learning rates the way people set them", () => {
    expect(rate(1e-4)).toBe("1e-4");
    expect(rate(0.00015)).toBe("1.5e-4");
    expect(rate(0.01)).toBe("0.01");
  });
  it("turn a slow speed round", () => {
    expect(speed(2.345)).toBe("2.35 it/s");
    expect(speed(0.25)).toBe("4.00 s/it");
  });
});

describe("durations", () => {
  it.each([
    [0, "0 s"],
    [59.4, "59 s"],
    [185, "3 m 05 s"],
    [7620, "2 h 07 m"],
    [273600, "3 d 4 h"],
  ])("%s s reads %s", (seconds, words) => expect(duration(seconds)).toBe(words));
  it("never show what is not known as a figure", () => {
    expect(duration(Infinity)).toBe("–");
    expect(duration(null)).toBe("–");
  });
  it("ages use one unit", () => {
    const now = new Date("2026-01-02T12:00:00Z");
    expect(age(new Date("2026-01-02T11:59:58Z"), now)).toBe("now");
    expect(age(new Date("2026-01-01T12:00:00Z"), now)).toBe("24 h");
  });
});

it("sizes use decimal units", () => {
  expect(bytes(999)).toBe("999 B");
  expect(bytes(6_300_000)).toBe("6.3 MB");
});

it("exact UTC keeps the milliseconds", () => {
  expect(utc(new Date("2026-01-02T03:04:05.678Z"))).toBe("2026-01-02 03:04:05.678 UTC");
});

it("short ids drop the prefix", () => {
  expect(shortId("train-3f9k2m7q8r1t")).toBe("3f9k2m7q");
});
