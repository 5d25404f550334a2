"""The list of jobs, comparing them, and everything one finished training shows."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from browser.look import axe_violations, bring_axe, drag, journal
from isengard.jobs.models import Job, JobStatus
from standins.site import Site


def test_one_click_takes_every_view_to_the_moment(place: Site, page: Page, pair: list[Job]) -> None:
    page.goto(place.job_url(pair[0]))
    chart = page.get_by_role("img", name=re.compile("Loss over steps"))
    box = chart.bounding_box()
    assert box is not None
    chart.click(position={"x": box["width"] / 2, "y": 100})
    moment = page.locator("[data-moment]")
    expect(moment).to_contain_text("Moment: step")
    step = int(moment.get_attribute("data-moment") or "0")
    assert 15 <= step <= 25
    page.get_by_role("tab", name="Logs").click()
    expect(journal(page).locator("[data-seq]").filter(has_text=f"step {step}/40")).to_be_in_viewport()
    page.get_by_role("tab", name="Samples").click()
    expect(page.locator("[data-shown-step]")).to_have_attribute("data-shown-step", str(step // 10 * 10))
    # And back: a sample moves the log and the curve.
    page.get_by_role("slider", name="Step shown").press("Home")
    expect(moment).to_have_attribute("data-moment", "0")
    page.get_by_role("slider", name="Timeline").press("PageUp")
    expect(moment).to_have_attribute("data-moment", "10")
    page.get_by_role("tab", name="Artifacts").click()
    page.get_by_role("row", name=re.compile("step_000020.safetensors")).get_by_role("button", name="20").click()
    expect(moment).to_have_attribute("data-moment", "20")
    page.get_by_role("tab", name="System").click()
    expect(page.get_by_role("img", name="CPU")).to_be_visible()
    page.reload()
    expect(moment).to_have_attribute("data-moment", "20")
    page.get_by_role("button", name="Back to the end").click()
    expect(moment).to_have_count(0)


def test_samples_are_a_matrix_a_film_and_a_wipe(place: Site, page: Page, pair: list[Job]) -> None:
    bring_axe(page)
    page.goto(place.job_url(pair[0], "samples"))
    expect(page.get_by_text("untrained").first).to_be_visible()
    # Each of the newest step's samples stands in the film and in the matrix.
    expect(page.get_by_role("button", name="Open: pip by the sea, step 40")).to_have_count(2)
    # Full size: up and down are steps, left and right are prompts.
    page.get_by_role("button", name="Open: pip by the sea, step 20").click()
    viewer = page.locator("[data-shortcuts=viewer]")
    expect(viewer).to_contain_text("pip by the sea")
    expect(viewer.get_by_role("img")).to_have_js_property("naturalWidth", 64)
    page.keyboard.press("ArrowDown")
    expect(viewer).to_contain_text("step 30")
    page.keyboard.press("ArrowRight")
    expect(viewer).to_contain_text("pip on a hill")
    viewer.get_by_role("button", name="Keep the checkpoint of step 20").click()
    expect(viewer.get_by_role("button", name="Checkpoint of step 20 is kept")).to_be_visible()
    # Two steps over each other in full size, whichever two.
    page.keyboard.press("w")
    over = viewer.locator("[data-wipe]")
    expect(over.get_by_role("img", name=re.compile("untrained$"))).to_have_count(1)
    viewer.get_by_label("With step").select_option(label="step 10")
    expect(over.get_by_role("img", name=re.compile("step 10$"))).to_have_count(1)
    drag(page, over, 0.5, 0.8)
    expect(over).to_have_attribute("data-wipe", re.compile(r"^(7\d|8\d)$"))
    assert axe_violations(page) == []
    viewer.get_by_role("button", name="Compare two steps").click()
    expect(over).to_have_count(0)
    page.keyboard.press("Escape")
    expect(viewer).to_have_count(0)
    # The film, and two steps side by side.
    shown = page.locator("[data-shown-step]")
    page.get_by_role("slider", name="Step shown").press("Home")
    expect(shown).to_have_text("untrained")
    page.get_by_role("button", name="Play the training").click()
    expect(shown).to_have_text("step 40")
    page.get_by_role("button", name="Compare two steps").click()
    wipe = page.locator("[data-wipe]").first
    expect(wipe).to_have_attribute("data-wipe", "50")
    drag(page, wipe, 0.5, 0.2)
    expect(wipe).to_have_attribute("data-wipe", re.compile(r"^(1\d|2[0-5])$"))
    at = int(wipe.get_attribute("data-wipe") or "0")
    page.keyboard.press("ArrowLeft")
    expect(wipe).to_have_attribute("data-wipe", str(at - 1))
    page.get_by_label("With step").select_option(label="step 20")
    expect(wipe.get_by_role("img", name=re.compile("pip by the sea step 20"))).to_have_count(1)


def test_compared_jobs_show_what_differs_at_the_same_step(place: Site, page: Page, pair: list[Job]) -> None:
    page.goto(place.url)
    for job in pair:
        page.locator(f"[role=row]:has([href*='{job.id}'])").get_by_role("checkbox").check()
    page.get_by_role("toolbar").get_by_role("button", name="Compare").click()
    expect(page.get_by_role("img", name=re.compile("Curves of"))).to_be_visible()
    table = page.get_by_role("region", name="Settings that differ")
    expect(table.get_by_role("row", name=re.compile("rank"))).to_contain_text("8")
    expect(table.get_by_role("row", name=re.compile("seed"))).to_contain_text("2")
    expect(table.get_by_role("row", name=re.compile("resolution"))).to_have_count(0)
    page.get_by_label("Show the same ones too").check()
    expect(table.get_by_role("row", name=re.compile("resolution"))).to_have_count(1)
    # One scrubber moves the samples of all.
    images = page.locator("img[alt*='pip by the sea']")
    expect(images).to_have_count(2)
    page.get_by_role("slider", name="Step of every job").press("Home")
    for index in range(2):
        expect(images.nth(index)).to_have_attribute("alt", re.compile("step 0$"))
    page.keyboard.press("ArrowRight")
    for index in range(2):
        expect(images.nth(index)).to_have_attribute("alt", re.compile("step 10$"))
    page.get_by_role("combobox", name="Over").select_option("time")
    expect(page).to_have_url(re.compile("x=time"))
    page.get_by_role("combobox", name="Figure").select_option("lr")
    expect(page.get_by_role("img", name=re.compile("Curves of"))).to_be_visible()
    page.get_by_role("button", name=re.compile("Take Pip .* out")).first.click()
    expect(page.get_by_text("Choose at least two jobs")).to_be_visible()


def test_the_system_tab_and_the_list_show_the_gpu(place: Site, page: Page, pair: list[Job]) -> None:
    page.goto(place.job_url(pair[0], "system"))
    for name in ("GPU use", "GPU memory", "GPU temperature", "GPU power", "CPU", "Memory", "Disk free"):
        expect(page.get_by_role("img", name=name, exact=True)).to_be_visible()
    page.get_by_role("tab", name="Overview").click()
    expect(page.get_by_label("Figures")).to_contain_text("Fake GPU 0")
    expect(page.get_by_label("Figures")).to_contain_text("90 %")
    page.get_by_role("button", name="Close the job").click()
    row = page.locator(f"[role=row]:has([href*='{pair[0].id}'])")
    expect(row).to_contain_text("Fake GPU 0")


def test_the_list_is_searched_sorted_and_emptied(place: Site, page: Page, pair: list[Job]) -> None:
    doomed = [place.bench.submit(steps=100_000) for _ in range(2)]
    page.goto(f"{place.url}/?status=active")
    rows = page.locator("[role=row]:has([href*='/jobs/train-'])")
    expect(rows).to_have_count(2)
    page.get_by_label("Select all jobs shown").check()
    bar = page.get_by_role("toolbar", name="2 jobs selected")
    for job in doomed:
        place.bench.wait_for_event(job, "training.step")
    bar.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Cancel the training").click()
    expect(page.get_by_text("2 trainings asked to stop")).to_be_visible()
    for job in doomed:
        place.bench.finish(job)
    expect(page.get_by_text("No job matches")).to_be_visible()
    page.get_by_role("button", name="Show all jobs").click()
    page.get_by_label("Search by name, id, trainer or host").fill(doomed[0].id)
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Cancelled")
    page.get_by_label("Search by name, id, trainer or host").fill("")
    for job in doomed:
        page.locator(f"[role=row]:has([href*='{job.id}'])").get_by_role("checkbox").check()
    page.get_by_role("toolbar").get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete for good").click()
    expect(page.get_by_text("2 jobs deleted")).to_be_visible()
    for job in doomed:
        expect(page.locator(f"[href*='{job.id}']")).to_have_count(0)
        assert not place.bench.paths(job).root.exists()
    # Sorting, and the keyboard alone.
    page.get_by_role("columnheader", name="Loss").get_by_role("button").click()
    expect(page.get_by_role("columnheader", name="Loss")).to_have_attribute("aria-sort", "descending")
    page.get_by_role("columnheader", name="Loss").get_by_role("button").click()
    expect(page).to_have_url(re.compile("sort=loss&dir=asc"))
    page.get_by_role("heading", name="Jobs").click()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_queue_is_paused_reordered_and_let_go_on(place: Site, page: Page) -> None:
    place.bench.store.pause_queue("the disk is being changed")
    first, second = (place.bench.submit(steps=2) for _ in range(2))
    page.goto(f"{place.url}/?status=active")
    expect(page.get_by_text("The queue is paused: nothing new is started. the disk is being changed")).to_be_visible()
    row = page.locator(f"[role=row]:has([href*='{second.id}'])")
    expect(row).to_contain_text("1 before it")
    row.get_by_role("link").click()
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Start this one next").click()
    expect(page.get_by_text("It is next in the queue.")).to_be_visible()
    page.get_by_role("button", name="Close the job").click()
    expect(row).to_contain_text("next")
    expect(page.locator(f"[role=row]:has([href*='{first.id}'])")).to_contain_text("1 before it")
    page.get_by_role("button", name="Let it go on").click()
    expect(page.get_by_text("The queue is paused")).to_have_count(0)
    for job in (second, first):
        assert place.bench.finish(job).status is JobStatus.COMPLETED
    expect(page.get_by_text("No job matches")).to_be_visible()


def test_a_long_list_of_files_is_drawn_as_it_is_asked_for(place: Site, page: Page) -> None:
    job = place.bench.submit(steps=70, sample_every_n_steps=1, checkpoint_every_n_steps=1, sample_prompts=["pip"])
    place.bench.finish(job)
    page.goto(place.job_url(job, "artifacts"))
    samples = page.locator("section").filter(has=page.get_by_role("heading", name="Samples"))
    expect(samples.get_by_role("row")).to_have_count(61)  # and the head
    samples.get_by_role("button", name="Show 11 more of 71").click()
    expect(samples.get_by_role("row")).to_have_count(72)
    expect(samples.get_by_role("button", name="more of")).to_have_count(0)
