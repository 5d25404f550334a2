"""What the tests of the page look at, read out of the document."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from standins.workbench import eventually

SCROLL = """(table) => new Promise((done) => {
  const found = new Map();
  const look = () => {
    for (const row of table.querySelectorAll('[data-seq]'))
      found.set(Number(row.dataset.seq), row.lastElementChild.textContent);
    return table.querySelector(`[data-seq][aria-rowindex="${table.getAttribute('aria-rowcount')}"]`) !== null;
  };
  const on = () => {
    const waiting = [...table.querySelectorAll('[role=row]')].some((row) => !row.dataset.seq);
    if (!waiting && look()) return done([...found]);
    if (!waiting) table.scrollTop += table.clientHeight / 2;
    requestAnimationFrame(on);
  };
  requestAnimationFrame(() => requestAnimationFrame(on));
})"""


def journal(page: Page) -> Locator:
    return page.get_by_role("table", name="Journal of the job")


def every_line(page: Page) -> dict[int, str]:
    """Numbers and messages of all lines, by scrolling from the first to the last."""
    journal(page).press("Home")
    expect(journal(page).locator("[data-seq='1']")).to_be_visible()
    return dict(journal(page).evaluate(SCROLL))


def points_in_chart(page: Page) -> int:
    """How many points the loss curve is drawn from."""
    name = page.get_by_role("img", name=re.compile("Loss over steps")).get_attribute("aria-label") or ""
    return int(name.rsplit(", ", 1)[1].removesuffix(" points").replace(",", ""))


def step_shown(page: Page) -> int:
    """The step in the header of an open job."""
    words = page.locator("[data-progress-words]").inner_text()
    return int(words.split(" / ")[0].replace(",", "")) if words[:1].isdigit() else 0


def wait_for_step(page: Page, step: int) -> None:
    eventually(lambda: step_shown(page) >= step, f"step {step} on the page")


def expect_link(page: Page, state: str) -> None:
    """The mark of the open job says whether the page is live."""
    expect(page.get_by_role("dialog").locator("[data-link]")).to_have_attribute("data-link", state)


def drag(page: Page, over: Locator, start: float, end: float) -> None:
    """Pull the pointer across `over`, from one share of its width to another."""
    box = over.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + start * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], y, steps=5)
    page.mouse.up()


AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def bring_axe(page: Page) -> None:
    """Have axe in every document that the page opens from now on; no policy of a document keeps it out."""
    page.add_init_script(path=AXE)


def axe_violations(page: Page, *only: str) -> list[str]:
    """What axe finds, in words; `only` names single rules. Animations are over before it looks."""
    page.evaluate("() => Promise.all(document.getAnimations().map((each) => each.finished.catch(() => null)))")
    wanted = {"type": "rule", "values": list(only)} if only else {"type": "tag", "values": RULES}
    found = page.evaluate("async (runOnly) => (await axe.run(document, { runOnly })).violations", wanted)
    return [f"{each['id']}: {node['target']} {node['failureSummary']}" for each in found for node in each["nodes"]]
