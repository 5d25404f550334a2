"""The log of a job: any line of a million at once, filtered, searched, linked to; and never more than text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from browser.look import journal
from isengard.jobs.models import Job
from standins import long_journal
from standins.site import Site

LINES = 1_000_000
ERROR = 777_777
EVIL = 4
STACK = 'Traceback (most recent call last):\n  File "train.py", line 3, in <module>\nRuntimeError: it broke'
SPECIAL: dict[int, long_journal.Line] = {
    1: ("INFO", "job.created", "created", {"trainer": "mock"}),
    2: ("INFO", "job.queued", "queued", {}),
    3: ("INFO", "job.started", "started", {"attempt": 1}),
    EVIL: (
        *(
            "WARN",
            "subprocess.stderr",
            "\x1b[31mred\x1b[0m <script>document.title='owned'</script><img src=x onerror=x>",
        ),
        {"line": "<b>bold</b>"},
    ),
    ERROR: ("ERROR", "subprocess.stderr", "it broke", {"error_stack": STACK}),
    LINES: ("INFO", "job.completed", "completed", {"attempt": 1, "duration_s": 3600}),
}


@pytest.fixture(scope="module")
def long_job(place: Site) -> Iterator[Job]:
    job = long_journal.ended_job(place.bench.store, total_steps=LINES, current_step=LINES)
    long_journal.write(place.bench.paths(job), LINES, SPECIAL)
    yield job
    place.bench.paths(job).journal.unlink()  # 200 MB


def test_every_line_of_a_million_is_at_hand(place: Site, page: Page, long_job: Job) -> None:
    page.goto(place.job_url(long_job, "logs"))
    expect(page.get_by_text("1,000,000 lines")).to_be_visible()
    rows = journal(page).locator("[data-seq]")
    expect(journal(page).locator(f"[data-seq='{LINES}']")).to_be_visible()  # it begins at the end
    assert rows.count() < 100

    # The first error is one key away; its stack is there.
    page.keyboard.press("e")
    panel = page.locator(f"[data-line='{ERROR}']")
    expect(panel).to_contain_text("RuntimeError: it broke")
    expect(journal(page).locator(f"[data-seq='{ERROR}']")).to_be_in_viewport()
    page.get_by_role("button", name="Jump to latest").click()
    expect(journal(page).locator(f"[data-seq='{LINES}']")).to_be_in_viewport()

    # From the end to the beginning by the scroll bar, and small movements stay small.
    journal(page).evaluate("(table) => { table.scrollTop = table.scrollHeight / 2 }")
    expect(rows.first).to_have_attribute("data-seq", re.compile(r"^(49|50)\d{4}$"))
    journal(page).press("Home")
    expect(journal(page).locator("[data-seq='1']")).to_be_in_viewport()
    expect(page.get_by_role("button", name="Jump to latest")).to_be_visible()

    # A permalink opens at its line, also a line of a step.
    page.goto(place.job_url(long_job, "logs", line=123_456))
    expect(journal(page).locator("[data-seq='123456']")).to_be_in_viewport()
    expect(page.locator("[data-line='123456']")).to_contain_text("training.step")
    page.goto(place.job_url(long_job, "logs", step=654_321))
    expect(journal(page).locator("[data-seq='654321']")).to_be_in_viewport()


def test_filters_and_search_cover_the_whole_journal(place: Site, page: Page, long_job: Job) -> None:
    page.goto(place.job_url(long_job, "logs"))
    page.get_by_role("button", name="ERROR", exact=True).click()
    expect(page.get_by_text("1 lines")).to_be_visible()
    expect(journal(page).locator(f"[data-seq='{ERROR}']")).to_be_visible()
    page.get_by_role("button", name="ERROR", exact=True).click()
    page.get_by_label("Event", exact=True).select_option("job.started")
    expect(journal(page).locator("[data-seq]")).to_have_count(1)
    page.get_by_label("Event", exact=True).select_option("")
    journal(page).focus()
    page.keyboard.press("/")
    page.keyboard.type("BROKE")
    expect(journal(page).locator("[data-seq]")).to_have_count(1)
    expect(journal(page).locator("mark")).to_have_text("broke")
    page.get_by_label("Search in the log").fill("no such words")
    expect(page.get_by_text("No line matches")).to_be_visible()
    page.get_by_role("button", name="Show every line").click()
    expect(page.get_by_text("1,000,000 lines")).to_be_visible()


def test_what_a_trainer_prints_stays_text(place: Site, page: Page, long_job: Job) -> None:
    page.goto(place.job_url(long_job, "logs", line=EVIL))
    row = journal(page).locator(f"[data-seq='{EVIL}']")
    said = "red <script>document.title='owned'</script><img src=x onerror=x>"
    expect(row.get_by_role("cell").last).to_have_text(said)  # without the codes
    panel = page.locator(f"[data-line='{EVIL}']")
    expect(panel).to_contain_text(said)
    expect(panel).to_contain_text("<b>bold</b>")
    assert page.locator("main script, [role=dialog] script, [role=dialog] b, [role=dialog] img[src=x]").count() == 0
    colours = (
        row.get_by_role("cell")
        .last.locator("span")
        .evaluate_all("(spans) => spans.map((span) => [span.textContent, getComputedStyle(span).color])")
    )
    assert next(colour for text, colour in colours if text == "red") != next(
        colour for text, colour in colours if "script" in text
    )
    assert "owned" not in page.title()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    panel.get_by_role("button", name="Copy a link to this line").click()
    link = page.evaluate("navigator.clipboard.readText()")
    panel.get_by_role("button", name="Copy the line").click()
    page.wait_for_function("async () => (await navigator.clipboard.readText()).startsWith('{')")
    assert json.loads(page.evaluate("navigator.clipboard.readText()"))["seq"] == EVIL
    journal(page).press("End")
    expect(row).not_to_be_attached()
    page.goto(link)
    expect(row).to_be_in_viewport()
    expect(panel).to_contain_text(said)


def test_a_live_log_lets_go_when_the_reader_scrolls_up(place: Site, page: Page) -> None:
    job = place.bench.submit(steps=100_000, step_time_s=0.02)
    page.goto(place.job_url(job, "logs"))
    seqs = journal(page).locator("[data-seq]")
    place.bench.wait_for_event(job, "training.step", count=60)
    newest = seqs.last.get_attribute("data-seq")
    expect(seqs.last).not_to_have_attribute("data-seq", newest or "")  # it follows
    journal(page).hover()
    page.mouse.wheel(0, -400)
    latest = page.get_by_role("button", name=re.compile("Jump to latest"))
    expect(latest).to_contain_text("new")
    held = seqs.first.get_attribute("data-seq")
    expect(latest).to_contain_text(re.compile(r"\d\d new"))
    assert seqs.first.get_attribute("data-seq") == held
    latest.click()
    expect(latest).to_have_count(0)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Cancel the training").click()
    expect(page.get_by_role("dialog").get_by_text("Cancelled").first).to_be_visible()
