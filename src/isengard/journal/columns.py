"""Columns that grow: the records of a journal's lines in memory, one array for each thing that is asked for.

A view taken once stays as it is: rows are only ever added behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isengard.journal.records import RECORD, Records

KIND_LEVEL_BITS = 3
"""A kind is ``level | event << 3``: one byte that tells both."""


class Growing:
    """An array with room to grow."""

    def __init__(self, kind: npt.DTypeLike, room: int = 256) -> None:
        self._array: npt.NDArray[Any] = np.empty(room, kind)
        self._count = 0

    def extend(self, values: npt.NDArray[Any]) -> None:
        """Add values at the end."""
        end = self._count + len(values)
        if end > len(self._array):
            larger = np.empty(max(end, len(self._array) * 3 // 2), self._array.dtype)
            larger[: self._count] = self._array[: self._count]
            self._array = larger
        self._array[self._count : end] = values
        self._count = end

    def view(self) -> npt.NDArray[Any]:
        """What is there now."""
        return self._array[: self._count]


@dataclass(frozen=True, slots=True)
class Rows:
    """All records at one moment, by column; row n is line n + 1. See `records.RECORD`."""

    offset: npt.NDArray[np.uint64]
    loss: npt.NDArray[np.float64]
    lr: npt.NDArray[np.float64]
    step: npt.NDArray[np.int32]
    body: npt.NDArray[np.uint32]
    fields: npt.NDArray[np.uint32]
    attempt: npt.NDArray[np.uint16]
    kind: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.offset)


_COLUMNS = ("offset", "loss", "lr", "step", "body", "fields", "attempt")


class Columns:
    """Takes records, gives rows."""

    def __init__(self) -> None:
        self._columns = {name: Growing(RECORD[name]) for name in _COLUMNS}
        self._kind = Growing(np.uint8)

    def __len__(self) -> int:
        return len(self._kind.view())

    def extend(self, records: Records) -> None:
        """Add the records of the lines that follow."""
        for name, column in self._columns.items():
            column.extend(records[name])
        self._kind.extend(records["level"] | records["event"] << KIND_LEVEL_BITS)

    def rows(self) -> Rows:
        """All records there are now."""
        return Rows(**{name: column.view() for name, column in self._columns.items()}, kind=self._kind.view())


def records_of(rows: Rows) -> Records:
    """The records that `rows` were made of."""
    records = np.zeros(len(rows), RECORD)
    for name in _COLUMNS:
        records[name] = getattr(rows, name)
    records["level"] = rows.kind & ((1 << KIND_LEVEL_BITS) - 1)
    records["event"] = rows.kind >> KIND_LEVEL_BITS
    return records
