"""One real server, one real worker and one browser for all tests of the page; a fresh context for each test.

Whatever a page complains of (console errors and warnings, violations of its policy, uncaught exceptions, answers of 400
and above) fails the test that did not expect it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from isengard.jobs.models import Job, JobStatus
from standins import nvidia_driver
from standins.site import DESKTOP, Opener, Site, Watch, chromium, quiet, site
from standins.workbench import PATIENCE_S


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=1000 * PATIENCE_S)
    with chromium() as made:
        yield made


@pytest.fixture(scope="package")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """API and worker, which sees two GPUs."""
    driver = nvidia_driver.build(tmp_path_factory.mktemp("driver"))
    worker = {"LD_LIBRARY_PATH": str(driver), "ISENGARD_METRICS_EVERY_S": "0.3"}
    with site(tmp_path_factory.mktemp("site") / "data", worker=worker) as made:
        yield made


@pytest.fixture(scope="package")
def pair(place: Site) -> list[Job]:
    """Two trainings that differ in rank and seed, with samples at the same steps. Nobody may change them."""
    both = [
        place.bench.submit(
            gpus=1,
            steps=40,
            start_time_s=1.5,
            sample_every_n_steps=10,
            checkpoint_every_n_steps=20,
            sample_prompts=["pip by the sea", "pip on a hill"],
            **own,
        )
        for own in ({"lora_rank": 4, "seed": 1}, {"lora_rank": 8, "seed": 2})
    ]
    for job in both:
        assert place.bench.finish(job).status is JobStatus.COMPLETED
    return both


@pytest.fixture
def watch() -> Iterator[Watch]:
    made = Watch()
    yield made
    assert made.unexpected() == []


@pytest.fixture
def opened(browser: Browser, watch: Watch) -> Iterator[Opener]:
    """Opens pages in contexts of their own; keyword arguments are Playwright's for a context."""
    contexts: list[BrowserContext] = []

    def open_page(**options: Any) -> Page:
        given = {"viewport": DESKTOP, "locale": "en-GB", "timezone_id": "Europe/Berlin", "accept_downloads": True}
        context = quiet(browser.new_context(**{**given, **options}))
        contexts.append(context)
        page = context.new_page()
        watch.listen(page)
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def page(opened: Opener) -> Page:
    return opened()
