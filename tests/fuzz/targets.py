"""What is fuzzed: functions that take any bytes and raise only when a promise is broken. Known to no fuzzer.

Each is a place where the bytes of strangers come in: what a trainer prints, an upload, what a crash left.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache

from fuzz.trainer_targets import job_folder, observe_lines, take_reports
from isengard.core.paths import JobPaths
from isengard.core.redaction import Redactor
from isengard.core.redaction.images import scrub_image
from isengard.datasets import names, pictures
from isengard.datasets.archives import Archive, Budget
from isengard.datasets.limits import Limits, Refused
from isengard.execution.folding import LineFolder
from isengard.journal.repair import repair
from isengard.trainers import bar, stages
from isengard.trainers.tracebacks import TracebackCollector

KNOWN = "Zk4-vQ9rT2mX"
"""A value made up for the fuzzer, in the part of a secret that a job was given."""


@cache
def _redactor() -> Redactor:
    return Redactor([KNOWN])


@cache
def _limits() -> Limits:
    return Limits(
        image_bytes=1 << 20,
        image_pixels=1 << 20,
        image_frames=4,
        upload_bytes=1 << 22,
        upload_files=64,
        zip_ratio=100,
        images_per_character=64,
        caption_chars=1000,
    )


def redact_text(data: bytes) -> None:
    """Twice is once, and a known value never comes out."""
    text = data.decode("utf-8", "replace")
    masked = _redactor().text(text)
    assert _redactor().text(masked) == masked, "redacting twice gave something else"
    assert KNOWN not in masked, "a known value came out"


def redact_stream(data: bytes) -> None:
    """However the text was split, it comes out as the whole text would."""
    cut = data[0] * len(data) // 256 if data else 0
    text = data[1:].decode("utf-8", "surrogateescape")
    stream = _redactor().stream()
    shown = stream.feed(data[1:][:cut]) + stream.feed(data[1:][cut:]) + stream.flush()
    assert shown == _redactor().text(text).encode("utf-8", "surrogateescape"), "the split shows"


def redact_json(data: bytes) -> None:
    """A line of JSON comes of every text, and hides what the text would hide."""
    text = data.decode("utf-8", "replace")
    line = _redactor().dumps({"msg": text, "fields": {text[:40]: [text]}})
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert KNOWN.encode() not in line


def scrub_metadata(data: bytes) -> None:
    """Anything may be called an image; nothing is worse than left out."""
    once = scrub_image(data, _redactor())
    assert scrub_image(once, _redactor()) == once
    assert len(once) <= 2 * len(data) + 1024


def repair_journal(data: bytes) -> None:
    """What stays is a prefix of what was there, the rest is set aside, and a second look finds nothing to do."""
    with job_folder() as paths:
        _repair(paths, data)


def _repair(paths: JobPaths, data: bytes) -> None:
    paths.journal.write_bytes(data)
    with paths.journal.open("r+b") as file:
        end = repair(paths, file.fileno())
        kept = paths.journal.read_bytes()
        assert data.startswith(kept)
        assert len(kept) == end.size
        assert kept == b"" or kept.endswith(b"\n")
        assert end.torn == len(data) - len(kept)
        again = repair(paths, file.fileno())
        assert (again.size, again.seq, again.torn) == (end.size, end.seq, 0)


def read_output(data: bytes) -> None:
    """What a trainer prints is folded and read, whatever it is, and none of it becomes a control character."""
    folder, tracebacks, tracker = LineFolder(), TracebackCollector(), stages.StageTracker()
    pieces = [*folder.feed(data[: len(data) // 2]), *folder.feed(data[len(data) // 2 :]), *folder.end()]
    for piece in pieces:
        assert "\n" not in piece.text
        tracebacks.feed(piece.text)
        frame = bar.parse(piece.text)
        if frame is not None:
            phase, what = stages.bar_phase(piece.text, counts_bytes=bool(len(data) % 2))
            list(tracker.progress(phase, what, frame))


def take_picture(data: bytes) -> None:
    """A picture is taken bare or refused in words; what was taken is taken again."""
    try:
        taken = pictures.take(data, _limits())
    except Refused:
        return
    pictures.take(taken.data, _limits())


def open_zip(data: bytes) -> None:
    """A zip is read within its limits or refused in words."""
    limits = _limits()
    try:
        archive = Archive(io.BytesIO(data), limits, Budget(limits))
        for entry in archive.entries():
            if entry.refusal is None:
                archive.read(entry, 1 << 16, Refused("too large"))
    except Refused:
        return


def clean_name(data: bytes) -> None:
    """A name is refused, or made one that stays in its folder and stays as it is."""
    try:
        name = names.clean_name(data.decode("utf-8", "surrogateescape"))
    except Refused:
        return
    assert "/" not in name
    assert "\\" not in name
    assert "\0" not in name
    assert name not in ("", ".", "..")
    assert len(name.encode()) <= 255
    assert names.clean_name(name) == name


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (
        redact_text,
        redact_stream,
        redact_json,
        scrub_metadata,
        repair_journal,
        read_output,
        observe_lines,
        take_reports,
        take_picture,
        open_zip,
        clean_name,
    )
}
