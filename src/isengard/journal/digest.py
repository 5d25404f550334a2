"""Picks the lines of a journal that decide a job's state, so that a fold of a million lines parses a few hundred."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from isengard.events.models import TERMINAL_EVENTS, EventName, Level
from isengard.journal.filters import Positions

if TYPE_CHECKING:
    from isengard.journal.index import Snapshot
    from isengard.journal.reader import JournalReader

_FEW = 500
"""So many lines are sooner all read."""
_NEWEST = 64
"""Of what comes often, so many of the newest: enough to hold each figure that is not reported every time."""

_ALWAYS = tuple(
    event
    for event in EventName
    if event.startswith(("job.", "training.")) and event not in (EventName.JOB_STAGE, EventName.TRAINING_STEP)
)
_OFTEN = (EventName.JOB_STAGE, EventName.TRAINING_STEP, EventName.GPU_METRICS)


def rows_that_matter(reader: JournalReader, snapshot: Snapshot, after: int) -> list[int]:
    """The rows behind line number `after` that a fold needs, ascending, the first and the last of all among them."""
    end = len(snapshot)
    if end - after <= _FEW:
        return list(range(after, end))
    picked = [_behind(reader.rows(events=_ALWAYS, snapshot=snapshot), after), np.array([after, end - 1])]
    # What an attempt came to is said before its end; lines behind that, of which there may be any number, do not count.
    ends = [*_behind(reader.rows(events=sorted(TERMINAL_EVENTS), snapshot=snapshot), after).tolist(), end]
    for event in _OFTEN:
        rows = _behind(reader.rows(events=(event,), snapshot=snapshot), after)
        for before in (rows[: np.searchsorted(rows, at)] for at in ends):
            picked.append(before[-_NEWEST:])
            if event == EventName.TRAINING_STEP:
                picked += _last_figures(snapshot, before)
    picked.append(_first_errors(reader, snapshot, after))
    chosen: list[int] = np.unique(np.concatenate(picked)).tolist()
    return chosen


def _behind(rows: Positions, after: int) -> Positions:
    return rows[np.searchsorted(rows, after) :]


def _last_figures(snapshot: Snapshot, steps: Positions) -> list[Positions]:
    """The newest step with a loss and the newest with a learning rate, should they lie further back."""
    return [_newest_finite(snapshot.rows.loss, steps), _newest_finite(snapshot.rows.lr, steps)]


def _newest_finite(column: npt.NDArray[np.float64], rows: Positions) -> Positions:
    """The last of the rows with a finite value there, if any; most often it is among the very last."""
    for reach in (_NEWEST, len(rows)):
        found = rows[-reach:][np.isfinite(column[rows[-reach:]])]
        if len(found):
            return found[-1:]
    return rows[:0]


def _first_errors(reader: JournalReader, snapshot: Snapshot, after: int) -> Positions:
    """The first error at all and the first of each attempt that was resumed."""
    errors = _behind(reader.rows(levels=(Level.ERROR,), snapshot=snapshot), after)
    begins = _behind(reader.rows(events=(EventName.JOB_RESUMED,), snapshot=snapshot), after)
    firsts = np.searchsorted(errors, np.concatenate(([after], begins)))
    return errors[np.unique(firsts[firsts < len(errors)])]
