"""Makes a series short enough to draw without losing what stands out.

M4 (Jugel et al., "M4: A Visualization-Oriented Time Series Data Aggregation", PVLDB 7(10), 2014): of every stretch of
the axis the first, the last, the smallest and the greatest point stay. A line drawn through them looks the same at that
many pixels, and no spike is lost, as it would be by taking every n-th point or a mean.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

POINTS_PER_STRETCH = 5
"""First, last, smallest, greatest, and the first that is not a number."""


def keep(x: npt.NDArray[np.int64], y: Floats, most: int) -> Places:
    """The places of at most `most` points that stay, ascending.

    Args:
        x: Where the points stand, in the order they came in.
        y: Their values; what is not finite is no extreme, but the first such point of a stretch stays.
        most: At least 1. Where that is too few for a whole stretch, extremes come before ends.
    """
    if len(x) <= most:
        return np.arange(len(x))
    begins = _begins(x, max(1, most // POINTS_PER_STRETCH))
    ends = np.concatenate((begins[1:], [len(x)])) - 1
    finite = np.isfinite(y)
    lowest = _first_equal(np.where(finite, y, np.inf), begins, np.minimum)
    highest = _first_equal(np.where(finite, y, -np.inf), begins, np.maximum)
    broken = _first_true(~finite, begins)
    if most < POINTS_PER_STRETCH:
        by_weight = np.concatenate((highest, lowest, ends, begins, broken)).tolist()
        return np.array(sorted(list(dict.fromkeys(by_weight))[:most]))
    return np.unique(np.concatenate((begins, ends, lowest, highest, broken)))


def _begins(x: npt.NDArray[np.int64], stretches: int) -> Places:
    """Where each stretch of the axis begins; by order instead of by axis should the points go back and forth."""
    if (x[1:] < x[:-1]).any():
        x = np.arange(len(x))
    stretch = (x - x[0]) * stretches // (x[-1] - x[0] + 1)
    return np.concatenate(([0], np.flatnonzero(stretch[1:] != stretch[:-1]) + 1))


def _first_equal(values: Floats, begins: Places, extreme: np.ufunc) -> Places:
    """In each stretch the first place of its extreme value."""
    best = extreme.reduceat(values, begins)
    lengths = np.diff(np.concatenate((begins, [len(values)])))
    return _first_true(values == np.repeat(best, lengths), begins)


def _first_true(flags: npt.NDArray[np.bool_], begins: Places) -> Places:
    """The first place that is true in each stretch that has one."""
    places = np.flatnonzero(flags)
    # Few stretches are looked up among many places, not the other way round: half of the time a long series takes.
    first = np.searchsorted(places, begins)
    candidates = places[first[first < len(places)]]
    return np.unique(candidates)
