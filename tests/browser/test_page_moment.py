"""One moment everywhere: what stands over the curves leads to what it marks, and every panel follows."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.look import journal
from isengard.jobs.models import Job
from standins.site import Site

BLOBS = """([canvas, token]) => {
  // Middles of what is drawn in one colour, in CSS pixels of the window; what touches is one.
  const hex = getComputedStyle(document.documentElement).getPropertyValue(token).trim();
  const wanted = [1, 3, 5].map((from) => parseInt(hex.slice(from, from + 2), 16));
  const { width, height } = canvas;
  const copy = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const pixels = copy.getImageData(0, 0, width, height).data;
  const columns = new Map();
  for (let y = 0; y < height; y += 1)
    for (let x = 0; x < width; x += 1) {
      const at = 4 * (y * width + x);
      if (wanted.every((value, index) => pixels[at + index] === value)) columns.set(x, [...(columns.get(x) ?? []), y]);
    }
  const blobs = [];
  for (const x of [...columns.keys()].sort((a, b) => a - b)) {
    const last = blobs.at(-1);
    if (last && x - last.right < 2) { last.right = x; last.ys.push(...columns.get(x)); }
    else blobs.push({ left: x, right: x, ys: [...columns.get(x)] });
  }
  const box = canvas.getBoundingClientRect();
  const scale = box.width / width;
  return blobs.map(({ left, right, ys }) => [
    box.left + scale * (left + right + 1) / 2,
    box.top + scale * (Math.min(...ys) + Math.max(...ys) + 1) / 2,
  ]);
}"""


@pytest.fixture(scope="module")
def slow(place: Site) -> Job:
    """A training long enough for a dozen readings of its GPU."""
    job = place.bench.submit(gpus=1, steps=60, step_time_s=0.06, sample_every_n_steps=0)
    place.bench.finish(job)
    return job


def marks(page: Page, chart: Locator, token: str) -> list[list[float]]:
    return list(page.evaluate(BLOBS, [chart.locator("canvas").element_handle(), token]))


def x_of_step(chart: Locator, step: int, last: int) -> float:
    box = chart.locator(".u-over").bounding_box()
    assert box is not None
    return box["x"] + box["width"] * (step - 1) / (last - 1)


def test_marks_stand_at_their_steps_and_lead_to_what_they_mark(place: Site, page: Page, pair: list[Job]) -> None:
    page.goto(place.job_url(pair[0]))
    chart = page.get_by_role("img", name=re.compile("Loss over steps, .*, 40 points"))
    expect(chart.locator("canvas")).to_be_visible()
    readout = page.locator("figcaption").first
    expect(readout).to_contain_text("step 40 · loss")
    for token, steps in (("--mark", (10, 20, 30, 40)), ("--info", (20, 40))):
        found = marks(page, chart, token)
        assert [x for x, _ in found] == pytest.approx([x_of_step(chart, step, 40) for step in steps], abs=1.5)
    # The pointer at a mark says what it is; a click shows it.
    x, y = marks(page, chart, "--mark")[2]
    page.mouse.move(x + 3, y + 2)
    expect(readout).to_have_text("samples of step 30: click to see them")
    page.mouse.click(x + 3, y + 2)
    expect(page).to_have_url(re.compile(r"tab=samples.*step=30|step=30.*tab=samples"))
    expect(page.locator("[data-shown-step]")).to_have_attribute("data-shown-step", "30")
    page.get_by_role("tab", name="Overview").click()
    expect(readout).to_contain_text("step 30 · loss")  # at rest it tells of the moment
    x, y = marks(page, chart, "--info")[0]
    page.mouse.click(x, y)
    checkpoint = page.get_by_role("row", name=re.compile("step_000020.safetensors"))
    expect(checkpoint).to_have_attribute("aria-current", "true")
    expect(checkpoint).to_be_in_viewport()
    # Beside the marks a click is a moment and no more.
    page.get_by_role("tab", name="Overview").click()
    box = chart.locator(".u-over").bounding_box()
    assert box is not None
    page.mouse.click(x_of_step(chart, 30, 40), box["y"] + box["height"] / 2)
    expect(page.locator("[data-moment]")).to_have_attribute("data-moment", "30")
    expect(page.get_by_role("tab", name="Overview")).to_have_attribute("data-state", "active")


def test_the_readings_follow_the_moment_and_lead_back_to_it(place: Site, page: Page, slow: Job) -> None:
    lines = place.bench.of(slow, "training.step")
    done = {entry.fields["step"]: entry.ts for entry in lines}
    readings = [entry.ts for entry in place.bench.of(slow, "gpu.metrics")]

    def clock(moment: str) -> str:
        at = datetime.fromisoformat(moment).astimezone(ZoneInfo("Europe/Berlin"))
        return at.strftime("%H:%M:%S")

    def reading_at(step: int) -> str:
        return clock(max((ts for ts in readings if ts <= done[step]), default=readings[0]))

    # From a line of the log …
    page.goto(place.job_url(slow, "logs", line=lines[19].seq))
    page.get_by_role("button", name="Go to this moment").click()
    expect(page.locator("[data-moment]")).to_have_attribute("data-moment", "20")
    page.get_by_role("tab", name="System").click()
    readouts = {
        name: page.locator("section").filter(has=page.get_by_role("img", name=name, exact=True)).locator("figcaption")
        for name in ("GPU use", "CPU")
    }
    expect(readouts["GPU use"]).to_have_text(re.compile(rf"^{reading_at(20)} · use 9\d %|^{reading_at(20)} · use"))
    # … the pointer over one curve reads the others at the same time …
    other = page.get_by_role("img", name="GPU use", exact=True).locator(".u-over")
    box = other.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + 40)
    last = clock(readings[-1])
    for readout in readouts.values():
        expect(readout).to_contain_text(last)
    # … and a click takes everything to that time, the log as well.
    page.mouse.click(box["x"] + box["width"] - 2, box["y"] + 40)
    expect(page.locator("[data-moment]")).not_to_have_attribute("data-moment", "20")
    step = int(page.locator("[data-moment]").get_attribute("data-moment") or 0)
    assert done[step] <= readings[-1]
    assert step == 60 or done[step + 1] >= readings[-2]
    page.mouse.move(5, 5)
    expect(readouts["GPU use"]).to_contain_text(reading_at(step))
    page.get_by_role("tab", name="Logs").click()
    expect(journal(page).locator("[data-seq]").filter(has_text=f"step {step}/60")).to_be_in_viewport()
