"""A position in a journal: gives the lines behind it, each once, in order. Only whole lines count as there.

Reads nothing but the file, from any process, while another writes. Does not wait; `follow.py` does.
"""

from __future__ import annotations

import os
from types import TracebackType
from typing import Self

from isengard.core.paths import JobPaths
from isengard.journal.locate import offset_after

_PIECE = 256 * 1024


class JournalCursor:
    """Stands behind a line.

    Args:
        after: Number of the line to stand behind; 0 for the beginning. It may lie beyond the end: lines up to it that
            are yet to be written are passed over.

    Attributes:
        position: Number of the last line that was given (or passed over).
        gone: The journal was removed, or cut by force: nothing will ever follow here.
    """

    def __init__(self, paths: JobPaths, after: int = 0) -> None:
        self._paths = paths
        self._fd = -1
        self._offset = 0
        self._after = after
        self.position = 0
        self.gone = False

    def read_new(self, max_bytes: int = _PIECE) -> list[bytes]:
        """The next lines, without their line feeds: about `max_bytes` of them, or one line however long it is.

        Raises:
            OSError: The file cannot be read.
        """
        if self._fd < 0 and not self._open():
            return []
        while lines := self._read_lines(max_bytes):
            first = self.position + 1
            self.position += len(lines)
            if first > self._after:
                return lines
            if self.position > self._after:
                return lines[self._after - first + 1 :]
        return []

    def _open(self) -> bool:
        try:
            self._fd = os.open(self._paths.journal, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        self.position, self._offset = offset_after(self._paths, self._fd, self._after)
        return True

    def _read_lines(self, max_bytes: int) -> list[bytes]:
        if self._offset and os.pread(self._fd, 1, self._offset - 1) != b"\n":  # cut, and other lines in its place
            self.gone = True
            return []
        data = os.pread(self._fd, max_bytes, self._offset)
        end = data.rfind(b"\n")
        while end < 0 and len(data) == max_bytes:  # a line longer than that
            max_bytes *= 4
            data = os.pread(self._fd, max_bytes, self._offset)
            end = data.rfind(b"\n")
        if end < 0:
            self._check()
            return []
        self._offset += end + 1
        return data[:end].split(b"\n")

    def _check(self) -> None:
        state = os.fstat(self._fd)
        self.gone = state.st_nlink == 0 or state.st_size < self._offset

    def close(self) -> None:
        """Close the file; the cursor is of no more use."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
