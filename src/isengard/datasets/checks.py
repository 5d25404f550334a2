"""Says what is worth knowing about a dataset before GPU time is spent on it: findings with the images they concern.

One list for the page, the preflight and the terminal. An `error` would stop or spoil the training, a `warning` costs
quality, `info` is good to know. Changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from isengard.core.errors import StorageError
from isengard.datasets.captions import SUFFIX
from isengard.datasets.limits import Limits
from isengard.datasets.survey import Sight, alike, images_in, look

FEW = 5
"""Below this a subject is rarely learned from more than one side."""

EXTREME_ASPECT = 3.0
"""Longer to shorter side from which cropping takes most of a picture away."""


class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing worth knowing.

    Attributes:
        code: Stable short name.
        message: A sentence with the figures.
        filenames: The images concerned.
        field: The input at fault in dotted form, where it is not the images.
    """

    severity: Severity
    code: str
    message: str
    filenames: tuple[str, ...] = ()
    field: str | None = None


def check_dataset(
    folder: Path,
    limits: Limits,
    *,
    trigger_word: str | None = None,
    resolution: int | None = None,
    report: Callable[[int, int], None] | None = None,
) -> list[Finding]:
    """Decode every image of a folder and say what stands out, the gravest first.

    Args:
        folder: A character's uploads.
        trigger_word: The word that captions should hold.
        resolution: What the training will use, in pixels.
        report: Called with how many images are done and how many there are.

    Raises:
        StorageError: The folder cannot be read.
    """
    try:
        paths = images_in(folder) if folder.is_dir() else []
        texts = [path.name for path in folder.glob(f"*{SUFFIX}") if path.name[0] != "."] if paths else []
    except OSError as error:
        raise StorageError(f"the folder of the images cannot be read: {error.strerror}") from error
    sights = []
    for number, path in enumerate(paths, 1):
        sights.append(look(path, limits))
        if report is not None:
            report(number, len(paths))
    found = findings(sights, trigger_word=trigger_word, resolution=resolution)
    return sorted([*found, *_stray_captions(paths, texts)], key=lambda finding: list(Severity).index(finding.severity))


def findings(sights: list[Sight], *, trigger_word: str | None = None, resolution: int | None = None) -> list[Finding]:
    """What stands out in a dataset that was looked at."""
    usable = [sight for sight in sights if sight.error is None]
    return [
        *_count(sights, usable),
        *_broken(sights),
        *_sizes(usable, resolution),
        *_likeness(usable),
        *_captions(usable, trigger_word),
        *_looks(usable),
    ]


def holds_word(caption: str, word: str) -> bool:
    """Whether `word` stands in `caption` as a word of its own, in upper or lower case."""
    pattern = rf"(?<!\w){re.escape(word.casefold())}(?!\w)"
    return re.search(pattern, caption.casefold()) is not None


def _count(sights: list[Sight], usable: list[Sight]) -> Iterable[Finding]:
    if not usable:
        message = "none of the images can be read" if sights else "the character has no images; upload some first"
        yield Finding(Severity.ERROR, "no_images", message, field="character_id")
    elif len(usable) < FEW:
        yield Finding(
            Severity.WARNING,
            "few_images",
            f"{_images(len(usable))} can be used; {FEW} or more, from several sides, teach a subject better",
        )


def _broken(sights: list[Sight]) -> Iterable[Finding]:
    for sight in sights:
        if sight.error is not None:
            yield Finding(
                Severity.ERROR, "corrupt_image", f"{sight.filename} cannot be used: {sight.error}", (sight.filename,)
            )


def _sizes(usable: list[Sight], resolution: int | None) -> Iterable[Finding]:
    small = [sight for sight in usable if resolution and min(sight.width, sight.height) < resolution]
    if small:
        yield Finding(
            Severity.WARNING,
            "small_images",
            f"{_images(len(small))} smaller than the resolution of {resolution} px would be enlarged and look soft",
            _names(small),
            field="config.resolution",
        )
    long = [
        sight for sight in usable if max(sight.width, sight.height) > EXTREME_ASPECT * min(sight.width, sight.height)
    ]
    if long:
        yield Finding(
            Severity.WARNING,
            "extreme_aspect",
            f"{_images(len(long))} more than {EXTREME_ASPECT:g} times as long as wide; much of them may be cropped",
            _names(long),
        )


def _likeness(usable: list[Sight]) -> Iterable[Finding]:
    seen: dict[str, str] = {}
    copies = [sight for sight in usable if seen.setdefault(sight.content, sight.filename) != sight.filename]
    if copies:
        yield Finding(
            Severity.WARNING,
            "duplicates",
            f"{_images(len(copies))} the same as another, to the byte; they are used once",
            _names(copies),
        )
    copied = {sight.filename for sight in copies}
    pairs = alike([sight for sight in usable if sight.filename not in copied])
    if pairs:
        yield Finding(
            Severity.INFO,
            "near_duplicates",
            f"{_images(len(pairs))} nearly the same as another; what they show would count twice",
            tuple(dict.fromkeys(name for pair in pairs for name in pair)),
        )


def _captions(usable: list[Sight], trigger_word: str | None) -> Iterable[Finding]:
    for sight in usable:
        if sight.caption_error is not None:
            yield Finding(
                Severity.WARNING,
                "unusable_caption",
                f"the caption of {sight.filename} cannot be used: {sight.caption_error}",
                (sight.filename,),
            )
    missing = [sight for sight in usable if sight.caption is None and sight.caption_error is None]
    if missing:
        severity = Severity.INFO if len(missing) == len(usable) else Severity.WARNING
        yield Finding(
            severity,
            "missing_captions",
            f"{len(missing)} of {_images(len(usable))} without a caption; the trigger word stands in for it",
            _names(missing),
        )
    without = [
        sight for sight in usable if trigger_word and sight.caption and not holds_word(sight.caption, trigger_word)
    ]
    if without:
        yield Finding(
            Severity.WARNING,
            "caption_without_trigger",
            f"{len(without)} captions do not hold the trigger word {trigger_word!r}; it is put in front of them",
            _names(without),
        )


def _looks(usable: list[Sight]) -> Iterable[Finding]:
    grey = [sight for sight in usable if sight.grey]
    if grey:
        severity = Severity.INFO if len(grey) == len(usable) else Severity.WARNING
        message = f"{_images(len(grey))} without colour; the LoRA may learn that too"
        yield Finding(severity, "greyscale", message, _names(grey))
    transparent = [sight for sight in usable if sight.transparent]
    if transparent:
        message = f"{_images(len(transparent))} with transparent parts, which become white"
        yield Finding(Severity.INFO, "transparent", message, _names(transparent))


def _stray_captions(paths: list[Path], texts: list[str]) -> Iterable[Finding]:
    stems = {path.stem for path in paths}
    stray = sorted(name for name in texts if name.removesuffix(SUFFIX) not in stems)
    if stray:
        message = f"{len(stray)} caption files belong to no image; a caption has its image's name with {SUFFIX}"
        yield Finding(Severity.WARNING, "stray_captions", message, tuple(stray))


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"


def _names(sights: list[Sight]) -> tuple[str, ...]:
    return tuple(sight.filename for sight in sights)
