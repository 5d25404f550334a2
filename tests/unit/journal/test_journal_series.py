"""Series: few points that keep every extreme, attempts told apart, what is no number marked."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isengard.core.paths import JobPaths
from isengard.journal import JournalReader
from isengard.journal.downsample import keep
from isengard.journal.series import Point, Series, series
from standins.journals import line, new_job, put


@pytest.fixture
def paths(tmp_path: Path) -> JobPaths:
    return new_job(tmp_path)


def steps(first_seq: int, numbers: range, attempt: int = 1, **values: Any) -> list[bytes]:
    return [
        line(first_seq + place, step=number, loss=1 / number, attempt=attempt, **values)
        for place, number in enumerate(numbers)
    ]


def test_a_short_series_is_whole(paths: JobPaths) -> None:
    put(paths, [line(1, "job.created"), *steps(2, range(1, 11))])
    found = series(paths, ["loss", "lr"])
    assert [(point.step, point.value, point.seq, point.attempt) for point in found.points["loss"]] == [
        (number, 1 / number, number + 1, 1) for number in range(1, 11)
    ]
    assert found.points["loss"][0].ts == "2026-01-02T03:00:02.000000Z"
    assert found.points["lr"] == []
    assert found.keys == ["loss"]


def test_a_long_series_keeps_its_ends_and_every_spike(paths: JobPaths) -> None:
    lines = steps(1, range(1, 8_001))
    spikes = sorted(random.sample(range(100, 7_900), 5))
    for number, spike in enumerate(spikes):
        lines[spike] = line(
            spike + 1, step=spike + 1, loss=100.0 + number if number % 2 else -100.0 - number, attempt=1
        )
    put(paths, lines)
    points = series(paths, ["loss"], max_points=500).points["loss"]
    assert len(points) <= 500
    assert (points[0].step, points[-1].step) == (1, 8_000)
    assert {point.seq for point in points} >= {spike + 1 for spike in spikes}
    assert [point.step for point in points] == sorted(point.step for point in points)


def test_steps_that_a_resumed_attempt_did_again_are_told_apart(paths: JobPaths) -> None:
    first = steps(1, range(1, 121))
    second = steps(122, range(101, 201), attempt=2)
    put(paths, [*first, line(121, "job.resumed", attempt=2), *second])
    points = series(paths, ["loss"]).points["loss"]
    assert [(point.attempt, point.step) for point in points if 99 < point.step < 103] == [
        (1, 100), (1, 101), (1, 102), (2, 101), (2, 102),
    ]  # fmt: skip
    few = series(paths, ["loss"], max_points=50).points["loss"]
    assert len(few) <= 50
    for attempt, begin, end in ((1, 1, 120), (2, 101, 200)):
        own = [point.step for point in few if point.attempt == attempt]
        assert (own[0], own[-1]) == (begin, end)


def test_a_loss_that_is_no_number_is_a_point_without_a_value(paths: JobPaths) -> None:
    lines = steps(1, range(1, 5001))
    lines[2500] = line(2501, step=2501, level="WARN", msg="the loss of step 2501 is nan", attempt=1)
    lines[3000] = line(3001, step=3001, loss=None, attempt=1)
    put(paths, lines)
    for most in (10_000, 200):
        points = series(paths, ["loss"], max_points=most).points["loss"]
        assert [point.step for point in points if point.value is None] == [2501, 3001]


def test_a_step_that_says_nothing_of_its_loss_is_no_point(paths: JobPaths) -> None:
    put(paths, [line(1, step=1, loss=0.5), line(2, step=2), line(3, step=3, loss=0.25)])
    assert [point.step for point in series(paths, ["loss"]).points["loss"]] == [1, 3]


def test_a_range_of_steps_includes_both_ends(paths: JobPaths) -> None:
    put(paths, steps(1, range(1, 101)))
    points = series(paths, ["loss"], from_step=10, to_step=12).points["loss"]
    assert [point.step for point in points] == [10, 11, 12]


def test_a_key_with_a_dot_in_it_is_a_series_by_its_name(paths: JobPaths) -> None:
    put(paths, [line(1, step=1, metrics={"val.loss": 0.5}), line(2, step=2, metrics={"val": {"loss": 0.25}})])
    for name in ("metrics.val.loss", "val.loss"):
        assert [point.value for point in series(paths, [name]).points[name]] == [0.5, 0.25]
    assert series(paths, []).keys == ["metrics.val.loss"]


def test_a_figure_is_found_beside_an_empty_one_of_its_name(paths: JobPaths) -> None:
    put(paths, [line(1, step=1, grad_norm=None, metrics={"grad_norm": 0.5})])
    assert [point.value for point in series(paths, ["grad_norm"]).points["grad_norm"]] == [0.5]


def test_a_line_without_a_step_stands_where_the_last_one_that_had_one_does(paths: JobPaths) -> None:
    put(paths, [line(1, loss=0.5), line(2, step=7, loss=0.4), line(3, loss=0.3), line(4, loss=0.2)])
    assert [point.step for point in series(paths, ["loss"]).points["loss"]] == [0, 7, 7, 7]


def test_further_figures_are_read_by_their_names(paths: JobPaths) -> None:
    put(
        paths,
        [
            line(1, step=1, loss=0.5, metrics={"grad_norm": 1.5, "odd/name": 2}, it_per_s=3.0),
            line(2, "gpu.metrics", gpus=[{"index": 0, "power_w": 200.0}, {"index": 1, "power_w": 90.0}], cpu_pct=12.5),
            line(3, step=2, loss=0.4, metrics={"grad_norm": 1.25}),
            line(4, "gpu.metrics", gpus=[{"index": 0, "power_w": 210.0}], cpu_pct=13.5),
        ],
    )

    def values(found: Series) -> dict[str, list[tuple[int, float | None]]]:
        return {key: [(point.step, point.value) for point in points] for key, points in found.points.items()}

    keys = [
        "metrics.grad_norm",
        "grad_norm",
        "metrics.odd/name",
        "it_per_s",
        "gpu.power_w",
        "gpu.1.power_w",
        "cpu_pct",
        "x",
    ]
    found = series(paths, keys)
    assert values(found) == {
        "metrics.grad_norm": [(1, 1.5), (2, 1.25)],
        "grad_norm": [(1, 1.5), (2, 1.25)],
        "metrics.odd/name": [(1, 2.0)],
        "it_per_s": [(1, 3.0)],
        "gpu.power_w": [(1, 200.0), (2, 210.0)],
        "gpu.1.power_w": [(1, 90.0)],
        "cpu_pct": [(1, 12.5), (2, 13.5)],
        "x": [],
    }
    assert set(found.keys) == {
        "loss", "metrics.grad_norm", "metrics.odd/name", "it_per_s",
        "gpu.0.power_w", "gpu.1.power_w", "gpu.power_w", "cpu_pct",
    }  # fmt: skip


@pytest.mark.parametrize("key", ["", ".", "a..b", 'q"', "back\\", "index", "gpu", "metrics", "ü", "0", "step\n"])
def test_a_name_that_nothing_has_is_an_empty_series(paths: JobPaths, key: str) -> None:
    put(paths, [line(1, step=1, loss=0.5, metrics={"a": 1.0}, text="x"), line(2, "gpu.metrics", gpus=[{"index": 0}])])
    assert series(paths, [key]).points == {key: []}


def test_odd_values_among_numbers_are_left_out(paths: JobPaths) -> None:
    values: list[Any] = [1.5, "x", None, True, {"a": 1}, [1], 2]
    put(paths, [line(seq, step=seq, metrics={"m": value}) for seq, value in enumerate(values, 1)])
    assert [point.value for point in series(paths, ["metrics.m"]).points["metrics.m"]] == [1.5, 2.0]


def test_a_kept_reader_adds_what_is_new(paths: JobPaths) -> None:
    reader = JournalReader(paths)
    for count in (3, 10, 2500, 4000):
        put_more(paths, count)
        found = series(reader, ["loss", "metrics.m"], max_points=100_000)
        assert [point.step for point in found.points["loss"]] == list(range(1, count + 1))
        assert [point.value for point in found.points["metrics.m"]] == [float(step) for step in range(1, count + 1)]


def put_more(paths: JobPaths, count: int) -> None:
    there = paths.journal.read_bytes().count(b"\n") if paths.journal.exists() else 0
    with paths.journal.open("ab") as file:
        for seq in range(there + 1, count + 1):
            file.write(line(seq, step=seq, loss=1 / seq, metrics={"m": seq}) + b"\n")


def test_a_missing_journal_has_no_series(paths: JobPaths) -> None:
    assert series(paths, ["loss", "gpu.power_w"]) == Series([], {"loss": [], "gpu.power_w": []})


def test_points_are_plain_values(paths: JobPaths) -> None:
    put(paths, steps(1, range(1, 3)))
    (first, _) = series(paths, ["loss"]).points["loss"]
    assert first == Point(step=1, value=1.0, ts="2026-01-02T03:00:01.000000Z", attempt=1, seq=1)
    assert [type(value) for value in (first.step, first.value, first.attempt, first.seq)] == [int, float, int, int]


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.integers(0, 500), min_size=1, max_size=400),
    ordered=st.booleans(),
    values=st.lists(st.floats(allow_nan=True) | st.just(1.0), min_size=1, max_size=400),
    most=st.integers(1, 120),
)
def test_down_sampling_keeps_ends_and_extremes_and_its_limit(
    steps: list[int], ordered: bool, values: list[float], most: int
) -> None:
    count = min(len(steps), len(values))
    x = np.array(sorted(steps[:count]) if ordered else steps[:count], np.int64)
    y = np.array(values[:count])
    kept = keep(x, y, most)
    assert len(kept) <= most
    assert (np.diff(kept) > 0).all()
    finite = y[np.isfinite(y)]
    if len(finite):
        assert finite.max() in y[kept]
        assert most == 1 or finite.min() in y[kept]
    if most < 5:  # too few for everything that stands out
        return
    assert kept[0] == 0
    assert kept[-1] == count - 1
    if not np.isfinite(y).all():
        assert not np.isfinite(y[kept]).all()
