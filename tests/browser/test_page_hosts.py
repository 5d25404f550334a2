"""Where a job runs: said of jobs on other hosts than the site's, and of no other."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from isengard.jobs.models import Job
from standins import long_journal
from standins.site import PHONE, Site


def ended_on(place: Site, host: str, *, hosted: bool) -> Job:
    job = long_journal.ended_job(place.bench.store, total_steps=50, current_step=50)
    started: dict[str, object] = {"attempt": 1, "pid": 1, "host": host, **({"hosted": True} if hosted else {})}
    long_journal.write(
        place.bench.paths(job),
        50,
        {
            1: ("INFO", "job.created", "created", {"trainer": "mock"}),
            2: ("INFO", "job.started", "attempt 1 started", started),
            50: ("INFO", "job.completed", "completed", {"attempt": 1}),
        },
    )
    return job


def test_the_host_of_a_job_is_shown_where_it_is_another_one(place: Site, page: Page) -> None:
    long_name = "gpu-box-in-the-cellar-with-a-name-that-nobody-thought-would-be-shown.example"
    here, there, far = (
        ended_on(place, "site", hosted=False),
        ended_on(place, "atlas", hosted=True),
        ended_on(place, long_name, hosted=True),
    )
    page.goto(place.url)
    row = {job.id: page.locator(f"[role=row]:has([href*='{job.id}'])") for job in (here, there, far)}
    expect(row[there.id]).to_contain_text("on atlas")
    expect(row[here.id]).to_be_visible()
    expect(row[here.id]).not_to_contain_text(re.compile(r"\bon\b"))
    page.get_by_label("Search by name, id, trainer or host").fill("ATLAS")
    expect(page.locator("[role=row]:has([href*='/jobs/train-'])")).to_have_count(1)
    for job, told in ((here, None), (there, "on atlas"), (far, f"on {long_name}")):
        page.goto(place.job_url(job))
        expect(page.locator("[data-outcome]")).to_be_visible()
        head = page.get_by_role("dialog").locator("[data-host]")
        expect(head).to_have_count(0 if told is None else 1)
        if told is not None:
            expect(head).to_have_text(told)
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")  # once the charts have followed
    box = head.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= PHONE["width"]
