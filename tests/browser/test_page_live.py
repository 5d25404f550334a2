"""What is live stays live and whole: through reloads, other tabs, and the death of the server."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from browser.look import every_line, expect_link, points_in_chart, step_shown, wait_for_step
from isengard.execution import kept_checkpoints
from isengard.jobs.models import Job
from standins.site import Site, Watch
from standins.workbench import eventually


def expect_no_gap(place: Site, page: Page, job: Job, steps: int) -> None:
    """Chart and log hold everything that happened, each once."""
    page.get_by_role("tab", name="Overview").click()
    expect(page.locator("[data-outcome]")).to_contain_text("Training completed")
    eventually(lambda: points_in_chart(page) == steps, f"{steps} points in the chart")
    page.get_by_role("tab", name="Logs").click()
    lines = every_line(page)
    assert list(lines) == list(range(1, len(place.bench.entries(job)) + 1))


def test_a_training_survives_a_reload_and_is_the_same_in_two_tabs(place: Site, page: Page) -> None:
    steps = 80
    job = place.bench.submit(steps=steps, step_time_s=0.03, sample_every_n_steps=40)
    page.goto(place.job_url(job))
    other = page.context.new_page()
    other.goto(place.url)
    row = other.get_by_role("row").filter(has=other.locator(f"[href*='{job.id}']"))
    wait_for_step(page, 10)
    expect(row.get_by_role("progressbar")).not_to_have_attribute("aria-valuenow", "0")
    page.reload()
    before = step_shown(page)
    wait_for_step(page, before + 5)
    eventually(lambda: points_in_chart(page) >= before, "the chart holding what was before the reload")
    expect(page).to_have_title(re.compile(r"^\d+ % Pip"))
    expect(row).to_contain_text("Completed")
    expect(row).to_contain_text("80 / 80")
    expect(row.get_by_role("img", name=re.compile("Loss from"))).to_be_visible()
    expect_no_gap(place, page, job, steps)


def test_a_killed_server_leaves_no_gap(place: Site, page: Page, watch: Watch) -> None:
    watch.expect("net::ERR_")
    steps = 150
    job = place.bench.submit(steps=steps, step_time_s=0.03)
    page.goto(place.job_url(job))
    expect_link(page, "live")
    wait_for_step(page, 10)
    place.kill_api()
    try:
        expect_link(page, "reconnecting")
        expect(page.get_by_role("dialog").locator("[data-link]")).to_contain_text("Reconnecting")
        page.get_by_role("tab", name="Samples").click()  # a part of the page that was not loaded yet
        seen = step_shown(page)
        missed = seen + 20
        eventually(lambda: place.bench.fold(job).step > missed, "steps that nobody served")
    finally:
        place.start_api()
    expect_link(page, "live")
    wait_for_step(page, missed)
    expect(page.get_by_text(re.compile("^No samples")).first).to_be_visible()
    expect_no_gap(place, page, job, steps)


def test_samples_and_checkpoints_come_when_asked_for(place: Site, page: Page) -> None:
    job = place.bench.submit(steps=100_000, checkpoint_every_n_steps=0, sample_prompts=["pip", "pip at sea"])
    page.goto(place.job_url(job, "samples"))
    expect(page.get_by_text(re.compile("^No samples")).first).to_be_visible()
    page.get_by_role("button", name="Sample now").click()
    expect(page.get_by_text("Asked for samples")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Open: pip at sea, step"))).to_have_count(2)  # film and matrix
    page.get_by_role("tab", name="Artifacts").click()
    page.get_by_role("button", name="Save now").click()
    saved = page.get_by_role("row").filter(has_text=re.compile(r"step_\d+\.safetensors"))
    expect(saved).to_have_count(1)
    saved.get_by_role("checkbox").click()
    expect(saved.get_by_role("checkbox")).to_be_checked()
    eventually(lambda: kept_checkpoints.kept(place.bench.paths(job)), "the checkpoint being kept")

    # Cancelled with what was kept, and resumed from there.
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Cancel the training").click()
    page.get_by_role("tab", name="Overview").click()
    outcome = page.locator("[data-outcome]")
    expect(outcome).to_contain_text("Training cancelled at step")
    expect(outcome).to_contain_text("2 checkpoints (newest at step")
    expect(outcome).to_contain_text("2 samples")
    expect(page).to_have_title("⊘ Pip · Isengard")
    outcome.get_by_role("button", name="Resume").click()
    expect(outcome).to_have_count(0)
    expect(page.get_by_role("dialog").get_by_text("attempt 2").first).to_be_visible()
    stopped = place.bench.fold(job).step
    wait_for_step(page, stopped + 1)
    expect(page.get_by_role("img", name=re.compile("Loss over steps"))).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Cancel the training").click()
    expect(outcome).to_contain_text("Training cancelled")
