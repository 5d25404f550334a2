import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, expect, it, vi } from "vitest";
import { late } from "./late";

afterEach(cleanup);

const Part = ({ word }: { word: string }) => <p>{word}</p>;

it("shows the fallback, then the part", async () => {
  const Shown = late(() => Promise.resolve(Part), "loading");
  render(<Shown word="here" />);
  expect(screen.getByText("loading")).toBeDefined();
  expect(await screen.findByText("here")).toBeDefined();
});

it("loads once, and shows at once what was loaded before", async () => {
  const load = vi.fn(() => Promise.resolve(Part));
  const Shown = late(load, "loading");
  Shown.preload();
  await vi.waitFor(() => expect(load).toHaveBeenCalled());
  await Promise.resolve();
  render(<Shown word="here" />);
  expect(await screen.findByText("here")).toBeDefined();
  expect(load).toHaveBeenCalledTimes(1);
});
