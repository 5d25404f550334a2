"""Keeps the index file behind a journal that is being written. Reads the lines back from the file, a batch at a time.

Works beside the training, never on its path: the writer's background task thread calls `catch_up`.
"""

from __future__ import annotations

import os
import threading

from isengard.core.paths import JobPaths
from isengard.journal import index_file
from isengard.journal.records import Records
from isengard.journal.scan import scan

PIECE = 1 << 20


class IndexWriter:
    """Appends to the index file of a journal whose writer's lock the caller holds.

    Args:
        fd: The journal, open for reading.
    """

    def __init__(self, paths: JobPaths, fd: int) -> None:
        self._paths = paths
        self._journal = fd
        self._index = -1
        self._rows = 0
        self._end = 0
        self._given_up = False
        self._working = threading.Lock()

    def catch_up(self, seq: int, size: int) -> None:
        """Bring the file up to line `seq`, which ends at `size`; a disk that refuses ends the index only."""
        if seq < index_file.WORTH_KEEPING or self._given_up:
            return
        with self._working:
            try:
                if self._index < 0:
                    self._open(size)
                while self._end < size:
                    self._append(*scan_piece(self._journal, self._rows + 1, self._end, size))
            except OSError:
                self._given_up = True

    def _open(self, size: int) -> None:
        """Go on with the file there is, if it can be believed, else begin anew."""
        records = index_file.load(self._paths, self._journal)
        if records is None:
            records, _ = scan_piece(self._journal, 1, 0, size)
            index_file.replace(self._paths, self._journal, records)
        self._index = os.open(self._paths.index, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._rows = len(records)
        self._end = index_file.line_end(self._journal, int(records["offset"][-1]))
        excess = (os.fstat(self._index).st_size - len(index_file.header(b""))) % records.itemsize
        if excess:  # a crash in the middle of an append
            os.ftruncate(self._index, os.fstat(self._index).st_size - excess)

    def _append(self, records: Records, end: int) -> None:
        if end == self._end:
            raise OSError("the journal was cut short")
        data = records.tobytes()
        if os.write(self._index, data) != len(data):
            raise OSError("the disk took only a part")
        self._rows += len(records)
        self._end = end

    def close(self) -> None:
        """Close the file."""
        if self._index >= 0:
            os.close(self._index)


def scan_piece(fd: int, first_seq: int, start: int, size: int) -> tuple[Records, int]:
    """The records of the next whole lines of a journal, and where these end.

    About `PIECE` bytes are read from `start` on, none beyond `size`. Without a whole line there the end is `start`.
    """
    length = PIECE
    while True:
        data = os.pread(fd, min(length, size - start), start)
        end = data.rfind(b"\n") + 1
        if end or len(data) < length:
            return scan(data, first_seq, start), start + end
        length *= 4  # one line longer than that
