"""For people: accessible in both themes, at every width, by keyboard, in the reader's zone, without motion."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.look import axe_violations, bring_axe
from isengard.jobs.models import Job
from standins.site import DESKTOP, PHONE, Opener, Site

OF_THEME = ("color-contrast", "link-in-text-block")
"""The rules whose answer a theme can change; the others are asked once for each width."""
WIDTHS = (320, 360, 720, DESKTOP["width"], 2560)
"""From the narrowest that WCAG asks for; 720 is a desktop at 200 %."""
OVERFLOW = """() => [...document.querySelectorAll('body *')].filter((each) => {
  const { left, right, width } = each.getBoundingClientRect();
  if (width === 0 || (left >= -1 && right <= innerWidth + 1)) return false;
  for (let above = each.parentElement; above; above = above.parentElement)
    if (/auto|scroll|hidden|clip/.test(getComputedStyle(above).overflowX)) return false;
  return !each.closest('.sr-only');
}).map((each) => each.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def jobs(place: Site, pair: list[Job]) -> list[Job]:
    """One that succeeded, with samples, and one that failed."""
    failed = place.bench.submit(steps=8, fail_mode="oom", sample_every_n_steps=4)
    place.bench.finish(failed)
    return [pair[0], failed]


def look_over(page: Page) -> list[str]:
    """Everything axe says in both themes, on a desktop and on a phone, and what sticks out at any width."""
    found = axe_violations(page)
    page.emulate_media(color_scheme="dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    found += axe_violations(page, *OF_THEME)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        found += [f"sticks out at {width}: {each}" for each in page.evaluate(OVERFLOW)]
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    found += axe_violations(page)
    page.emulate_media(color_scheme="light")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    found += axe_violations(page, *OF_THEME)
    page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
    return found


def drawn(page: Page, shown: Locator) -> None:
    expect(shown.first).to_be_visible()
    expect(page.get_by_text("Loading…")).to_have_count(0)


def test_every_page_is_accessible_in_both_themes_and_fits_every_width(place: Site, page: Page, jobs: list[Job]) -> None:
    bring_axe(page)
    done, failed = jobs
    character = f"{place.url}/characters/{place.bench.character.id}"
    shown: dict[str, Locator] = {
        place.url: page.get_by_role("table", name="Jobs"),
        place.job_url(done): page.get_by_role("img", name=re.compile("Loss over")),
        place.job_url(failed): page.locator("[data-outcome]"),
        place.job_url(failed, "logs", line=5): page.locator("[data-line='5']"),
        place.job_url(done, "samples"): page.get_by_role("slider", name="Step shown"),
        place.job_url(done, "artifacts"): page.get_by_role("row", name=re.compile("safetensors")),
        place.job_url(done, "system"): page.get_by_role("img", name="CPU"),
        place.job_url(done, "trace"): page.get_by_text("Correlation ID", exact=True),
        f"{place.url}/new?character={place.bench.character.id}&like={done.id}": page.get_by_text("Dataset check"),
        f"{place.url}/characters": page.get_by_role("link", name="Pip"),
        character: page.get_by_label("Caption of pip_0.png"),
        f"{place.url}/compare?jobs={done.id},{failed.id}": page.get_by_role("img", name=re.compile("Curves")),
    }
    found: list[str] = []
    for address, what in shown.items():
        page.goto(address)
        drawn(page, what)
        found += [f"{address}: {each}" for each in look_over(page)]
    assert found == []


def test_the_keyboard_does_everything_and_says_so(place: Site, page: Page, jobs: list[Job]) -> None:
    bring_axe(page)
    page.goto(place.job_url(jobs[0]))
    expect(page.get_by_role("tab", name="Overview")).to_be_visible()
    page.keyboard.press("3")
    expect(page.get_by_role("tab", name="Samples")).to_have_attribute("data-state", "active")
    expect(page.get_by_role("button", name=re.compile("Open: "))).not_to_have_count(0)
    page.keyboard.press("[")
    expect(page.locator("[data-moment]")).to_be_visible()
    page.keyboard.press("l")
    expect(page.locator("[data-moment]")).to_have_count(0)
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
    for each in ("First error in the log", "Download the debug bundle", "Light or dark", "Next step"):
        expect(sheet).to_contain_text(each)
    assert axe_violations(page) == []
    # Single keys can be turned off; then they are letters.
    sheet.get_by_label("Keys without a modifier act on the page").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("2")
    expect(page.get_by_role("tab", name="Samples")).to_have_attribute("data-state", "active")
    page.keyboard.press("Escape")  # closes the job: that is no shortcut
    expect(page.get_by_role("dialog")).to_have_count(0)
    theme = page.evaluate("document.documentElement.dataset.theme")
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("menuitem", name="Dark").click()
    expect(page.locator("html")).not_to_have_attribute("data-theme", str(theme))
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


STOP = """() => {
  const at = document.activeElement;
  window.stops ??= new Set();
  if (!at || at === document.body || window.stops.has(at)) return null;
  window.stops.add(at);
  const seen = (each) => each && (parseFloat(getComputedStyle(each).outlineWidth) > 0
    && getComputedStyle(each).outlineStyle !== 'none' || seen(each.parentElement));
  return [at.outerHTML.slice(0, 120), Boolean(seen(at))];
}"""


def stops(page: Page, most: int) -> list[str]:
    """Every element that Tab comes to; fails at one that does not show that it has the focus."""
    found: list[str] = []
    page.evaluate("window.stops = new Set()")
    for _ in range(most):
        page.keyboard.press("Tab")
        stop = page.evaluate(STOP)
        if stop is None:
            break
        assert stop[1], f"nobody sees that this has the focus: {stop[0]}"
        found.append(stop[0])
    return found


def test_a_reader_without_a_mouse_gets_from_the_list_to_a_bundle(place: Site, page: Page, jobs: list[Job]) -> None:
    page.goto(place.url)
    rows = page.locator("[role=row]:has([href*='/jobs/train-'])")
    expect(rows.first).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    assert len(stops(page, 40)) > 8
    page.keyboard.press("/")
    page.keyboard.type(jobs[0].id)
    expect(rows).to_have_count(1)
    page.keyboard.press("Enter")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.get_by_role("toolbar", name="1 job selected")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("toolbar")).to_have_count(0)
    page.keyboard.press("Enter")
    job = page.get_by_role("dialog")
    expect(job.get_by_role("tab", name="Overview")).to_be_visible()
    with page.expect_download() as download:
        page.keyboard.press("b")
    assert download.value.suggested_filename == f"{jobs[0].id}_debug.zip"
    page.keyboard.press("2")
    log = page.get_by_role("table", name="Journal of the job")
    expect(log.locator("[data-seq]").first).to_be_visible()
    assert len(stops(page, 40)) > 10
    log.focus()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page.locator("[data-line]")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("[data-line]")).to_have_count(0)
    expect(log).to_be_focused()
    page.keyboard.press("3")
    page.get_by_role("button", name="Open: pip by the sea, step 40").first.focus()
    page.keyboard.press("Enter")
    viewer = page.locator("[data-shortcuts=viewer]")
    expect(viewer).to_contain_text("step 40")
    page.keyboard.press("ArrowUp")
    expect(viewer).to_contain_text("step 30")
    page.keyboard.press("Escape")
    expect(viewer).to_have_count(0)
    page.keyboard.press("Escape")
    expect(job).to_have_count(0)
    page.keyboard.press("n")
    expect(page.get_by_role("heading", name="New training")).to_be_visible()


