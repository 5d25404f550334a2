"""Comparing more than two trainings: of different lengths, without samples, without an end."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from browser.look import axe_violations, bring_axe
from isengard.jobs.models import Job, JobStatus
from standins.site import PHONE, Site

SEA = "pip by the sea"


@pytest.fixture(scope="module")
def four(place: Site, pair: list[Job]) -> list[Job]:
    """The pair, one that failed half-way with fewer samples, and one without any."""
    failed = place.bench.submit(
        steps=40, fail_mode="nan", fail_at_step=25, sample_every_n_steps=20, sample_prompts=[SEA], seed=3
    )
    bare = place.bench.submit(steps=12, sample_every_n_steps=0, lora_rank=2, seed=4)
    assert place.bench.finish(failed).status is JobStatus.FAILED
    assert place.bench.finish(bare).status is JobStatus.COMPLETED
    return [*pair, failed, bare]


def short(job: Job) -> str:
    return job.id.partition("-")[2][:8]


def test_four_trainings_stand_beside_each_other(place: Site, page: Page, four: list[Job]) -> None:
    bring_axe(page)
    page.goto(place.url)
    for job in four[:3]:
        page.locator(f"[role=row]:has([href*='{job.id}'])").get_by_role("checkbox").check()
    page.get_by_role("toolbar", name="3 jobs selected").get_by_role("button", name="Compare").click()
    chart = page.get_by_role("img", name=re.compile("Curves of"))
    expect(chart.locator("canvas")).to_be_visible()
    # Each curve goes as far as its training did; a shorter one says no more than it knows.
    readout = page.locator("figcaption")
    for job in four[:2]:
        expect(readout).to_contain_text(short(job))
    page.goto(f"{place.url}/compare?jobs={','.join(job.id for job in four[:3])}")
    page.get_by_label("Add a job").select_option(four[3].id)
    expect(chart).to_have_accessible_name(re.compile(", ".join(f"Pip {short(job)}" for job in four)))
    table = page.get_by_role("region", name="Settings that differ")
    expect(table.get_by_role("columnheader")).to_have_count(5)
    expect(table.get_by_role("row", name=re.compile("^status"))).to_contain_text("Failed")
    values = table.get_by_role("row", name=re.compile("seed")).get_by_role("cell")
    expect(values).to_have_text(["1", "2", "3", "4"])
    # The samples of one step: the same where there is one, the last one before it where there is none.
    page.get_by_label("Prompt").select_option(SEA)
    page.get_by_role("slider", name="Step of every job").press("Home")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile("step=30"))
    shown = page.get_by_role("listitem").filter(has=page.locator(f"img[alt*='{SEA}']"))
    expect(shown).to_have_count(3)
    for index, step in enumerate((30, 30, 20)):
        expect(shown.nth(index).get_by_role("img")).to_have_attribute("alt", re.compile(f"step {step}$"))
    expect(shown.nth(2)).to_contain_text("step 20")
    expect(page.get_by_text("no sample here")).to_have_count(1)
    # A click on the curves moves the samples.
    box = chart.locator(".u-over").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 0.26, box["y"] + 50)
    expect(shown.nth(0).get_by_role("img")).to_have_attribute("alt", re.compile("step 10$"))
    assert axe_violations(page) == []
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")  # once the charts have followed
    # What is compared is an address.
    page.reload()
    expect(page.get_by_role("button", name=re.compile("Take Pip .* out"))).to_have_count(4)


def test_six_are_the_most_and_an_unknown_one_is_left_out(place: Site, page: Page, four: list[Job]) -> None:
    more = [place.bench.submit(steps=2, sample_every_n_steps=0) for _ in range(2)]
    for job in more:
        place.bench.finish(job)
    ids = [job.id for job in (*four, *more)]
    page.goto(f"{place.url}/compare?jobs={','.join(ids)}")
    expect(page.get_by_role("button", name=re.compile("Take Pip .* out"))).to_have_count(6)
    expect(page.get_by_label("Add a job")).to_be_disabled()
    expect(page.get_by_label("Add a job")).to_contain_text("Six jobs are the most.")
    page.get_by_role("button", name=f"Take Pip {short(four[1])} out").click()
    expect(page.get_by_label("Add a job")).to_be_enabled()
    expect(page).to_have_url(re.compile(ids[0] + "%2C" + ids[2]))
