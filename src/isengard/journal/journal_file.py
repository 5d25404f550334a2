"""The file of a journal under its writer's lock: whole lines, their count, their safety on disk, their index.

Shared by those who make lines (`writer.py`) and those who copy them from elsewhere (`replica.py`). Does not look into
lines.

When a line was put, it is in the file: it outlives the process. It outlives a power cut once it is synced, which
happens within `SYNC_INTERVAL_S` on a thread of its own, or at once by `sync`. What a power cut can cost is therefore
the lines of the last `SYNC_INTERVAL_S`; those before them are whole.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable

from isengard.core.errors import StorageError
from isengard.core.paths import JobPaths
from isengard.journal import index_file
from isengard.journal.append_file import AppendFile, sync_folder
from isengard.journal.background_task import BackgroundTask
from isengard.journal.index_writer import IndexWriter
from isengard.journal.repair import repair
from isengard.journal.writer_lock import WriterLock

_log = logging.getLogger(__name__)

SYNC_INTERVAL_S = 1.0
"""Lines are on the disk itself at most about so many seconds after they were written."""
INDEX_BATCH = 8192
"""After so many lines, or when it syncs, the index file follows. Batches are large because they compete with the
training for the interpreter; readers do not wait for them."""


class JournalFile:
    """A journal's file, open for appending. Sets a torn end aside before anything else.

    Args:
        on_fault: Called once, without a lock held, when the disk refuses to confirm lines.

    Attributes:
        writing: Hold it from asking for `last_seq` until `put` is done.
        last_seq: Number of the last line.
        fault: What the disk said when it refused to confirm lines; they may be lost in a power cut.

    Raises:
        JournalLocked: Another process writes this journal; the detail names it.
        StorageError: The folder or disk refuses.
    """

    def __init__(self, paths: JobPaths, on_fault: Callable[[str], None]) -> None:
        self._paths = paths
        self._on_fault = on_fault
        with contextlib.ExitStack() as undo:
            self._lock = WriterLock(paths)
            undo.callback(self._lock.release)
            self._file = AppendFile(paths.journal)
            undo.callback(self._file.close)
            self._is_new = self._file.size == 0
            end = repair(paths, self._file.fd)
            index_file.drop_if_ahead(paths, end.seq)
            undo.pop_all()
        self._file.size = end.size
        self.last_seq = self._synced_seq = end.seq
        self.writing = threading.Lock()
        self.fault: str | None = None
        self._index = IndexWriter(paths, self._file.fd)
        self._background = BackgroundTask(self._look_after, SYNC_INTERVAL_S)
        self._is_closed = False

    def put(self, line: bytes) -> None:
        """Append a whole line. Raises `StorageError`; then nothing of it is in the file."""
        self._file.append(line)
        before = self.last_seq
        self.last_seq = before + 1
        if before // INDEX_BATCH != self.last_seq // INDEX_BATCH:
            self._background.nudge()
        elif before == self._synced_seq:
            self._background.expect()

    def sync(self) -> None:
        """Wait until all lines are on the disk itself; raises `StorageError`, and does so again once it had to."""
        seq = self.last_seq
        try:
            self._file.sync()
            if self._is_new:
                self._sync_names()
        except StorageError as error:
            self._note_fault(error.detail)
            raise
        self._synced_seq = max(self._synced_seq, seq)

    def _sync_names(self) -> None:
        """A new file is safe only once its name is, and that of its folder."""
        try:
            sync_folder(self._paths.root)
            sync_folder(self._paths.root.parent)
        except OSError as error:
            raise StorageError(f"{self._paths.root} is not safe on its disk: {error.strerror}") from error
        self._is_new = False

    def _note_fault(self, detail: str) -> None:
        if self.fault is None:
            self.fault = detail
            _log.error("%s; a power cut may lose the lines behind number %d", detail, self._synced_seq)
            self._on_fault(detail)

    def _look_after(self) -> None:
        """What the thread does: index first, which a sync does not touch, then sync if there is something new."""
        with self.writing:
            seq, size = self.last_seq, self._file.size
        self._index.catch_up(seq, size)
        if seq > self._synced_seq and self.fault is None:
            with contextlib.suppress(StorageError):  # noted in `fault` and told by `on_fault`
                self.sync()

    def close(self) -> None:
        """Sync, let go of the file and of the right to write. Whether the sync worked is in `fault`."""
        if self._is_closed:
            return
        self._is_closed = True
        with contextlib.ExitStack() as steps:  # whatever one of them meets, the next writer must not find it locked
            for step in (self._lock.release, self._file.close, self._index.close, self._background.stop):
                steps.callback(step)
