"""The index of a journal in memory: begins with the file ``events.idx``, goes on by itself as lines come.

Safe to share between threads. Reading a cold journal of a million lines takes about a second, during which the
interpreter's lock is let go of every few milliseconds; after that only new lines are looked at.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isengard.core.paths import JobPaths
from isengard.journal import index_file
from isengard.journal.columns import Columns, Rows, records_of
from isengard.journal.index_writer import scan_piece

_WORTH_OFFERING = 4096
_REMEMBERED = 256
"""So many of the last bytes that were taken in are looked at again before more are."""
_CLOSE = 4096
"""Bytes a line that are sooner read along than skipped."""


class OpenJournal:
    """A journal held open for reading; closed when nobody needs it any more.

    Attributes:
        number: Its inode, which tells it from a later file of the same name.
    """

    def __init__(self, paths: JobPaths) -> None:
        self.fd = os.open(paths.journal, os.O_RDONLY | os.O_CLOEXEC)
        self.number = os.fstat(self.fd).st_ino

    def __del__(self) -> None:
        if hasattr(self, "fd"):
            os.close(self.fd)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A journal at one moment.

    Attributes:
        rows: What the index knows of each line.
        end: Where the last line ends.
        generation: Changes when the journal is another file than before.
    """

    rows: Rows
    end: int
    generation: int
    journal: OpenJournal | None

    def __len__(self) -> int:
        return len(self.rows)

    def start_of(self, row: int) -> int:
        """Where a row's line begins; for the row behind the last, where it ends."""
        return int(self.rows.offset[row]) if row < len(self.rows) else self.end

    def line(self, row: int) -> bytes:
        """The raw line of a row, without its line feed."""
        start = self.start_of(row)
        return self.read(start, self.start_of(row + 1) - 1 - start)

    def lines(self, first: int, last: int) -> list[bytes]:
        """The raw lines of the rows from `first` up to but not with `last`."""
        if first >= last:
            return []
        start = self.start_of(first)
        return self.read(start, self.start_of(last) - 1 - start).split(b"\n")

    def lines_at(self, rows: Sequence[int]) -> list[bytes]:
        """The raw lines of some rows in ascending order; what lies close together is read at once."""
        if not rows:
            return []
        start, end = self.start_of(rows[0]), self.start_of(rows[-1] + 1)
        if end - start > _CLOSE * len(rows):
            middle = len(rows) // 2
            return [*self.lines_at(rows[:middle]), *self.lines_at(rows[middle:])] if middle else [self.line(rows[0])]
        data = self.read(start, end - start)
        places = [(self.start_of(row) - start, self.start_of(row + 1) - start - 1) for row in rows]
        return [data[begin:stop] for begin, stop in places]

    def read(self, start: int, length: int) -> bytes:
        """Bytes of the journal."""
        assert self.journal is not None  # noqa: S101 - there are no rows without a file
        return os.pread(self.journal.fd, length, start)

    def read_into(self, buffer: npt.NDArray[np.uint8], start: int) -> None:
        """Fill `buffer` with the bytes of the journal from `start` on; raises OSError if they are not there."""
        assert self.journal is not None  # noqa: S101 - there are no rows without a file
        if os.preadv(self.journal.fd, [buffer.data], start) != len(buffer):
            raise OSError("the journal was cut short")


class JournalIndex:
    """The index of one job's journal."""

    def __init__(self, paths: JobPaths) -> None:
        self._paths = paths
        self._reading = threading.Lock()
        self._generation = 0
        self._begin(None)

    def _begin(self, journal: OpenJournal | None) -> None:
        self._journal = journal
        self._columns = Columns()
        self._end = 0
        self._last = b""
        self._generation += 1

    @property
    def known_lines(self) -> int:
        """How many lines were taken in so far."""
        return len(self._columns)

    def snapshot(self) -> Snapshot:
        """The journal as it is now; raises OSError if it cannot be read. A missing journal is empty."""
        built = 0
        with self._reading:
            size = self._size()
            if self._end < size and self._journal is not None:
                self._look_again(self._journal)
                built = self._extend(self._journal, size)
            snapshot = Snapshot(self._columns.rows(), self._end, self._generation, self._journal)
        if built >= _WORTH_OFFERING:
            threading.Thread(target=self._offer, args=(snapshot,), name="journal-index").start()
        return snapshot

    def _offer(self, snapshot: Snapshot) -> None:
        """Leave an index file for the next reader; whoever asked does not wait for it."""
        if snapshot.journal is not None:
            index_file.offer(self._paths, snapshot.journal.fd, records_of(snapshot.rows))

    def _size(self) -> int:
        """How long the journal is; begins anew if it is not the file it was."""
        try:
            state = os.stat(self._paths.journal)
        except FileNotFoundError:
            if self._journal is not None:
                self._begin(None)
            return 0
        if self._journal is None or state.st_ino != self._journal.number or state.st_size < self._end:
            self._begin(OpenJournal(self._paths))
        return state.st_size

    def _look_again(self, journal: OpenJournal) -> None:
        """Begin anew if the end that is known is gone: after a power cut, lines behind a hole are cut off, and others
        take their place.
        """
        if os.pread(journal.fd, len(self._last), self._end - len(self._last)) != self._last:
            self._begin(journal)

    def _extend(self, journal: OpenJournal, size: int) -> int:
        """Take in the lines up to `size`; returns how many the index file did not have."""
        if self._end == 0:
            self._take_file(journal)
        known = first = len(self._columns)
        while self._end < size:
            records, end = scan_piece(journal.fd, first + 1, self._end, size)
            if end == self._end:
                break
            self._columns.extend(records)
            first += len(records)
            self._end = end
        start = max(0, self._end - _REMEMBERED)
        self._last = os.pread(journal.fd, self._end - start, start)
        return first - known

    def _take_file(self, journal: OpenJournal) -> None:
        records = index_file.load(self._paths, journal.fd)
        if records is not None:
            self._columns.extend(records)
            self._end = index_file.line_end(journal.fd, int(records["offset"][-1]))
