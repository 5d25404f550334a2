"""How far a training is in each of its stages, what each took, and that a reopened job has lost nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.look import points_in_chart
from isengard.events.models import EventName
from isengard.jobs.models import Job, JobStatus
from isengard.journal import JournalWriter
from standins import long_journal
from standins.site import Site, site
from standins.workbench import eventually


def row(page: Page, stage: str) -> Locator:
    return page.get_by_role("list", name="Stages").locator(f"[data-stage='{stage}']")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server without a worker: the journals are the tests' to write."""
    with site(tmp_path_factory.mktemp("alone") / "data", worker=None) as made:
        yield made


def running_job(place: Site) -> Job:
    """A job that a runner, here the test, is said to be at."""
    job = long_journal.ended_job(place.bench.store, status=JobStatus.RUNNING, completed_at=None, total_steps=40)
    place.bench.paths(job).make()
    return job


def begin(journal: JournalWriter) -> None:
    journal.append(EventName.JOB_CREATED, "created", {"trainer": "mock"})
    journal.append(EventName.JOB_STARTED, "attempt 1 started", {"attempt": 1, "status": "running"})


def train(journal: JournalWriter, steps: range) -> None:
    for step in steps:
        fields = {"stage": "training", "step": step, "steps_total": 40, "progress_pct": 2.5 * step}
        journal.append(EventName.TRAINING_STEP, "", {**fields, "loss": 1 / step, "attempt": 1})


def caption(journal: JournalWriter, done: int) -> None:
    share = {"stage": "captioning", "attempt": 1, "phase": "captioning images", "phase_pct": round(100 * done / 12, 1)}
    journal.append(EventName.JOB_STAGE, f"{done} of 12 images captioned", share)


def test_a_stage_says_how_far_it_is_while_it_goes_on(alone: Site, page: Page) -> None:
    job = running_job(alone)
    with alone.api.journal(job.id) as journal:
        begin(journal)
        caption(journal, 5)
        page.goto(alone.job_url(job))
        captioning = row(page, "captioning")
        expect(captioning).to_contain_text("5 of 12 images captioned")
        expect(captioning.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "42")
        caption(journal, 11)
        expect(captioning).to_contain_text("11 of 12 images captioned")
        expect(captioning.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "92")
        train(journal, range(1, 11))
        journal.append(EventName.JOB_STAGE, "training", {"stage": "training", "attempt": 1})
        expect(row(page, "training")).to_contain_text("10 / 40")
        expect(row(page, "training").get_by_role("progressbar")).to_have_attribute("aria-valuenow", "25")
        expect(captioning.get_by_role("progressbar")).to_have_count(0)
        expect(captioning).to_contain_text(re.compile(r"\d+ s"))


def test_a_real_training_shows_each_stage_once_with_what_it_took(place: Site, page: Page) -> None:
    job = place.bench.submit(steps=20, start_time_s=1.0)
    page.goto(place.job_url(job))
    expect(page.locator("[data-outcome]")).to_contain_text("Training completed")
    expect(row(page, "initializing")).to_contain_text("loading model")
    expect(row(page, "training")).to_have_count(1)
    expect(row(page, "training")).to_contain_text("20 / 20")
    expect(row(page, "exporting")).to_contain_text(re.compile(r"\d+ s"))
    expect(row(page, "completed").locator("time")).to_have_text(re.compile(r"\d\d:\d\d:\d\d"))


def test_a_job_that_is_opened_again_has_what_happened_meanwhile(alone: Site, page: Page) -> None:
    job = running_job(alone)
    with alone.api.journal(job.id) as journal:
        begin(journal)
        train(journal, range(1, 11))
        page.goto(alone.job_url(job))
        eventually(lambda: points_in_chart(page) == 10, "ten points")
        page.get_by_role("button", name="Close the job").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
        train(journal, range(11, 21))
        expect(page.get_by_role("row").filter(has=page.locator(f"[href*='{job.id}']"))).to_contain_text("20 / 40")
        page.locator(f"a[href*='{job.id}']").click()
        train(journal, range(21, 31))
        eventually(lambda: points_in_chart(page) == 30, "thirty points: ten from before, ten of meanwhile, ten live")