def test_on_a_phone_samples_are_swiped_and_everything_is_in_the_menu(
    place: Site, opened: Opener, jobs: list[Job]
) -> None:
    phone = opened(viewport=PHONE, has_touch=True, is_mobile=True, device_scale_factor=2)
    phone.goto(place.url)
    phone.get_by_role("link", name="Pip").first.tap()
    expect(phone.get_by_role("dialog")).to_be_visible()
    phone.goto(place.job_url(jobs[1]))
    phone.get_by_role("button", name="More").tap()
    for offered in ("Resume", "Debug bundle", "New training like this", "Delete this job"):
        expect(phone.get_by_role("menuitem", name=offered)).to_be_visible()
    phone.keyboard.press("Escape")
    phone.goto(place.job_url(jobs[0], "samples"))
    phone.get_by_role("button", name=re.compile("Open: .*, step 20")).first.tap()
    viewer = phone.locator("[data-shortcuts=viewer]")
    expect(viewer).to_contain_text("step 20")
    swipe(phone, viewer.get_by_role("img"), down=150)
    expect(viewer).to_contain_text("step 10")
    swipe(phone, viewer.get_by_role("img"), down=-150)
    expect(viewer).to_contain_text("step 20")
    expect(viewer).to_contain_text("pip by the sea")
    swipe(phone, viewer.get_by_role("img"), right=-150)
    expect(viewer).to_contain_text("pip on a hill")


def swipe(page: Page, over: Locator, *, down: int = 0, right: int = 0) -> None:
    box = over.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch = page.context.new_cdp_session(page)
    for kind, share in (("touchStart", 0.0), ("touchMove", 0.5), ("touchMove", 1.0), ("touchEnd", None)):
        points = [] if share is None else [{"x": x + share * right, "y": y + share * down}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def test_times_motion_and_notifications_follow_the_reader(place: Site, opened: Opener, jobs: list[Job]) -> None:
    page = opened(reduced_motion="reduce", timezone_id="Asia/Kathmandu", permissions=["notifications"])
    page.add_init_script(
        """window.said = [];
        window.Notification = class { constructor(text) { window.said.push(text); }
          static permission = 'granted'; static requestPermission = async () => 'granted'; };"""
    )
    page.goto(place.job_url(jobs[0], "trace"))
    exact = page.get_by_role("dialog").locator("time[title*='UTC']").first
    stamp = exact.get_attribute("datetime") or ""
    zone = "{timeZone: 'Asia/Kathmandu', hour: '2-digit', minute: '2-digit', hourCycle: 'h23'}"
    local = page.evaluate(f"(stamp) => new Date(stamp).toLocaleTimeString('en-GB', {zone})", stamp)
    assert "UTC" in (exact.get_attribute("title") or "")
    expect(exact).to_contain_text(local)
    assert page.evaluate("document.getAnimations().filter((each) => each.playState === 'running').length") == 0
    page.get_by_role("button", name="Close the job").click()
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("menuitemcheckbox", name="Notify me when a training ends").click()
    page.evaluate("Object.defineProperty(document, 'hidden', { get: () => true, configurable: true })")
    place.bench.finish(place.bench.submit(steps=2))
    page.wait_for_function("() => window.said.length === 1")
    assert page.evaluate("window.said") == ["Pip: training completed"]
