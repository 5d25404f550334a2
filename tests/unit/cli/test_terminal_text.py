"""What a terminal is given: figures in words, and text from outside that cannot act on it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isengard.cli.humanize import ago, figure, size, span
from isengard.cli.log_lines import render
from isengard.cli.terminal import inert, inert_line, json_text
from isengard.journal import Entry


@given(st.text())
def test_no_control_character_reaches_a_terminal(text: str) -> None:
    shown = inert(text)
    assert not any(ord(char) < 0x20 and char not in "\n\t" for char in shown)
    assert not any(0x7F <= ord(char) < 0xA0 for char in shown)
    assert "\n" not in inert_line(text)


@given(st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_ordinary_text_is_left_as_it_is(text: str) -> None:
    assert inert(text) == text


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(), st.lists))
def test_json_keeps_its_value_whatever_is_escaped(value: object) -> None:
    text = json_text({"value": value})
    assert json.loads(text) == {"value": value}
    assert not any(0x7F <= ord(char) < 0xA0 or 0x202A <= ord(char) <= 0x202E for char in text)


def test_a_hostile_line_of_a_trainer_cannot_retitle_the_window() -> None:
    entry = Entry(
        5,
        ts="2026-01-02T03:04:05.678901Z",
        event="subprocess.stdout",
        msg="\x1b]0;owned\x07 ok\x9b2J",
        fields={"error_stack": "a\x1b[2J\nb"},
    )
    shown = render(entry, colour=False)
    assert "\x1b" not in shown
    assert "\x9b" not in shown
    assert "\\x1b]0;owned\\x07 ok\\x9b2J" in shown
    assert shown.splitlines()[1:] == ["    a\\x1b[2J", "    b"]


def test_a_step_reads_as_progress() -> None:
    fields = {"step": 12, "steps_total": 100, "loss": 0.123456, "lr": 1e-4, "eta_seconds": 75.0, "attempt": 1}
    entry = Entry(9, ts="2026-01-02T03:04:05.678901Z", event="training.step", fields=fields)
    shown = " ".join(render(entry, colour=False).split())
    assert shown == "03:04:05.678 INFO training.step step 12/100 loss 0.1235 lr 0.0001 eta 1 min 15 s"


def test_a_failure_names_its_cause_and_nothing_for_machines() -> None:
    cause = {
        "code": "disk-full",
        "title": "The disk is full",
        "explanation": "No space is left.",
        "advice": ["Free it."],
    }
    fields = {"error": "no space", "cause": cause, "failure_fingerprint": "0c5f", "last_lines": ["step 3", "no space"]}
    entry = Entry(9, ts="2026-01-02T03:04:05.678901Z", event="job.failed", msg="no space", fields=fields)
    assert " ".join(render(entry, colour=False).split()[2:]) == "job.failed no space cause=The disk is full"


def test_an_error_is_red_where_colour_is_wanted_and_plain_elsewhere() -> None:
    entry = Entry(1, ts="2026-01-02T03:04:05.678901Z", level="ERROR", msg="boom")
    assert render(entry, colour=True).startswith("\x1b[31m")
    assert render(entry, colour=True).endswith("\x1b[0m")
    assert "\x1b" not in render(entry, colour=False)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "–"),
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min 00 s"),
        (3725, "1 h 02 min"),
        (190_000, "2 d 4 h"),
        (-3, "0 s"),
    ],
)
def test_durations(seconds: float | None, words: str) -> None:
    assert span(seconds) == words


def test_sizes_figures_and_moments() -> None:
    assert [size(count) for count in (0, 1023, 1536, 5 * 1024**3)] == ["0 B", "1023 B", "1.5 KiB", "5.0 GiB"]
    assert (figure(None), figure(0.0421234)) == ("–", "0.04212")
    assert ago(datetime.now(UTC) - timedelta(hours=2, minutes=1)) == "2 h 01 min ago"
