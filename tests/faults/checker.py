"""Compares the three witnesses of a run: what was acknowledged to the emitter, the journal, what a viewer was shown.

Nothing lost means: every event that emit returned for is in the journal exactly once, in order, under consecutive
numbers, and a viewer that reconnects is shown every line exactly once. Reads the raw bytes, never through the product's
own reader. Every check raises `AssertionError` naming the first difference.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from standins.api_server import SseFrame

TERMINAL = ("job.completed", "job.failed", "job.cancelled")


def acknowledged(record: Path) -> int:
    """How many events emit returned for, by the emitter's own record of them."""
    if not record.exists():
        return 0
    numbers = [int(line) for line in record.read_bytes().split(b"\n")[:-1]]
    assert numbers == list(range(1, len(numbers) + 1)), "the emitter's own record is broken"
    return len(numbers)


def whole_journal(journal: Path) -> list[dict[str, Any]]:
    """The lines of a journal, each of them whole, numbered from 1 without a gap or a repeat."""
    data = journal.read_bytes()
    assert data.endswith(b"\n"), f"the journal ends in the middle of a line: {data[-80:]!r}"
    lines = [json.loads(line) for line in data.splitlines()]
    numbers = [line["seq"] for line in lines]
    assert numbers == list(range(1, len(lines) + 1)), f"numbers have a gap or a repeat: {_first_break(numbers)}"
    return lines


def check_journal(journal: Path, record: Path) -> list[dict[str, Any]]:
    """Hold the journal to the emitter's record; its lines.

    The journal may know one event more: the emitter can be killed between an acknowledgement and its own note of it.
    """
    lines = whole_journal(journal)
    emitted = [line["fields"]["emitted"] for line in lines if "emitted" in line["fields"]]
    expected = list(range(1, len(emitted) + 1))
    assert emitted == expected, f"events are lost, doubled or out of order: {_first_break(emitted)}"
    known = acknowledged(record)
    assert known <= len(emitted) <= known + 1, f"{known} events were acknowledged, {len(emitted)} are in the journal"
    return lines


def check_end(lines: Sequence[dict[str, Any]], status: str) -> None:
    """Hold the journal to one terminal line, its last, that agrees with the store's `status`."""
    terminal = [line["event"] for line in lines if line["event"] in TERMINAL]
    assert terminal == [f"job.{status}"], f"the store says {status}, the journal {terminal}"
    assert lines[-1]["event"] == terminal[0], f"{lines[-1]['event']} follows the end"


def check_viewer(frames: Sequence[SseFrame], lines: Sequence[dict[str, Any]], first: int = 1) -> None:
    """Hold what a viewer was shown to the journal from line `first` on: each line once, in order, with its content."""
    shown = [frame.seq for frame in frames]
    assert shown == list(range(first, len(lines) + 1)), f"the viewer lost or repeated lines: {_first_break(shown)}"
    for frame, line in zip(frames, lines[first - 1 :], strict=True):
        content = frame.data["fields"] if frame.event == "log" else frame.data
        for name, value in line["fields"].items():
            assert content.get(name) == value, f"line {line['seq']}: {name} was shown as {content.get(name)!r}"


def _first_break(numbers: Sequence[int]) -> str:
    start = numbers[0] if numbers else 1
    for place, number in enumerate(numbers):
        if number != start + place:
            return f"{number} where {start + place} was due"
    return f"{len(numbers)} numbers from {start} on"
