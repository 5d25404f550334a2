"""Samples drawn small are fetched small, and the list of jobs shows each job's newest."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, Request, ViewportSize, expect

from browser.look import axe_violations, bring_axe
from isengard.jobs.models import Job
from standins.site import DESKTOP, PHONE, Opener, Site, Watch

SAMPLES = re.compile("/artifacts/samples/")


def row_of(page: Page, job: Job) -> Locator:
    return page.locator(f"[role=row]:has([href*='{job.id}'])")


def place_of(element: Locator) -> tuple[float, float]:
    box = element.bounding_box()
    assert box is not None
    return box["x"], box["width"]


def asked(page: Page) -> list[str]:
    """The samples that the page asks for from now on."""
    addresses: list[str] = []

    def hear(request: Request) -> None:
        if SAMPLES.search(request.url):
            addresses.append(request.url)

    page.on("request", hear)
    return addresses


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_list_shows_a_jobs_newest_sample_as_soon_as_it_is_there(
    place: Site, opened: Opener, viewport: ViewportSize, theme: str
) -> None:
    page = opened(viewport=viewport, color_scheme=theme)
    job = place.bench.submit(steps=100_000, resolution=256, sample_prompts=["pip by the sea", "pip on a hill"])
    place.bench.wait_for_event(job, "training.step")
    bring_axe(page)
    page.goto(place.url)
    row, picture = row_of(page, job), row_of(page, job).get_by_role("img", name="Newest sample of Pip")
    expect(row).to_contain_text("Running")
    expect(picture).to_have_count(0)
    name = row.get_by_role("link")
    stood = place_of(name)
    with place.api.client() as client:
        client.post(f"/api/jobs/{job.id}/requests", json={"kind": "sample"}).raise_for_status()
        expect(picture).to_be_visible()
        expect(picture).to_have_attribute("alt", re.compile(r"^Newest sample of Pip, step [\d,]+, pip by the sea$"))
        expect(picture).to_have_js_property("complete", True)
        assert picture.evaluate("(image) => image.currentSrc").endswith("width=128")
        assert place_of(picture)[1] == 40
        assert place_of(name) == stood
        first = picture.get_attribute("src") or ""
        client.post(f"/api/jobs/{job.id}/requests", json={"kind": "sample"}).raise_for_status()
        expect(picture).not_to_have_attribute("src", first)
        client.post(f"/api/training/{job.id}/cancel").raise_for_status()
    expect(row).to_contain_text("Cancelled")
    expect(picture).to_be_visible()
    assert axe_violations(page) == []
    picture.click(force=True)  # it is part of the row, which opens the job
    expect(page).to_have_url(re.compile(job.id))


def test_a_sample_that_is_gone_leaves_its_place_empty(place: Site, page: Page, watch: Watch) -> None:
    job = place.bench.submit(steps=20, sample_every_n_steps=10)
    place.bench.finish(job)
    for path in place.bench.paths(job).samples.iterdir():
        path.unlink()
    watch.expect("404", "Failed to load resource")
    with page.expect_response(SAMPLES):
        page.goto(place.url)
    expect(row_of(page, job).get_by_role("img", name=re.compile("Newest sample"), include_hidden=True)).to_be_hidden()
    with place.api.client() as client:  # other tests look at the list, too
        client.delete(f"/api/training/{job.id}").raise_for_status()


def test_film_grid_and_overview_ask_for_small_pictures_and_the_viewer_for_the_sample(
    place: Site, page: Page, pair: list[Job]
) -> None:
    addresses = asked(page)
    page.goto(place.job_url(pair[0]))
    expect(page.locator("button img[alt='pip on a hill']")).to_be_visible()
    page.get_by_role("tab", name="Samples").click()
    expect(page.get_by_role("button", name="Open: pip by the sea, step 40")).to_have_count(2)
    page.get_by_role("slider", name="Step shown").press("Home")
    page.get_by_role("button", name="Compare two steps").click()
    expect(page.locator("[data-wipe]")).to_have_count(2)
    page.get_by_role("tab", name="Artifacts").click()
    expect(page.get_by_role("row", name=re.compile("step_000020_00.png"))).to_be_visible()
    page.goto(f"{place.url}/compare?jobs={pair[0].id},{pair[1].id}")
    expect(page.get_by_role("img", name=re.compile("Pip: pip by the sea"))).to_have_count(2)
    assert len(addresses) >= 10
    assert [each for each in addresses if "width=" not in each] == []
    page.goto(place.job_url(pair[0], "samples"))
    page.get_by_role("button", name="Open: pip by the sea, step 20").click()
    viewed = page.locator("[data-viewed]")
    expect(viewed).to_have_js_property("complete", True)
    assert "width=" not in str(viewed.evaluate("(image) => image.currentSrc"))
    download = page.locator("[data-shortcuts=viewer] a[download]")
    assert "width=" not in (download.get_attribute("href") or "width=")
