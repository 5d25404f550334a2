"""What the page costs a browser: size, first paint, frames, memory, a long chart, a long log.

    python bench/page.py [--rounds 9] [--seconds 20] [--lines 1000000]

Real Chromium, headless, against the real API on loopback. "Frames" and "memory" are taken with one open job whose
journal gets lines while the page draws them; "chart" from the click on the job in the list until the curve is on the
screen; "jump" from moving the scroll bar until every line in sight is there. Prints a Markdown table: of every figure
its median and what 95 of 100 stay below, with the limit that the page has to keep. On a busy machine the times say
little; what the main thread spent of a core still does.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from playwright.sync_api import Browser, Page

from isengard.jobs.models import Job, JobStatus
from standins import long_journal
from standins.site import DESKTOP, Site, chromium, site

FIRST_ROW = """
new MutationObserver((_, observer) => {
  if (!document.querySelector("[role=row] a[href*='/jobs/']")) return;
  observer.disconnect();
  requestAnimationFrame(() => requestAnimationFrame(() => { window.usefulAt = performance.now(); }));
}).observe(document, { childList: true, subtree: true });
"""
# What is fetched ahead once the list is there is not needed by the first view.
SCRIPTS = """() => performance.getEntriesByType('resource')
  .filter(({ name, startTime }) => name.endsWith('.js') && startTime <= window.usefulAt)
  .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0)"""
FRAMES = """(ms) => new Promise((done) => {
  const gaps = []; let before = performance.now(); const end = before + ms;
  const tick = (now) => {
    gaps.push(now - before); before = now;
    now < end ? requestAnimationFrame(tick) : done(gaps);
  };
  requestAnimationFrame(tick);
})"""
CHART = """(href) => new Promise((done) => {
  const begin = performance.now();
  document.querySelector(`a[href*='${href}']`).click();
  const look = () => {
    const there = document.querySelector("figure [role=img][aria-label^='Loss over'] canvas");
    there ? requestAnimationFrame(() => done(performance.now() - begin)) : requestAnimationFrame(look);
  };
  look();
})"""
JUMP = """(share) => new Promise((done) => {
  const table = document.querySelector("[role=table][aria-label='Journal of the job']");
  const begin = performance.now();
  table.scrollTop = share * (table.scrollHeight - table.clientHeight);
  const look = () => {
    const rows = [...table.querySelectorAll('[role=row]')];
    const whole = rows.length > 5 && rows.every((row) => row.dataset.seq);
    whole && performance.now() - begin > 20 ? done(performance.now() - begin) : requestAnimationFrame(look);
  };
  requestAnimationFrame(() => requestAnimationFrame(look));
})"""


def fresh(browser: Browser) -> Page:
    """A page without a cache."""
    page = browser.new_context(viewport=DESKTOP).new_page()  # type: ignore[arg-type]
    page.set_default_timeout(120_000)
    return page


def first_view(browser: Browser, place: Site, rounds: int) -> tuple[float, list[float]]:
    """Bytes of JavaScript as sent, and ms until the list of jobs is on the screen, with an empty cache."""
    sent, times = 0.0, []
    for _ in range(rounds):
        page = fresh(browser)
        page.add_init_script(FIRST_ROW)
        page.goto(place.url)
        page.wait_for_function("() => window.usefulAt !== undefined")  # the policy lets no bare expression pass
        times.append(page.evaluate("window.usefulAt"))
        sent = page.evaluate(SCRIPTS)
        page.context.close()
    return sent, times


@contextmanager
def watched(browser: Browser, place: Site) -> Iterator[tuple[Page, Callable[[int], None]]]:
    """An open job's page, and a function that appends so many steps to its journal."""
    job = long_journal.ended_job(place.bench.store, status=JobStatus.RUNNING, completed_at=None, total_steps=400_000)
    place.bench.paths(job).make()
    with place.api.journal(job.id) as journal:
        journal.append("job.created", "created", {"trainer": "mock"})
        journal.append("job.started", "attempt 1 started", {"attempt": 1, "status": "running"})
        done = 0

        def steps(count: int) -> None:
            nonlocal done
            for step in range(done + 1, done + count + 1):
                journal.append(
                    "training.step",
                    "",
                    {
                        "stage": "training",
                        "step": step,
                        "steps_total": 400_000,
                        "loss": 1 / step,
                        "lr": 1e-4,
                        "attempt": 1,
                    },
                )
            done += count

        steps(10)
        page = fresh(browser)
        page.goto(place.job_url(job))
        page.locator("figure canvas").first.wait_for()
        yield page, steps
        journal.append("job.completed", "completed", {"attempt": 1, "status": "completed"})
        page.context.close()


def spent(page: Page) -> Callable[[], float]:
    """A function that says how many seconds of a core the page's main thread has used."""
    tools = page.context.new_cdp_session(page)
    tools.send("Performance.enable")

    def read() -> float:
        told: list[dict[str, Any]] = tools.send("Performance.getMetrics")["metrics"]
        return float(next(each["value"] for each in told if each["name"] == "ThreadTime"))

    return read


