"""What a training came to is said first: failures of every kind, with the error, its stack folded, and what to try."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from browser.look import journal
from isengard.jobs.models import Job
from standins.site import Site

FAILURES = {
    # fail_mode: what the error says, what is offered, whether there is a stack
    "exception": (r"RuntimeError: The size of tensor a", r"not of the expected kind", True),
    "oom": (r"OutOfMemoryError: CUDA out of memory", r"resolution", True),
    "kill": (r"SIGKILL", r"memory", False),
    "exit_code": (r"exit code 3", r"no rule for this failure", False),
    "gated": (r"GatedRepoError", r"token", True),
    "no_output": (r"LoRA", r".", False),
}


@pytest.fixture(scope="module")
def failed(place: Site) -> dict[str, Job]:
    """One training of each kind of failure, run beside each other."""
    return {mode: place.bench.submit(steps=4, fail_mode=mode, fail_at_step=3) for mode in FAILURES}


@pytest.mark.parametrize("mode", FAILURES)
def test_a_failure_says_what_happened_and_what_to_try(
    place: Site, page: Page, failed: dict[str, Job], mode: str
) -> None:
    error, advice, has_stack = FAILURES[mode]
    page.goto(place.job_url(failed[mode]))
    outcome = page.locator("[data-outcome]")
    expect(outcome.get_by_role("heading", name=re.compile("Training failed"))).to_be_visible()
    expect(outcome.locator("[data-error]")).to_have_text(re.compile(error, re.IGNORECASE))
    expect(outcome).to_contain_text("What to try")
    expect(outcome).to_contain_text(re.compile(advice, re.IGNORECASE))
    for link in ("Debug bundle",):
        expect(outcome.get_by_role("link", name=link)).to_be_visible()
    expect(outcome.get_by_role("button", name="Resume")).to_be_visible()
    stack = outcome.locator("details", has_text="Stack")
    expect(stack).to_have_count(1 if has_stack else 0)
    if has_stack:
        assert stack.get_attribute("open") is None  # folded
        expect(stack.locator("pre")).not_to_be_visible()
        stack.locator("summary").click()
        expect(stack.locator("pre")).to_contain_text("Traceback")
    # The error stands above the figures and the curve.
    assert outcome.bounding_box()["y"] < page.get_by_label("Figures").bounding_box()["y"]  # type: ignore[index]
    expect(page).to_have_title("✗ Pip · Isengard")


def test_from_a_failure_to_its_first_error_and_its_bundle(place: Site, page: Page, failed: dict[str, Job]) -> None:
    page.goto(place.job_url(failed["oom"]))
    with page.expect_download() as download:
        page.locator("[data-outcome]").get_by_role("link", name="Debug bundle").click()
    with zipfile.ZipFile(download.value.path()) as bundle:
        assert any(name.endswith("events.jsonl") for name in bundle.namelist())
    page.get_by_role("button", name="Go to the first error").click()
    expect(page.locator("[data-line]")).to_contain_text("CUDA out of memory")
    selected = journal(page).locator("[aria-current]")
    expect(selected).to_contain_text("ERROR")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the journal").click()
    assert json.loads(Path(download.value.path()).read_text().splitlines()[0])["event"] == "job.created"
    # The story of the correlation ID reaches from the request to the trainer.
    page.get_by_role("tab", name="Trace").click()
    expect(page.get_by_text("Correlation ID", exact=True)).to_be_visible()
    expect(page.get_by_role("dialog")).to_contain_text("job.failed")
    # Back to the figures: the failure of the list has the same name.
    page.get_by_role("button", name="Close the job").click()
    row = page.get_by_role("row").filter(has=page.locator(f"[href*='{failed['oom'].id}']"))
    expect(row).to_contain_text("Failed")


def test_what_would_have_fitted_is_one_click_away(place: Site, page: Page) -> None:
    job = place.bench.submit(steps=4, fail_mode="oom", fail_at_step=3, lora_rank=64, sample_prompts=["pip 🐉 على تل"])
    place.bench.finish(job)
    page.goto(place.url)
    row = page.locator(f"[role=row]:has([href*='{job.id}'])")
    expect(row).to_contain_text("OutOfMemoryError")  # what broke is said in the list
    row.get_by_role("link").click()
    outcome = page.locator("[data-outcome]")
    expect(outcome.get_by_role("heading", name="The GPU ran out of memory")).to_be_visible()
    expect(outcome).to_contain_text("set lora_rank to 32 (it was 64)")
    outcome.get_by_role("button", name="New training with lora rank 32").click()
    expect(page.get_by_role("heading", name="New training")).to_be_visible()
    expect(page.get_by_label("LoRA rank")).to_have_value("32")
    expect(page.get_by_label("Steps", exact=True)).to_have_value("4")
    page.reload()  # it is an address like any other
    expect(page.get_by_label("LoRA rank")).to_have_value("32")


def test_a_failure_names_the_earlier_jobs_that_failed_alike(place: Site, page: Page, failed: dict[str, Job]) -> None:
    first = place.bench.finish(failed["exception"])
    again = place.bench.finish(place.bench.submit(steps=4, fail_mode="exception", fail_at_step=2))
    page.goto(place.job_url(again))
    seen = page.locator("[data-outcome]").locator("[data-seen]")
    expect(seen).to_contain_text("Seen in 1 earlier job")
    seen.get_by_role("link", name=first.id.removeprefix("train-")[:8]).click()
    expect(page).to_have_url(place.job_url(first))
    expect(page.locator("[data-seen]")).to_have_text("No earlier job failed like this.")


def test_a_failed_training_goes_on_when_resumed(place: Site, page: Page, failed: dict[str, Job]) -> None:
    page.goto(place.job_url(failed["exit_code"]))
    outcome = page.locator("[data-outcome]")
    outcome.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("dialog").get_by_text("attempt 2").first).to_be_visible()
    expect(outcome).to_contain_text("Training failed")  # it fails again, as its setting says
    expect(page.get_by_role("dialog")).to_contain_text("Failed · attempt 2")
    # Steps that were repeated are kept: each attempt has a curve of its own.
    curve = page.get_by_role("figure").first
    expect(curve).to_contain_text(re.compile(r"loss \(attempt 1\) [\d.]+ · loss \(attempt 2\) [\d.]+"))
