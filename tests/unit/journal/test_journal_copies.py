"""A copy of a journal that is written elsewhere, interrupted in any way: a prefix of whole lines, at every moment."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from isengard.core.errors import Conflict, StorageError
from isengard.events.models import EventName
from isengard.journal import JournalCursor, JournalReader, index_file
from isengard.journal.replica import JournalReplica
from standins.journals import JOB, new_job, writer

SIZES = st.sampled_from([0, 1, 50, 3000, 200_000])


class CopyMachine(RuleBasedStateMachine):
    """An original, its copy, and a reader of the copy that must never see what is not in the original."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="copies-"))
        self.origin = new_job(self.root / "origin")
        self.paths = new_job(self.root / "copy")
        self.journal = writer(self.origin)
        self.copy: JournalReplica | None = JournalReplica(self.paths)
        self.reader = JournalReader(self.paths)
        self.cursor = JournalCursor(self.paths)
        self.seen: list[bytes] = []

    def teardown(self) -> None:
        self.journal.close()
        self.stop()
        self.cursor.close()
        shutil.rmtree(self.root)

    def stop(self) -> None:
        if self.copy is not None:
            self.copy.close()
            self.copy = None

    def start(self) -> JournalReplica:
        if self.copy is None:
            self.copy = JournalReplica(self.paths)
        return self.copy

    def lines(self) -> list[bytes]:
        return self.origin.journal.read_bytes().splitlines() if self.origin.journal.exists() else []

    @rule(size=SIZES, count=st.sampled_from([1, 1, 7]), event=st.sampled_from([EventName.LOG, EventName.TRAINING_STEP]))
    def write(self, size: int, count: int, event: EventName) -> None:
        for number in range(count):
            self.journal.append(event, "ü\u2028 " * (size // 5), {"step": number})

    @rule(back=st.integers(0, 9), count=st.integers(0, 12))
    def deliver(self, back: int, count: int) -> None:
        copy = self.start()
        begin = max(0, copy.last_seq - back)
        some = self.lines()[begin : begin + count]
        assert copy.take(some) == max(0, begin + len(some) - copy.last_seq) or copy.last_seq == begin + len(some)

    @rule(ahead=st.integers(1, 5))
    def deliver_too_early(self, ahead: int) -> None:
        copy = self.start()
        before = copy.last_seq
        if some := self.lines()[before + ahead :]:
            with pytest.raises(Conflict):
                copy.take(some)
        assert copy.last_seq == before

    @rule(room=st.integers(0, 5000), count=st.integers(1, 6))
    def run_out_of_room(self, room: int, count: int) -> None:
        """The disk takes so many bytes and no more."""
        copy = self.start()
        before, left, real = copy.last_seq, room, os.write

        def full(fd: int, data: bytes) -> int:
            nonlocal left
            if left <= 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            written = real(fd, data[:left])
            left -= written
            self.look()  # whoever reads does so at any moment
            return written

        some = self.lines()[before : before + count]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "write", full)
            try:
                copy.take(some)
            except StorageError:
                assert sum(len(each) + 1 for each in some) > room

    @rule(torn=st.integers(0, 300))
    def die(self, torn: int) -> None:
        """Killed in the middle of a write."""
        copy = self.start()
        following = self.lines()[copy.last_seq : copy.last_seq + 1]
        self.stop()
        if following:
            with self.paths.journal.open("ab") as file:
                file.write(following[0][:torn])

    @rule()
    def restart(self) -> None:
        self.stop()
        self.start()

    @rule()
    def look(self) -> None:
        self.seen += self.cursor.read_new()
        assert not self.cursor.gone
        assert self.lines()[: len(self.seen)] == self.seen

    @invariant()
    def a_prefix(self) -> None:
        data = self.paths.journal.read_bytes() if self.paths.journal.exists() else b""
        whole = data[: data.rfind(b"\n") + 1]
        assert self.origin.journal.read_bytes().startswith(whole)
        assert self.reader.last_seq() == whole.count(b"\n")
        entries = self.reader.page(limit=1000).entries
        assert [(each.seq, each.job_id) for each in entries] == [(seq, JOB) for seq in range(1, len(entries) + 1)]


def test_a_copy_is_a_prefix_of_the_original_whatever_interrupts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_file, "WORTH_KEEPING", 4)
    small: Any = settings(max_examples=30, stateful_step_count=25, deadline=None)
    run_state_machine_as_test(CopyMachine, settings=small)
