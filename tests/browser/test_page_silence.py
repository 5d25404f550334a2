"""A training that goes on without doing steps says so, by the runner's clock."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from isengard.jobs.models import Job, JobStatus
from standins import long_journal
from standins.site import Site, site

STEPS = 40


@pytest.fixture(scope="module")
def lone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site without a worker: nobody ends what seems to run."""
    with site(tmp_path_factory.mktemp("lone") / "data", worker=None) as made:
        yield made


def running(lone: Site, readings: int) -> Job:
    """A training that did some steps and then only had its machine read, ten times a second."""
    job = long_journal.ended_job(
        lone.bench.store, status=JobStatus.RUNNING, completed_at=None, total_steps=1000, eta_seconds=9.0
    )
    reading: long_journal.Line = ("INFO", "gpu.metrics", "", {"system": {"cpu_pct": 1.0}})
    special: dict[int, long_journal.Line] = {
        1: ("INFO", "job.created", "created", {"trainer": "mock"}),
        2: ("INFO", "job.started", "started", {"attempt": 1, "status": "running"}),
        3: ("INFO", "job.stage", "training", {"attempt": 1, "stage": "training", "eta_seconds": 9.0}),
        **{STEPS + number: reading for number in range(1, readings + 1)},
    }
    long_journal.write(lone.bench.paths(job), STEPS + readings, special)
    return job


def test_a_training_that_stands_still_says_so(lone: Site, page: Page) -> None:
    page.goto(lone.job_url(running(lone, readings=1500)))
    head = page.locator("[data-progress-words]")
    expect(page.locator("[data-silence]")).to_have_text("no step for 2 m 30 s")
    expect(head).to_contain_text("no step for 2 m 30 s")
    expect(head).not_to_contain_text("left")


def test_a_training_that_did_a_step_just_now_says_nothing(lone: Site, page: Page) -> None:
    page.goto(lone.job_url(running(lone, readings=50)))
    expect(page.locator("[data-progress-words]")).to_contain_text("9 s left")
    expect(page.get_by_label("Figures")).to_contain_text("Elapsed")
    expect(page.locator("[data-silence]")).to_have_count(0)
