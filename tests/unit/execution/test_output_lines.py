"""What of the printed output becomes journal lines."""

from __future__ import annotations

from collections import deque
from typing import Any

from isengard.events.models import EventName, Level
from isengard.execution.folding import Piece
from isengard.execution.output_lines import LINES_BURST, OutputLines


class Journal:
    """Keeps what would be journaled."""

    def __init__(self) -> None:
        self.lines: list[tuple[EventName, str, dict[str, Any], Level]] = []

    def __call__(self, event: EventName, msg: str, fields: dict[str, Any], level: Level) -> None:
        self.lines.append((event, msg, fields, level))


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


CHAINED = """Traceback (most recent call last):
  File "a.py", line 1, in load
    open("x")
FileNotFoundError: [Errno 2] No such file or directory: 'x'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "a.py", line 3, in <module>
    raise RuntimeError("no weights") from error
RuntimeError: no weights"""


def take(output: OutputLines, text: str) -> None:
    for line in text.split("\n"):
        output.take(Piece(line))


def test_a_chained_stack_is_one_event_and_the_line_behind_it_another() -> None:
    journal, last_lines = Journal(), deque[str](maxlen=50)
    output = OutputLines("stderr", journal, last_lines)

    take(output, f"loading\n{CHAINED}\n\nbye")

    assert [(event, msg) for event, msg, _, _ in journal.lines] == [
        (EventName.SUBPROCESS_STDERR, "loading"),
        (EventName.SUBPROCESS_STDERR, "RuntimeError: no weights"),
        (EventName.SUBPROCESS_STDERR, "bye"),
    ]
    _, _, fields, level = journal.lines[1]
    assert level is Level.ERROR
    assert fields == {"error_stack": CHAINED, "error": "no weights", "error_type": "RuntimeError"}
    assert list(last_lines)[-1] == "bye"


def test_an_unfinished_stack_is_told_when_nothing_more_comes() -> None:
    journal = Journal()
    output = OutputLines("stderr", journal, deque())

    take(output, "Traceback (most recent call last):\n  File 'x.py'")
    assert journal.lines == []
    output.idle()

    assert journal.lines[0][2]["error_stack"].startswith("Traceback")


def test_a_flood_is_thinned_and_what_was_left_out_is_counted() -> None:
    journal, clock = Journal(), Clock()
    output = OutputLines("stdout", journal, deque(maxlen=5), clock)

    for number in range(LINES_BURST + 700):
        output.take(Piece(f"line {number}"))
    clock.now += 1
    output.take(Piece("after"))

    *_, told, after = journal.lines
    assert len(journal.lines) == LINES_BURST + 2
    assert told[2]["suppressed"] == 700
    assert told[3] is Level.WARN
    assert after[1] == "after"


def test_a_stack_comes_through_a_flood() -> None:
    journal, clock = Journal(), Clock()
    output = OutputLines("stderr", journal, deque(maxlen=5), clock)
    for number in range(LINES_BURST + 10):
        output.take(Piece(f"line {number}"))

    take(output, CHAINED)
    output.flush()

    assert journal.lines[-1][3] is Level.ERROR


def test_redraws_are_journaled_now_and_then_only() -> None:
    journal, clock = Journal(), Clock()
    output = OutputLines("stderr", journal, deque(), clock)

    for frame in range(100):
        clock.now = frame * 0.1
        output.take(Piece(f"{frame}%", redraw=True))
    output.take(Piece("100%", redraws=100))

    assert [msg for _, msg, _, _ in journal.lines] == ["0%", "50%", "100%"]
    assert journal.lines[-1][2] == {"redraws": 100}


def test_warnings_are_told_from_ordinary_lines_and_only_stacks_are_errors() -> None:
    journal = Journal()
    output = OutputLines("stderr", journal, deque())

    take(output, "UserWarning: old\nERROR: Unable to register cuFFT factory\nepoch 3, error_rate=0.1")

    assert [level for _, _, _, level in journal.lines] == [Level.WARN, Level.WARN, Level.INFO]
