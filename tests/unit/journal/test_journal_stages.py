"""The account of a job's stages: what each took, how often it was entered, how far it is."""

from __future__ import annotations

from typing import Any

from isengard.journal import Entry
from isengard.journal.stages import Part, account
from standins.journals import line


def told(*lines: bytes) -> list[Part]:
    return account(map(Entry.parse, lines))


def stage(seq: int, name: str, msg: str = "", **fields: Any) -> bytes:
    return line(seq, "job.stage", msg, stage=name, attempt=fields.pop("attempt", 1), **fields)


def test_each_stage_has_its_time_and_its_last_words() -> None:
    found = told(
        line(1, "job.created", attempt=1),
        line(2, "job.queued", attempt=1),
        line(5, "job.started", stage="initializing", attempt=1),
        stage(6, "captioning", "captioning 12 images with blip"),
        stage(8, "captioning", "5 of 12 images captioned", phase="captioning images", phase_pct=41.7),
    )
    assert [(part.name, part.seconds, part.since is None) for part in found] == [
        ("queued", 4.0, True),
        ("initializing", 1.0, True),
        ("captioning", 0.0, False),
    ]
    assert (found[2].message, found[2].pct, found[2].began) == (
        "5 of 12 images captioned",
        41.7,
        "2026-01-02T03:00:06.000000Z",
    )


def test_a_stage_that_comes_again_is_one_with_the_sum_of_its_times() -> None:
    found = told(
        stage(1, "training"),
        stage(11, "sampling"),
        stage(13, "training"),
        stage(23, "sampling"),
        stage(24, "training"),
        line(30, "job.completed", attempt=1),
    )
    assert [(part.name, part.times, part.seconds) for part in found] == [
        ("training", 3, 26.0),
        ("sampling", 2, 3.0),
        ("completed", 1, 0.0),
    ]
    assert all(part.since is None for part in found)


def test_what_goes_on_inside_a_stage_has_its_own_time_and_share() -> None:
    [part] = told(
        stage(1, "initializing", "loading the base model"),
        stage(2, "initializing", "loading model", phase="loading model", phase_pct=10),
        stage(5, "initializing", "loading model", phase="loading model", phase_pct=100.0),
        stage(7, "initializing", "caching latents", phase="caching latents", phase_pct=25),
    )
    assert [(each.name, each.seconds, each.pct, each.since is None) for each in part.phases] == [
        ("loading model", 5.0, 100.0, True),
        ("caching latents", 0.0, 25.0, False),
    ]


def test_a_second_attempt_is_kept_apart_and_waiting_does_not_count_as_training() -> None:
    found = told(
        stage(1, "training"),
        line(5, "job.failed", attempt=1),
        line(20, "job.resumed", attempt=2),
        stage(25, "training", attempt=2),
        line(31, "job.cancelled", attempt=2),
    )
    assert [(part.name, part.attempt, part.seconds) for part in found] == [
        ("training", 1, 4.0),
        ("failed", 1, 0.0),
        ("queued", 2, 5.0),
        ("training", 2, 6.0),
        ("cancelled", 2, 0.0),
    ]


def test_lines_of_other_makers_change_nothing() -> None:
    odd = line(2, "job.stage", "", stage=7, attempt="first", phase=3, phase_pct="half")
    [part] = told(stage(1, "training"), odd, stage(3, "training", phase_pct="half"))
    assert (part.name, part.times, part.pct) == ("training", 1, None)
