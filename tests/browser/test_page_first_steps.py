"""What a new user meets: an empty list with the demo one click away, empty places, wrong addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.look import axe_violations, bring_axe
from isengard.jobs.models import JobStatus
from standins.site import Site, Watch, site


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server on which nothing was trained yet, without a worker."""
    with site(tmp_path_factory.mktemp("fresh") / "data", worker=None) as made:
        yield made


def test_places_without_anything_in_them_say_what_to_do_and_are_accessible(
    fresh: Site, page: Page, watch: Watch
) -> None:
    watch.expect("^404 GET .*/train-nothing", "status of 404")
    bring_axe(page)
    shown: dict[str, Locator] = {
        "/new": page.get_by_text("Choose or make a character first."),
        "/compare": page.get_by_text("Choose at least two jobs"),
        "/nowhere": page.get_by_role("link", name="Go to the jobs"),
        "/jobs/train-nothing": page.get_by_role("button", name="Try again"),
        "/": page.get_by_text("No training yet"),
    }
    for address, what in shown.items():
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.goto(fresh.url + address)  # drawn in its colours from the start, not on the way from others
            expect(what).to_be_visible()
            assert axe_violations(page) == [], address


def test_the_demo_starts_with_one_click(fresh: Site, page: Page) -> None:
    page.goto(fresh.url)
    page.get_by_role("button", name="Start the demo").click()
    page.wait_for_url("**/jobs/train-*")
    expect(page.get_by_role("dialog")).to_contain_text("Queued")
    job = fresh.bench.store.get_job(re.findall(r"train-\w+", page.url)[0])
    assert job.status is JobStatus.QUEUED
    assert fresh.bench.store.get_character(job.character_id).image_count > 5
    page.get_by_role("button", name="Close the job").click()
    expect(page.get_by_role("row").filter(has_text="Queued")).to_have_count(1)
    expect(page.get_by_text("No worker is running, so queued jobs wait.")).to_be_visible()
