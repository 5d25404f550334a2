"""The whole product on a free port: API, worker, a character, and a browser that looks at it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, Playwright, Response, sync_playwright

from isengard.jobs.models import Job
from standins.api_server import ApiServer, api_server
from standins.workbench import PATIENCE_S, Workbench, workbench

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}


class Site:
    """API and worker on one data folder. The API can be killed and started again on its port."""

    def __init__(self, bench: Workbench, **settings: Any) -> None:
        self.bench = bench
        self._settings = settings
        self._stack = ExitStack()
        self.api: ApiServer = self._start(0)
        self.url = self.api.url

    def _start(self, port: int) -> ApiServer:
        return self._stack.enter_context(api_server(self.bench.settings.data_dir, port=port, **self._settings))

    def kill_api(self) -> None:
        self.api.process.kill()
        self.api.process.wait(PATIENCE_S)

    def start_api(self) -> None:
        self.api = self._start(self.api.port)

    def job_url(self, job: Job, tab: str = "", **search: object) -> str:
        query = "&".join(f"{name}={value}" for name, value in {"tab": tab, **search}.items() if value != "")
        return f"{self.url}/jobs/{job.id}" + (f"?{query}" if query else "")

    def close(self) -> None:
        self._stack.close()


@contextmanager
def site(folder: Path, *, worker: dict[str, str] | None, **settings: Any) -> Iterator[Site]:
    """A site that is taken down; with a worker whose environment has the variables `worker`, or with none."""
    with workbench(folder, max_running_jobs=8) as bench:
        made = Site(bench, **settings)
        try:
            if worker is not None:
                bench.start_worker(**worker)
            yield made
        finally:
            made.close()


_OF_THE_HOST = "net::ERR_NETWORK_CHANGED"
"""Chromium breaks its connections off when a network interface comes or goes, as other tests make them do."""


@dataclass
class Watch:
    """Hears everything a page complains of; what a test does not expect makes it fail."""

    complaints: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=lambda: [_OF_THE_HOST])

    def expect(self, *patterns: str) -> None:
        """Let complaints pass that one of these finds."""
        self.expected += patterns

    def listen(self, page: Page) -> None:
        page.on("console", lambda said: self._hear(said.type in ("error", "warning"), f"{said.type}: {said.text}"))
        page.on("pageerror", lambda error: self._hear(True, f"uncaught: {error}"))
        page.on("response", self._answered)

    def _answered(self, response: Response) -> None:
        self._hear(response.status >= 400, f"{response.status} {response.request.method} {response.url}")

    def _hear(self, is_complaint: bool, text: str) -> None:
        if is_complaint:
            self.complaints.append(text)

    def unexpected(self) -> list[str]:
        return [each for each in self.complaints if not any(re.search(pattern, each) for pattern in self.expected)]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium. Playwright's loop occupies the thread while it runs, so async tests cannot run beside it."""
    with sync_playwright() as playwright:
        browser = _launched(playwright)
        yield browser
        with contextlib.suppress(Exception):  # it may have died of the test; that is not this function's news
            browser.close()


def _launched(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)


def quiet(context: BrowserContext) -> BrowserContext:
    """The patience of a busy machine: only how long a failure takes."""
    context.set_default_timeout(1000 * PATIENCE_S)
    return context


Opener = Callable[..., Page]
