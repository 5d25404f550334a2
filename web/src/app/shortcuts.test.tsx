import { cleanup, renderHook } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { prefer } from "./preferences";
import { handleKey, useShortcuts } from "./shortcuts";

beforeEach(() => window.addEventListener("keydown", handleKey));
afterEach(() => {
  window.removeEventListener("keydown", handleKey);
  cleanup();
  document.body.replaceChildren();
  prefer({ singleKeys: true });
});

function press(key: string, target: EventTarget = document.body, init: KeyboardEventInit = {}) {
  target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...init }));
}

function listen(group = "page") {
  const run = vi.fn();
  renderHook(() => useShortcuts(group, [{ key: "n", label: "New", run }]));
  return run;
}

it("acts on the page", () => {
  const run = listen();
  press("n");
  expect(run).toHaveBeenCalledOnce();
});
it("leaves typing alone", () => {
  const run = listen();
  const input = document.body.appendChild(document.createElement("input"));
  press("n", input);
  expect(run).not.toHaveBeenCalled();
});
it("leaves the browser's own combinations alone", () => {
  const run = listen();
  press("n", document.body, { ctrlKey: true });
  expect(run).not.toHaveBeenCalled();
});
it("does not reach under a dialog that is not its own", () => {
  const run = listen();
  const dialog = document.body.appendChild(document.createElement("div"));
  dialog.setAttribute("role", "dialog");
  press("n");
  dialog.setAttribute("data-shortcuts", "page");
  press("n");
  expect(run).toHaveBeenCalledOnce();
});
it("can be turned off", () => {
  const run = listen();
  prefer({ singleKeys: false });
  press("n");
  expect(run).not.toHaveBeenCalled();
});
it("of two that want a key, the later one gets it", () => {
  const early = listen();
  const late = listen();
  press("n");
  expect([early.mock.calls.length, late.mock.calls.length]).toEqual([0, 1]);
});
