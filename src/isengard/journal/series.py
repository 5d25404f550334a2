"""Series for charts: a figure over the steps of a job, down-sampled so that its extremes stay.

A step that a resumed attempt did again is there once for each attempt, told apart by `Point.attempt`. A loss that was
not a number is a point without a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isengard.core.paths import JobPaths
from isengard.journal.downsample import POINTS_PER_STRETCH, keep
from isengard.journal.entry import Entry
from isengard.journal.field_columns import STEPS, finite
from isengard.journal.filters import Positions
from isengard.journal.index import Snapshot
from isengard.journal.reader import JournalReader
from isengard.journal.records import MAX_STEP
from isengard.journal.scan_line import SEQ_KEY, TS_KEY, TS_LENGTH

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Point:
    """One value.

    Attributes:
        value: None where the training reported something that is not a number.
        ts: When, as in the journal.
        seq: Number of the line.
    """

    step: int
    value: float | None
    ts: str
    attempt: int
    seq: int


@dataclass(frozen=True, slots=True)
class Series:
    """Series by name.

    Attributes:
        keys: All names this job has, asked for or not, as far as a sample of its lines shows.
        points: For each name asked for its points in the order of the journal; empty for a name it does not have.
    """

    keys: list[str]
    points: dict[str, list[Point]]


def series(
    source: JobPaths | JournalReader,
    keys: Sequence[str],
    max_points: int = 1000,
    from_step: int | None = None,
    to_step: int | None = None,
) -> Series:
    """The figures named `keys` between two steps, both included.

    Args:
        source: The job; give a kept reader where there is one, it knows what was asked before.
        keys: ``loss``, ``lr``, ``it_per_s``, ``metrics.grad_norm`` (or ``grad_norm``), ``gpu.utilization_pct`` …
        max_points: Most points of each series.

    Raises:
        OSError: The journal cannot be read.
    """
    reader = source if isinstance(source, JournalReader) else JournalReader(source)
    snapshot = reader.snapshot()
    points = {key: _points(reader, snapshot, key, max_points, from_step, to_step) for key in keys}
    return Series(reader.figure_names(snapshot), points)


def _points(
    reader: JournalReader, snapshot: Snapshot, key: str, most: int, from_step: int | None, to_step: int | None
) -> list[Point]:
    rows, values = reader.figure(snapshot, key)
    steps = _steps(reader, snapshot, rows)
    if from_step is not None or to_step is not None:
        wanted = (steps >= (from_step or 0)) & (steps <= (MAX_STEP if to_step is None else to_step))
        rows, values, steps = rows[wanted], values[wanted], steps[wanted]
    attempts = np.maximum(snapshot.rows.attempt[rows], 1)
    kept = _keep(steps, values, attempts, most)
    return [
        Point(step, finite(value), timestamp(snapshot, row), attempt, row + 1)
        for step, value, row, attempt in zip(
            steps[kept].tolist(), values[kept].tolist(), rows[kept].tolist(), attempts[kept].tolist(), strict=True
        )
    ]


def _steps(reader: JournalReader, snapshot: Snapshot, rows: Positions) -> npt.NDArray[np.int64]:
    """The step of each row; for a line without one that of the last line before it that has one, 0 before the first."""
    steps = snapshot.rows.step[rows].astype(np.int64)
    without = np.flatnonzero(steps < 0)
    if len(without):
        step_rows = reader.rows(events=STEPS.events, snapshot=snapshot)
        step_rows = step_rows[snapshot.rows.step[step_rows] >= 0]
        before = np.searchsorted(step_rows, rows[without]) - 1
        steps[without] = np.where(before >= 0, snapshot.rows.step[step_rows[before]] if len(step_rows) else 0, 0)
    return steps


def _keep(steps: npt.NDArray[np.int64], values: Floats, attempts: npt.NDArray[np.uint16], most: int) -> Places:
    """The places of the points that stay: each attempt has its share of them."""
    if len(steps) <= most:
        return np.arange(len(steps))
    begins = np.concatenate(([0], np.flatnonzero(attempts[1:] != attempts[:-1]) + 1, [len(steps)]))
    if (len(begins) - 1) * 2 * POINTS_PER_STRETCH > most:
        return keep(steps, values, most)
    spare = most - (len(begins) - 1) * POINTS_PER_STRETCH
    kept = [
        first + keep(steps[first:last], values[first:last], POINTS_PER_STRETCH + spare * (last - first) // len(steps))
        for first, last in zip(begins[:-1].tolist(), begins[1:].tolist(), strict=True)
    ]
    return np.concatenate(kept)


def timestamp(snapshot: Snapshot, row: int) -> str:
    """The timestamp of a row's line, without parsing the line where it looks as usual."""
    if not snapshot.rows.body[row]:
        return Entry.read(snapshot.line(row), row + 1).ts
    begin = len(SEQ_KEY) + len(str(row + 1)) + len(TS_KEY)
    return snapshot.read(snapshot.start_of(row) + begin, TS_LENGTH).decode("ascii")