def frames(browser: Browser, place: Site, seconds: float) -> tuple[list[float], float]:
    """Milliseconds between frames while 100 events a second come in, and the main thread's share of a core."""
    import threading

    with watched(browser, place) as (page, steps):
        over = threading.Event()

        def write() -> None:
            due = time.monotonic()
            while not over.is_set():
                steps(1)
                due += 0.01
                time.sleep(max(0.0, due - time.monotonic()))

        writer = threading.Thread(target=write)
        writer.start()
        used = spent(page)
        try:
            before = used()
            gaps: list[float] = page.evaluate(FRAMES, 1000 * seconds)
            share = (used() - before) / (sum(gaps) / 1000)
        finally:
            over.set()
            writer.join()
        return gaps, share


def heap(page: Page) -> float:
    """Megabytes that the page holds once the garbage is gone."""
    tools = page.context.new_cdp_session(page)
    tools.send("HeapProfiler.collectGarbage")
    used: dict[str, Any] = tools.send("Runtime.getHeapUsage")
    return float(used["usedSize"]) / 1e6


def memory(browser: Browser, place: Site) -> tuple[float, float]:
    """Megabytes after six minutes' and after an hour's worth of events at 100 a second."""
    with watched(browser, place) as (page, steps):

        def shown(step: int) -> None:
            page.wait_for_function(
                "(step) => Number(document.querySelector('[data-progress-words]').textContent.split(' /')[0]"
                ".replaceAll(',', '')) >= step",
                arg=step,
            )

        steps(36_000)
        shown(36_000)
        early = heap(page)
        for part in range(2, 11):
            steps(36_000)
            shown(36_000 * part)
        return early, heap(page)


def long_job(place: Site, lines: int) -> Job:
    """A job with a journal of so many lines, most of them steps."""
    job = long_journal.ended_job(place.bench.store, total_steps=lines, current_step=lines)
    ends: dict[int, long_journal.Line] = {
        1: ("INFO", "job.created", "created", {"trainer": "mock"}),
        lines: ("INFO", "job.completed", "completed", {"attempt": 1}),
    }
    long_journal.write(place.bench.paths(job), lines, ends)
    return job


def chart(browser: Browser, place: Site, job: Job, rounds: int) -> list[float]:
    """Milliseconds from the click on the job until its curve is there; the first round finds nothing prepared."""
    times = []
    for _ in range(rounds):
        page = fresh(browser)
        page.goto(place.url)
        page.locator(f"a[href*='{job.id}']").first.wait_for()
        times.append(page.evaluate(CHART, job.id))
        page.context.close()
    return times


def jumps(browser: Browser, place: Site, job: Job, count: int) -> tuple[list[float], float]:
    """Milliseconds from moving the scroll bar anywhere until all lines in sight are there, and what the main thread
    used for each.
    """
    page = fresh(browser)
    page.goto(place.job_url(job, "logs"))
    page.locator("[data-seq]").first.wait_for()
    dice = random.Random(3)
    used = spent(page)
    before = used()
    times = [page.evaluate(JUMP, dice.random()) for _ in range(count)]
    each = 1000 * (used() - before) / count
    page.context.close()
    return times, each


def row(what: str, value: str, limit: str) -> None:
    print(f"| {what} | {value} | {limit} |", flush=True)


def high(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def times_row(what: str, times: list[float], limit: str) -> None:
    row(f"{what}, median / 95 of 100", f"{statistics.median(times):.0f} / {high(times, 95):.0f} ms", limit)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--lines", type=int, default=1_000_000)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        chromium() as browser,
        site(Path(folder) / "data", worker=None) as place,
    ):
        print("| what | measured | limit |\n|---|---|---|")
        job = long_job(place, given.lines)
        times = chart(browser, place, job, given.rounds)
        row(f"chart of {given.lines:,} steps, from the click: first time", f"{times[0]:.0f} ms", "–")
        times_row("  … once the journal is indexed", times[1:], "500 ms")
        found, each = jumps(browser, place, job, 100)
        times_row(f"jump in {given.lines:,} log lines", found, "100 ms")
        row("  … main thread for each", f"{each:.1f} ms of a core", "–")
        sent, first = first_view(browser, place, given.rounds)
        row("JavaScript of the first view, as sent (gzip)", f"{sent / 1000:.0f} kB", "250 kB")
        times_row("list of jobs on the screen, empty cache", first, "1,000 ms")
        gaps, share = frames(browser, place, given.seconds)
        row(
            "frame at 100 events/s, median / 95 / 99 of 100",
            f"{statistics.median(gaps):.1f} / {high(gaps, 95):.1f} / {high(gaps, 99):.1f} ms",
            "16.7 ms",
        )
        row("  … main thread", f"{100 * share:.0f} % of a core", "–")
        row("  … frames a second", f"{1000 * len(gaps) / sum(gaps):.1f}", "60")
        early, late = memory(browser, place)
        row("memory after 36,000 events", f"{early:.1f} MB", "–")
        row("  … after 360,000 (an hour at 100/s)", f"{late:.1f} MB", "no growth")


if __name__ == "__main__":
    main()
