"""A server with tokens: logging in, what a viewer and a shared link may see, and how a refusal looks."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from browser.look import axe_violations, bring_axe
from isengard.core.access.roles import Role
from isengard.core.access.tokens import TokenFile
from isengard.jobs.models import Job
from standins import long_journal
from standins.site import Opener, Site, Watch, site

TOKEN = secrets.token_urlsafe(24)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server with a token, without a worker."""
    with site(tmp_path_factory.mktemp("guarded") / "data", worker=None, token=TOKEN) as made:
        yield made


@pytest.fixture(scope="module")
def ended(guarded: Site) -> Job:
    job = long_journal.ended_job(guarded.bench.store, total_steps=200, current_step=200)
    special: dict[int, long_journal.Line] = {
        1: ("INFO", "job.created", "created", {"trainer": "mock"}),
        200: ("INFO", "job.completed", "completed", {"attempt": 1, "duration_s": 60}),
    }
    long_journal.write(guarded.bench.paths(job), 200, special)
    return job


def log_in(page: Page, token: str) -> None:
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Log in").click()


def test_a_token_opens_the_page_and_a_share_link_opens_one_job(
    guarded: Site, ended: Job, page: Page, opened: Opener, watch: Watch
) -> None:
    watch.expect("^401 POST .*/login", "status of 401")
    page.goto(guarded.job_url(ended, "logs"))
    assert page.url.startswith(f"{guarded.url}/login?next=")
    log_in(page, "not the token")
    expect(page.get_by_role("alert")).to_have_text("this token is not valid here")
    log_in(page, TOKEN)
    expect(page.get_by_text("200 lines")).to_be_visible()  # where it was going
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Share with somebody without a token").click()
    page.get_by_role("button", name="Copy a new link").click()
    expect(page.get_by_text("Link copied: it shows this training, read-only")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(f"{guarded.url}/share/")

    guest = opened()
    guest.goto(link)
    expect(guest).to_have_url(guarded.job_url(ended))
    expect(guest.locator("[data-outcome]")).to_contain_text("Training completed")
    expect(guest.get_by_role("img", name=re.compile("Loss over steps"))).to_be_visible()
    for offered in ("Close the job", "New training like this", "Resume"):
        expect(guest.get_by_role("button", name=offered)).to_have_count(0)
    guest.get_by_role("tab", name="Logs").click()
    expect(guest.get_by_text("200 lines")).to_be_visible()
    guest.goto(guarded.url)  # the start page of a share link is the one job that it shows
    expect(guest).to_have_url(guarded.job_url(ended))
    expect(guest.locator("[data-outcome]")).to_contain_text("Training completed")
    watch.expect("^403 GET .*/api/training/train-000000000000", "status of 403")
    for elsewhere in ("/new", "/compare", "/characters", "/jobs/train-000000000000"):
        guest.goto(f"{guarded.url}{elsewhere}")
        expect(guest.get_by_text("This link shows one training only")).to_be_visible()
    guest.get_by_role("link", name="Show the shared training").click()
    expect(guest).to_have_url(guarded.job_url(ended))

    page.keyboard.press("Escape")  # the dialog of the links
    page.get_by_role("button", name="Close the job").click()
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("menuitem", name="Log out").click()
    expect(page.get_by_label("Token")).to_be_visible()


def test_who_has_a_link_is_seen_and_the_links_are_taken_back(
    guarded: Site, ended: Job, page: Page, opened: Opener, watch: Watch
) -> None:
    bring_axe(page)
    tokens = TokenFile(guarded.bench.settings.paths)
    anna = tokens.create("anna", Role.OPERATOR)
    with guarded.api.client(headers={"Authorization": f"Bearer {anna}"}) as client:
        client.delete(f"/api/jobs/{ended.id}/share").raise_for_status()  # what other tests made
        link = client.post(f"/api/jobs/{ended.id}/share", json={"expires_in_s": 3 * 24 * 3600}).json()["url"]
    guest = opened()
    guest.goto(f"{guarded.url}{link}")
    expect(guest.locator("[data-outcome]")).to_be_visible()
    expect(guest.locator("[data-shared]")).to_have_count(0)  # a guest is not told who else has a link
    page.goto(guarded.job_url(ended))
    log_in(page, TOKEN)
    mark = page.locator("[data-shared='1']")
    expect(mark).to_contain_text(re.compile(r"shared, (3 d 0 h|2 d 23 h) left"))
    mark.click()
    dialog = page.get_by_role("dialog", name="Share this training")
    expect(dialog.get_by_role("listitem")).to_contain_text("Made by anna")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert axe_violations(page) == []
    dialog.get_by_label("Good for").select_option("1 day")
    dialog.get_by_role("button", name="Copy a new link").click()
    expect(dialog.get_by_label("The new link")).to_have_value(re.compile(f"^{guarded.url}/share/"))
    expect(dialog.get_by_role("listitem")).to_have_count(2)
    dialog.get_by_role("button", name="Take all links back").click()
    expect(dialog.get_by_text("Nobody has a link.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("[data-shared]")).to_have_count(0)
    watch.expect("^401 ", "status of 401", "^404 ", "status of 404")
    guest.reload()
    expect(guest.get_by_label("Token")).to_be_visible()
    eyes = tokens.create("only-eyes", Role.VIEWER)
    with guarded.api.client(headers={"Authorization": f"Bearer {anna}"}) as client:
        client.post(f"/api/jobs/{ended.id}/share").raise_for_status()
    viewer = opened()
    viewer.goto(guarded.job_url(ended))
    log_in(viewer, eyes)
    viewer.locator("[data-shared='1']").click()
    expect(viewer.get_by_role("dialog", name="Share this training")).to_contain_text("Made by anna")
    for offered in ("Copy a new link", "Take all links back"):
        expect(viewer.get_by_role("button", name=offered)).to_have_count(0)


def test_a_viewer_is_offered_nothing_that_would_be_refused(guarded: Site, ended: Job, page: Page) -> None:
    token = TokenFile(guarded.bench.settings.paths).create("eyes", Role.VIEWER)
    page.goto(guarded.url)
    log_in(page, token)
    expect(page.get_by_role("row").filter(has_text="Completed")).to_have_count(1)
    expect(page.get_by_role("link", name="New training")).to_have_count(0)
    page.goto(guarded.job_url(ended))
    page.get_by_role("button", name="More").click()
    expect(page.get_by_role("menuitem", name="Compare with another")).to_be_visible()
    expect(page.get_by_role("menuitem", name="Delete this job")).to_have_count(0)


def test_the_login_page_is_accessible(guarded: Site, page: Page) -> None:
    bring_axe(page)
    page.goto(f"{guarded.url}/login")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert axe_violations(page) == []
