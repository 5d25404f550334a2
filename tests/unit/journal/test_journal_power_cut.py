"""What a power cut can leave of a journal: any mix of what was synced, what was not, and zeros in between.

The fault tests cut the power of a simulated disk under real processes; this draws many more states, of the file alone.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isengard.core.paths import JobPaths
from isengard.events.models import EventName
from isengard.journal import append_file
from standins.journals import new_job, numbers_in, writer

BLOCK = 512


@dataclass
class Disk:
    """What a journal's file was told, in order, and how much of it is safe: what a power cut chooses from."""

    content: bytearray = field(default_factory=bytearray)
    moments: list[tuple[int, int, int]] = field(default_factory=list)
    """After each append that returned: number of the line, bytes written, bytes that are synced."""
    synced: int = 0

    def after_power_cut(self, draw: st.DataObject) -> tuple[bytes, int, int]:
        """A state the file may be found in, the number of lines that had to survive, and of those appended."""
        seq, written, synced = draw.draw(st.sampled_from(self.moments))
        size = draw.draw(st.integers(synced, written))  # the length may have reached the disk or not
        found = bytearray(self.content[:size])
        first_block = -(-synced // BLOCK)
        blocks = range(first_block, -(-size // BLOCK))
        for block in draw.draw(st.sets(st.sampled_from(blocks), max_size=4)) if blocks else ():
            end = min(size, (block + 1) * BLOCK)  # its data had not; the file system shows zeros
            found[block * BLOCK : end] = bytes(end - block * BLOCK)
        return bytes(found), bytes(self.content[:synced]).count(b"\n"), seq


def recorded(paths: JobPaths, patch: pytest.MonkeyPatch) -> Disk:
    """A run of the real writer on a disk that notes what is written and what is synced."""
    disk = Disk()
    write, sync = os.write, append_file.sync_data

    def noting_write(fd: int, data: bytes) -> int:
        written = write(fd, data)
        if os.fstat(fd).st_ino == inode:
            disk.content += data[:written]
        return written

    def noting_sync(fd: int) -> None:
        reached = len(disk.content)
        sync(fd)
        disk.synced = max(disk.synced, reached)

    with writer(paths) as journal:
        inode = paths.journal.stat().st_ino
        patch.setattr(os, "write", noting_write)
        patch.setattr(append_file, "sync_data", noting_sync)
        for number in range(1, 121):
            event = EventName.TRAINING_CHECKPOINT if number % 40 == 0 else EventName.TRAINING_STEP
            seq = journal.append(event, "x" * (number * 13 % 300), {"step": number})
            if number % 25 == 0:
                journal.sync()  # as the caretaker thread does in its time
            disk.moments.append((seq, len(disk.content), disk.synced))
        patch.undo()
    return disk


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Disk:
    with pytest.MonkeyPatch.context() as patch:
        return recorded(new_job(tmp_path_factory.mktemp("recorded")), patch)


def test_a_checkpoint_is_safe_before_append_returns(disk: Disk) -> None:
    for seq, written, synced in disk.moments:
        if seq % 40 == 0:
            assert synced == written


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(draw=st.data())
def test_a_power_cut_costs_only_lines_that_were_not_synced(
    tmp_path_factory: pytest.TempPathFactory, disk: Disk, draw: st.DataObject
) -> None:
    paths = new_job(tmp_path_factory.mktemp("cut"))
    found, safe, appended = disk.after_power_cut(draw)
    paths.journal.write_bytes(found)
    with writer(paths) as journal:
        survived = journal.last_seq
        journal.append(EventName.LOG, "after the power cut")
    assert safe <= survived <= appended
    assert numbers_in(paths) == list(range(1, survived + 2))
    kept = paths.journal.read_bytes()
    last = kept.rindex(b"\n", 0, -1) + 1 if survived else 0
    assert bytes(disk.content).startswith(kept[:last])  # a true prefix of what was written
    aside = paths.torn.read_bytes() if paths.torn.exists() else b""
    assert found[last:] in aside  # and the rest is still there for people
