"""Photograph every page: light and dark, desktop and phone. `make screenshots` runs it.

    python scripts/make_screenshots.py FOLDER [--sizes desk phone tablet wide] [--only PAGE …] [--readme]

Shown are real trainings of the mock trainer with fixed seeds, on a machine that seems to have two GPUs, served by the
real server. Times, speeds and ids differ from run to run; nothing else does. With `--readme` those that the README
shows replace the ones in docs/images, packed with 256 colours.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from PIL import Image  # noqa: E402 - the stand-ins lie among the tests
from playwright.sync_api import Browser, Page, ViewportSize  # noqa: E402

from isengard.datasets import demo  # noqa: E402
from isengard.jobs.models import Job  # noqa: E402
from standins import nvidia_driver  # noqa: E402
from standins.site import Site, chromium, site  # noqa: E402

SIZES: dict[str, ViewportSize] = {
    "desk": {"width": 1440, "height": 900},
    "phone": {"width": 390, "height": 844},
    "tablet": {"width": 768, "height": 1024},
    "wide": {"width": 2560, "height": 1440},
}
_SETTLED_MS = 800
README = ("samples-desk-light", "jobs-desk-dark", "live-desk-dark", "live-phone-light", "failed-desk-light")
PROMPTS = ["mizu by a lake at dawn", "mizu on a hill", "a town at night, mizu in front"]
FULL = {
    "steps": 600,
    "step_time_s": 0.006,
    "start_time_s": 1.0,
    "sample_every_n_steps": 60,
    "checkpoint_every_n_steps": 150,
    "sample_prompts": PROMPTS,
    "resolution": 256,
}


@dataclass(frozen=True)
class Scene:
    """What is photographed."""

    site: Site
    empty: Site
    guarded: Site
    character: str
    done: Job
    other: Job
    failed: Job
    live: Job


def _character(place: Site) -> str:
    with place.api.client() as client:
        made = client.post(
            "/api/characters",
            json={"name": "Mizu", "trigger_word": demo.TRIGGER_WORD, "description": "A small blue creature"},
        ).json()
        files = [("files", (path.name, path.read_bytes())) for path in sorted(demo.character().iterdir())]
        client.post(f"/api/characters/{made['id']}/images", files=files).raise_for_status()
    return str(made["id"])


@contextmanager
def _scene(folder: Path) -> Iterator[Scene]:
    driver = folder / "driver"
    driver.mkdir()
    worker = {"LD_LIBRARY_PATH": str(nvidia_driver.build(driver)), "ISENGARD_METRICS_EVERY_S": "0.2"}
    with (
        site(folder / "data", worker=worker) as place,
        site(folder / "empty", worker=None) as empty,
        site(folder / "guarded", worker=None, token="x" * 24) as guarded,
    ):
        character = _character(place)
        place.bench.character = place.bench.store.get_character(character)
        yield Scene(place, empty, guarded, character, *_jobs(place))


def _jobs(place: Site) -> tuple[Job, Job, Job, Job]:
    submit: Callable[..., Job] = place.bench.submit
    done = submit(**{**FULL, "gpus": 1, "seed": 3, "lora_rank": 16})
    other = submit(**{**FULL, "gpus": 1, "seed": 4, "lora_rank": 32, "learning_rate": 3e-4})
    failed = submit(**{**FULL, "fail_mode": "oom", "fail_at_step": 391, "seed": 5, "lora_rank": 64})
    for job in (done, other, failed):
        place.bench.finish(job)
    live = submit(**{**FULL, "gpus": 2, "steps": 6000, "step_time_s": 0.02, "seed": 6, "sample_every_n_steps": 150})
    place.bench.wait_for_event(live, "training.sample", count=9)
    submit(**{**FULL, "gpus": 1, "seed": 7})  # waits for a GPU
    return done, other, failed, live


def _pages(scene: Scene) -> dict[str, Callable[[Page], None]]:
    def at(url: str, *clicks: str) -> Callable[[Page], None]:
        def go(page: Page) -> None:
            page.goto(url)
            for each in clicks:
                page.locator(each).first.click()

        return go

    place, done = scene.site, scene.done
    both = f"{done.id},{scene.other.id}"
    return {
        "jobs": at(place.url),
        "empty": at(scene.empty.url),
        "live": at(place.job_url(scene.live)),
        "done": at(place.job_url(done)),
        "failed": at(place.job_url(scene.failed)),
        "logs": at(place.job_url(scene.failed, "logs"), "button:has-text('First error')"),
        "samples": at(place.job_url(done, "samples", step=300)),
        "viewer": at(place.job_url(done, "samples", step=300), "[aria-label^='Open: mizu by']"),
        "artifacts": at(place.job_url(done, "artifacts")),
        "system": at(place.job_url(done, "system", step=300)),
        "trace": at(place.job_url(done, "trace")),
        "new": at(f"{place.url}/new?character={scene.character}&like={done.id}"),
        "characters": at(f"{place.url}/characters"),
        "character": at(f"{place.url}/characters/{scene.character}"),
        "compare": at(f"{place.url}/compare?jobs={both}&step=300"),
        "keys": lambda page: _keys(page, place.job_url(done)),
        "login": at(f"{scene.guarded.url}/login"),
    }


def _keys(page: Page, url: str) -> None:
    page.goto(url)
    page.get_by_role("tab", name="Overview").wait_for()
    page.keyboard.press("?")


def photograph(browser: Browser, scene: Scene, folder: Path, sizes: list[str], only: list[str]) -> None:
    """One picture for each page, theme and size."""
    for size in sizes:
        options: dict[str, Any] = {"viewport": SIZES[size], "locale": "en-GB", "reduced_motion": "reduce"}
        page = browser.new_context(**options).new_page()
        for name, show in _pages(scene).items():
            if only and name not in only:
                continue
            page.emulate_media(color_scheme="light")
            show(page)
            page.get_by_text("Loading…").first.wait_for(state="detached")
            page.wait_for_timeout(_SETTLED_MS)  # images fade in, charts are drawn
            for theme in ("light", "dark"):
                page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
                page.wait_for_timeout(400)
                page.screenshot(path=folder / f"{name}-{size}-{theme}.png")
                print(f"{name}-{size}-{theme}.png", flush=True)
        page.context.close()


def to_readme(folder: Path) -> None:
    """Pack what the README shows."""
    for name in README:
        with Image.open(folder / f"{name}.png") as shot:
            packed = shot.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        packed.save(ROOT / "docs" / "images" / f"page-{name}.png", optimize=True)


def main() -> None:
    """Read the command line, make the scene, photograph."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["desk", "phone"])
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--readme", action="store_true", help="renew docs/images")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as work,
        chromium() as browser,
        _scene(Path(work)) as scene,
    ):
        photograph(browser, scene, arguments.folder, arguments.sizes, arguments.only)
    if arguments.readme:
        to_readme(arguments.folder)


if __name__ == "__main__":
    main()
