"""Switching between light and dark: the whole page at once, canvases and buttons as well."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from isengard.jobs.models import Job
from standins.site import Opener, Site
from standins.workbench import eventually

LISTEN = """() => matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  // Runs behind the page's own listener, before anything is painted.
  window.theme = document.documentElement.dataset.theme;
  window.fading = document.getAnimations().filter((each) => each instanceof CSSTransition).length;
  window.stale = [...document.querySelectorAll('button, a, input, p')].map((each) => getComputedStyle(each).color);
})"""
NOW = "() => [...document.querySelectorAll('button, a, input, p')].map((each) => getComputedStyle(each).color)"
DRAWN = """(canvas) => {
  const hex = getComputedStyle(document.documentElement).getPropertyValue('--signal').trim();
  const wanted = [1, 3, 5].map((from) => parseInt(hex.slice(from, from + 2), 16));
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const pixels = copy.getImageData(0, 0, canvas.width, canvas.height).data;
  for (let at = 0; at < pixels.length; at += 4)
    if (wanted.every((value, index) => Math.abs(pixels[at + index] - value) < 6)) return true;
  return false;
}"""
"""Whether the curve stands in the colour of the theme that is on."""


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_a_theme_is_there_at_once(place: Site, opened: Opener, pair: list[Job], motion: str) -> None:
    page = opened(color_scheme="light", reduced_motion=motion)
    page.goto(place.job_url(pair[0]))
    chart = page.get_by_role("img", name=re.compile("Loss over steps")).locator("canvas")
    expect(chart).to_be_visible()
    page.evaluate(LISTEN)
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        page.wait_for_function("(theme) => window.theme === theme", arg=theme)
        assert page.evaluate("window.fading") == 0
        assert page.evaluate("window.stale") == page.evaluate(NOW)
        eventually(lambda: chart.evaluate(DRAWN), f"a curve in the colours of {theme}")
