"""What an open training shows at first: figures, the curve to read and zoom, stages, settings, dataset, files."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Page, Request, expect

from browser.look import drag, wait_for_step
from isengard.jobs.models import Job
from standins.site import Site, Watch
from standins.workbench import eventually


def test_the_curve_is_hovered_smoothed_zoomed_and_drawn_on_a_log_scale(
    place: Site, page: Page, pair: list[Job]
) -> None:
    page.goto(place.job_url(pair[0]))
    figure = page.get_by_role("figure").filter(has=page.get_by_role("img", name=re.compile("Loss over steps")))
    plot = figure.locator(".u-over")
    expect(figure).to_contain_text(re.compile(r"step 40 · loss 0\.\d+ · smoothed 0\.\d+ · lr"))  # the newest, at rest
    box = plot.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 50)
    expect(figure).to_contain_text(re.compile(r"step (9|1\d) · loss"))

    def drawn() -> str:
        return str(figure.locator("canvas").evaluate("(canvas) => canvas.toDataURL()"))

    plain = drawn()
    page.get_by_label("Log scale").check()
    eventually(lambda: drawn() != plain, "the curve on a log scale")
    page.get_by_label("Log scale").uncheck()
    page.get_by_role("slider", name="Smoothing").press("Home")
    expect(figure).not_to_contain_text("smoothed")

    # A drag zooms: that part is asked for in full, and nothing is picked.
    with page.expect_request(re.compile(r"/metrics\?.*from_step=\d+.*to_step=\d+")):
        drag(page, plot, 0.25, 0.5)
    page.mouse.move(0, 0)
    zoom_out = page.get_by_role("button", name="Zoom out")
    expect(zoom_out).to_be_visible()
    expect(figure).to_contain_text(re.compile(r"step 2\d · loss"))
    expect(page.locator("[data-moment]")).to_have_count(0)
    zoom_out.click()
    expect(zoom_out).to_have_count(0)
    expect(figure).to_contain_text("step 40 · loss")


def test_a_live_curve_grows_to_its_newest_step(place: Site, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    job = place.bench.submit(steps=100_000, step_time_s=0.02)
    page.goto(place.job_url(job))
    wait_for_step(page, 10)
    figure = page.get_by_role("figure").filter(has=page.get_by_role("img", name=re.compile("Loss over steps")))
    box = figure.locator(".u-over").bounding_box()
    assert box is not None
    right = box["x"] + box["width"] - 1

    def at_the_right_edge() -> int:
        page.mouse.move(right - 40, box["y"] + 40)
        page.mouse.move(right, box["y"] + 40)
        found = re.search(r"step ([\d,]+) ·", figure.inner_text())
        return int(found[1].replace(",", "")) if found else 0

    first = at_the_right_edge()
    eventually(lambda: at_the_right_edge() >= first + 20, "new steps at the right edge of the curve")
    # Live comes by the stream: what was read once is not asked for again.
    lists = [url for url in asked if re.search(r"/api/(training|jobs)(\?|$)", url)]
    assert len(lists) == len(set(lists))
    icon = page.locator("link[rel=icon]")
    expect(icon).to_have_attribute("href", re.compile("^data:image/png"))
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Cancel the training").click()
    expect(page.locator("[data-outcome]")).to_contain_text("Training cancelled")


def test_the_overview_tells_stages_settings_dataset_and_files(place: Site, page: Page, pair: list[Job]) -> None:
    job = pair[1]
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(place.job_url(job))
    page.get_by_role("button", name="Copy the job's id").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == job.id
    for title, words in {
        "Stages": ["Preparing the dataset", "Training", "Exporting", "Completed"],
        "Configuration": ["lora rank", "8", "seed", "2"],
        "Dataset": ["3 images"],
        "Latest samples": ["pip by the sea", "step 40"],
    }.items():
        part = page.locator("section").filter(has=page.get_by_role("heading", name=title, exact=True))
        for each in words:
            expect(part).to_contain_text(each)
    outcome = page.locator("[data-outcome]")
    expect(outcome).to_contain_text(re.compile(r"Training completed in \d+ s"))
    page.get_by_role("tab", name="Artifacts").click()
    for name in ("step_000020.safetensors", rf".*{job.id[6:]}\.safetensors"):
        row = page.get_by_role("row", name=re.compile(name))
        expect(row).to_contain_text(re.compile(r"\d [kK]?B"))
        with page.expect_download() as download:
            row.get_by_role("link", name=re.compile("Download")).click()
        assert Path(download.value.path()).stat().st_size > 1000


def test_every_request_has_an_id_and_a_failed_one_shows_it(place: Site, page: Page, watch: Watch) -> None:
    watch.expect(r"^404 GET .*/train-nothing", "status of 404")
    sent: dict[str, str] = {}

    def note(request: Request) -> None:
        if request.resource_type in ("fetch", "xhr"):
            sent[request.url] = request.headers.get("x-correlation-id", "")

    page.on("request", note)
    page.goto(f"{place.url}/jobs/train-nothing")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("train-nothing")
    assert sent
    assert all(each.startswith("web-") for each in sent.values())
    assert len(set(sent.values())) == len(sent)
    expect(alert).to_contain_text(next(each for url, each in sent.items() if url.endswith("/train-nothing")))
