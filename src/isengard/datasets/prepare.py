"""Makes a job's own copy of a dataset: each image checked, upright, in sRGB, no larger than needed, captioned.

The copy appears whole or not at all. The uploads are only read, so that a character may change while a job trains.
"""

from __future__ import annotations

import hashlib
import math
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from isengard.core.errors import InvalidInput, StorageError
from isengard.datasets import pictures, survey
from isengard.datasets.captions import SUFFIX
from isengard.datasets.checks import Finding, findings, holds_word
from isengard.datasets.limits import Limits, Refused
from isengard.datasets.survey import Sight

CAPTION_TEMPLATE = "{trigger_word}"
"""The caption of an image that has none; `{trigger_word}` and `{name}` are filled in."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose dataset it is: the character's name and trigger word."""

    name: str
    trigger_word: str


@dataclass(frozen=True, slots=True)
class PrepareProgress:
    """One more image is done."""

    done: int
    total: int
    filename: str
    problem: str | None = None


@dataclass(slots=True)
class DatasetReport:
    """What became of a dataset.

    Attributes:
        images: Images in the training's copy.
        unusable: Name and reason of every image that was left out because it cannot be used.
        duplicates: Name of an image that was left out and of the one it equals.
        buckets: How many images fall to each size (``512x768``) that keeps their shape at the resolution's area.
        resized: Images made smaller.
        captions_from_files: Captions that were there.
        captions_from_template: Captions made for images without one.
        uncaptioned: Those images, by their names in the copy.
        captions_completed: Captions that got the trigger word put in front.
        findings: What else is worth knowing.
    """

    resolution: int
    images: int = 0
    unusable: list[tuple[str, str]] = field(default_factory=list)
    duplicates: list[tuple[str, str]] = field(default_factory=list)
    buckets: dict[str, int] = field(default_factory=dict)
    resized: int = 0
    captions_from_files: int = 0
    captions_from_template: int = 0
    uncaptioned: list[str] = field(default_factory=list)
    captions_completed: int = 0
    findings: list[Finding] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """The report, JSON-ready."""
        return asdict(self)


def prepare(
    subject: Subject,
    source: Path,
    target: Path,
    resolution: int,
    limits: Limits,
    *,
    template: str = CAPTION_TEMPLATE,
    report: Callable[[PrepareProgress], None] | None = None,
) -> DatasetReport:
    """Make `target`, a folder of PNG images with their captions; what was there before is replaced at the end.

    Args:
        source: The character's uploads.
        resolution: Pixels that the shorter side of an image needs; larger images are reduced to it.
        template: Caption of an image without one.
        report: Called after each image; what it raises ends the preparation and leaves nothing.

    Raises:
        InvalidInput: No image can be used; the detail names the first and its fault.
        StorageError: The disk refused.
    """
    making = target.with_name(f".{target.name}.making")
    try:
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        done = _Preparation(subject, making, resolution, limits, template).run(survey.images_in(source), report)
        if target.exists():
            shutil.rmtree(target)
        making.rename(target)
    except OSError as error:
        raise StorageError(f"the dataset could not be prepared: {error.strerror or error}") from error
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return done


class _Preparation:
    def __init__(self, subject: Subject, target: Path, resolution: int, limits: Limits, template: str) -> None:
        self._subject = subject
        self._target = target
        self._resolution = resolution
        self._limits = limits
        self._template = template
        self._report = DatasetReport(resolution)
        self._sights: list[Sight] = []
        self._buckets: Counter[str] = Counter()
        self._by_pixels: dict[str, str] = {}
        self._stems: set[str] = set()

    def run(self, paths: list[Path], report: Callable[[PrepareProgress], None] | None) -> DatasetReport:
        for number, path in enumerate(paths, 1):
            problem = self._one(path)
            if report is not None:
                report(PrepareProgress(number, len(paths), path.name, problem))
        if not self._report.images:
            raise _nothing_usable(self._report)
        self._report.buckets = dict(self._buckets.most_common())
        self._report.findings = findings(
            self._sights, trigger_word=self._subject.trigger_word, resolution=self._resolution
        )
        return self._report

    def _one(self, path: Path) -> str | None:
        """Prepare one image; what is wrong with it, if anything."""
        try:
            sight, image = survey.open_image(path, self._limits, enough=self._resolution)
        except Refused as refusal:
            self._sights.append(Sight(path.name, error=refusal.detail))
            self._report.unusable.append((path.name, refusal.detail))
            return refusal.detail
        self._sights.append(sight)
        return self._keep(path, sight, self._reduced(image))

    def _reduced(self, image: Image.Image) -> Image.Image:
        shorter = min(image.size)
        rgb = pictures.to_rgb(image)
        if shorter <= self._resolution:
            return rgb
        size = tuple(max(1, round(side * self._resolution / shorter)) for side in image.size)
        return rgb.resize((size[0], size[1]), Image.Resampling.LANCZOS, reducing_gap=3.0)

    def _keep(self, path: Path, sight: Sight, image: Image.Image) -> str | None:
        pixels = hashlib.sha256(repr(image.size).encode() + image.tobytes()).hexdigest()
        twin = self._by_pixels.setdefault(pixels, path.name)
        if twin != path.name:
            self._report.duplicates.append((path.name, twin))
            return f"the same picture as {twin}; left out"
        stem = self._free_stem(path.stem)
        image.save(self._target / f"{stem}.png", compress_level=1)
        (self._target / f"{stem}{SUFFIX}").write_text(self._caption(sight), encoding="utf-8")
        if sight.caption is None:
            self._report.uncaptioned.append(f"{stem}.png")
        self._report.images += 1
        self._report.resized += image.size != (sight.width, sight.height)
        self._buckets[bucket(sight.width, sight.height, self._resolution)] += 1
        return None

    def _caption(self, sight: Sight) -> str:
        word = self._subject.trigger_word
        if sight.caption is None:
            self._report.captions_from_template += 1
            return self._template.replace("{trigger_word}", word).replace("{name}", self._subject.name)
        self._report.captions_from_files += 1
        if holds_word(sight.caption, word):
            return sight.caption
        self._report.captions_completed += 1
        return f"{word}, {sight.caption}"

    def _free_stem(self, wanted: str) -> str:
        """`wanted`, numbered if an image of another format had it: a.jpg and a.png would share a.png and a.txt."""
        stem, number = wanted, 1
        while stem.casefold() in self._stems:
            number += 1
            stem = f"{wanted}-{number}"
        self._stems.add(stem.casefold())
        return stem


def bucket(width: int, height: int, resolution: int) -> str:
    """The size, in usual steps, that has the resolution's area and nearly the picture's shape: ``640x384``."""
    step = 64 if resolution >= 256 else 8
    ratio = math.sqrt(width / height)
    across, down = (max(step, round(resolution * factor / step) * step) for factor in (ratio, 1 / ratio))
    return f"{across}x{down}"


def _nothing_usable(report: DatasetReport) -> InvalidInput:
    if not report.unusable:
        return InvalidInput("the character has no images", field="character_id")
    name, reason = report.unusable[0]
    return InvalidInput(
        f"none of the {len(report.unusable)} images can be used; the first, {name}: {reason}", field="character_id"
    )
