"""Faults 6 to 9: what a kill inside a write, a power cut and a lying disk leave of the journal and the database.

A shim under the real processes (`disk_shim.c`) records every write and sync, refuses syncs, or pulls the plug halfway
through a write; `platter.py` makes from the record what a power cut could have left at any moment.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from faults.checker import check_end, check_journal, check_viewer, whole_journal
from faults.platter import Act, Platter, acts
from faults.shims import compiled, recorded
from faults.site import site
from isengard.core.paths import DataDir
from isengard.core.redaction import Redactor
from isengard.core.settings import Settings
from isengard.events.models import EventName
from isengard.execution import reconcile, worker_lease
from isengard.execution.job_supervisor import JobSupervisor
from isengard.execution.launcher_local import LocalLauncher
from isengard.jobs.models import JobStatus
from isengard.jobs.store import Store, open_store
from isengard.journal import JournalReader, JournalWriter
from standins.workbench import eventually, workbench

WRITER = Path(__file__).with_name("writer.py")
CLERK = Path(__file__).with_name("clerk.py")


@pytest.fixture(scope="session")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled("disk", tmp_path_factory.mktemp("shim"))


def write(folder: Path, count: int, pause_s: float = 0.0, *more: str, **environment: str) -> subprocess.Popen[bytes]:
    argv = [sys.executable, str(WRITER), str(folder), str(count), str(pause_s), *more]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, env={**os.environ, **environment})


def answers(writer: subprocess.Popen[bytes]) -> list[int]:
    """What the writer said `append` returned for, to its end."""
    said = writer.communicate(timeout=60)[0]
    return [int(line) for line in said.split(b"\n")[:-1] if line != b"!"]


def test_fault_06_runner_killed_inside_a_journal_write_loses_no_event(disk: Path, tmp_path: Path) -> None:
    tear = tmp_path / "tear"
    shim = {"LD_PRELOAD": str(disk), "FAULT_FOLDER": str(tmp_path / "data"), "FAULT_TEAR": str(tear)}
    with site(tmp_path, environment=shim) as running:
        emission = running.emit(count=100_000, pause_s=0.001)
        emission.wait_for(100)
        tear.write_text("events.jsonl 150")
        failed, lines = running.conclude(emission)
        assert (failed.status, failed.error_type) == (JobStatus.FAILED, "RunnerDied")
        assert lines[-1]["service"] == "worker"
        paths = running.bench.paths(failed)
        note, torn = paths.torn.read_bytes().split(b"\n")[:2]
    assert json.loads(note)["bytes"] == len(torn) == 150
    assert torn.startswith(b'{"seq":'), "the half line is not what was set aside"


def test_fault_06_a_line_torn_at_any_byte_is_set_aside_and_numbering_goes_on(
    disk: Path, tmp_path: Path, rounds: int
) -> None:
    tear = tmp_path / "tear"
    shim = {"LD_PRELOAD": str(disk), "FAULT_FOLDER": str(tmp_path), "FAULT_TEAR": str(tear)}
    journal = DataDir(tmp_path).job("train-written").journal
    acknowledged: list[int] = []
    for number in range(rounds):
        tear.write_text(f"events.jsonl {(1, 9, 60, 200, 10_000)[number % 5]}")  # the last: all but the line feed
        dying = write(tmp_path, 10_000, **shim)
        acknowledged += answers(dying)
        assert dying.returncode == -9
        assert not journal.read_bytes().endswith(b"\n")
        acknowledged += answers(write(tmp_path, len(acknowledged) + 20))
    lines = whole_journal(journal)
    assert acknowledged == [line["seq"] for line in lines] == [line["fields"]["emitted"] for line in lines]
    assert journal.with_name("events.torn").read_bytes().count(b"torn_at") == rounds


def test_fault_07_power_cut_leaves_a_valid_prefix_that_holds_every_synced_line(
    disk: Path, tmp_path: Path, rounds: int
) -> None:
    source, record = tmp_path / "source", tmp_path / "record"
    source.mkdir()
    done = answers(write(source, 2000, 0.0005, "300", **recorded(disk, source, record)))
    assert done == list(range(1, 2001))
    whole = DataDir(source).job("train-written").journal.read_bytes()
    history = acts(record)
    dice = random.Random(7)
    lost: set[int] = set()
    kept_promises = 0
    for number in range(8 * rounds):
        moment = dice.randint(1, len(history))
        platter = Platter(source)
        for act in history[:moment]:
            platter.apply(act)
        left = tmp_path / f"left-{number}"
        platter.cut(left, dice)
        kept = _open_again(left, whole)
        promised = _synced_lines(history[:moment])
        assert kept >= promised, f"{promised} lines were synced, {kept} are left"
        kept_promises += promised > 0
        lost.add(_written_lines(history[:moment]) - kept)
    assert max(lost) > 0, "no cut cost a line: the disk was not simulated"
    assert kept_promises > 4 * rounds, "hardly a cut came after a sync: nothing was promised"


def _open_again(folder: Path, whole: bytes) -> int:
    """Open what is left, check that it is a prefix, go on writing; how many lines were left."""
    paths = DataDir(folder).job("train-written")
    paths.make()
    with JournalWriter.open(paths, service="worker", redactor=Redactor(), correlation_id="c") as journal:
        kept = journal.last_seq
        assert whole.startswith(paths.journal.read_bytes()), "what is left is no prefix of what was written"
        assert journal.append(EventName.LOG, "after the cut") == kept + 1
    lines = whole_journal(paths.journal)
    reader = JournalReader(paths)  # the index, which may be from before, after or in between, must not mislead it
    assert [entry.seq for entry in reader.read(limit=10_000)] == [line["seq"] for line in lines]
    assert reader.page(search="after the cut", limit=5).entries[0].seq == kept + 1
    return kept


def _synced_lines(history: list[Act]) -> int:
    """Lines that some call has waited for: it returns once they are safe, and the new file's name as well."""
    journal = next((act.path for act in history if "events.jsonl" in act.path), "")
    if not any(act.kind == "s" and act.path == os.path.dirname(journal) for act in history):
        return 0
    synced = max((at for at, act in enumerate(history) if act.kind == "s" and "events.jsonl" in act.path), default=-1)
    return _written_lines(history[: synced + 1])


def _written_lines(history: list[Act]) -> int:
    return sum(act.data.count(b"\n") for act in history if act.kind == "w" and "events.jsonl" in act.path)


def test_fault_07_a_checkpoint_line_is_synced_before_append_returns_and_others_within_a_second(
    disk: Path, tmp_path: Path
) -> None:
    """The documented window, read off the record: after a checkpoint's line a sync comes before the next line."""
    record = tmp_path / "record"
    folder = tmp_path / "data"
    folder.mkdir()
    answers(write(folder, 60, 0.1, "20", **recorded(disk, folder, record)))
    journal = [act for act in acts(record) if act.path.endswith("events.jsonl")]
    for number in (20, 40, 60):
        line = next(at for at, act in enumerate(journal) if b'"emitted":%d,' % number in act.data)
        assert journal[line + 1].kind == "s", f"line {number} was acknowledged before it was synced"
    between = [act.kind for act in journal]
    assert between.count("s") >= 4, "the lines between the checkpoints waited for more than a second"


def test_fault_08_power_cut_in_a_commit_opens_again_and_the_journal_mends_the_status(
    disk: Path, tmp_path: Path, rounds: int
) -> None:
    folder, record = tmp_path / "data", tmp_path / "record"
    with workbench(folder) as bench:
        character = bench.character.id
    platter_files = [path for path in folder.rglob("*") if path.is_file()]
    base = {path: path.read_bytes() for path in platter_files}
    argv = [sys.executable, str(CLERK), str(folder), character]
    subprocess.run(argv, check=True, timeout=120, env={**os.environ, **recorded(disk, folder, record)})
    history = acts(record)
    dice = random.Random(8)
    statuses: set[str] = set()
    for number in range(3 * rounds):
        moment = dice.randint(1, len(history))
        platter = Platter(folder)
        for path, data in base.items():
            platter.keep(path, data)
        for act in history[:moment]:
            platter.apply(act)
        left = tmp_path / f"left-{number}"
        platter.cut(left, dice)
        statuses |= _mended(left, _confirmed(history[:moment]))
    assert {"queued", "completed", "cancelled"} <= statuses, "the cuts missed what they are for"


def _confirmed(history: list[Act]) -> dict[str, str]:
    """What the clerk was told has happened: the last status of each job."""
    said = b"".join(act.data for act in history if act.kind == "w" and act.path.endswith("/confirmed"))
    return dict(line.split() for line in said.decode().splitlines())


def _mended(folder: Path, confirmed: dict[str, str]) -> set[str]:
    settings = Settings(data_dir=folder)
    settings.paths.prepare()
    store = open_store(settings)
    try:
        _mend(settings, store)
        for job_id, status in confirmed.items():
            job, paths = store.get_job(job_id), settings.paths.job(job_id)
            with JournalWriter.open(paths, service="worker", redactor=Redactor(), correlation_id="c"):
                lines = whole_journal(paths.journal)  # what was torn is set aside by whoever writes next
            if JobStatus(status).is_terminal:
                assert job.status == status, f"{job_id} was {status}, the store says {job.status}"
                check_end(lines, status)
            else:  # the next word may have reached the disk without having been confirmed
                assert lines[0]["event"] == "job.created"
        return {job.status.value for job in store.list_jobs(limit=500).jobs}
    finally:
        store.close()


def _mend(settings: Settings, store: Store) -> None:
    taken = worker_lease.take(settings, store)
    assert taken is not None
    reconcile.reconcile(
        settings, store, JobSupervisor(settings, store, taken, LocalLauncher(settings), lambda job, fold: None)
    )


@pytest.fixture
def refusal(tmp_path: Path) -> Path:
    return tmp_path / "eio"


def test_fault_09_a_failed_fsync_is_told_and_never_called_a_success(disk: Path, tmp_path: Path, refusal: Path) -> None:
    folder, record = tmp_path / "data", tmp_path / "record"
    folder.mkdir()
    script = textwrap.dedent(f"""
        from pathlib import Path
        from isengard.core.errors import StorageError
        from isengard.core.paths import DataDir
        from isengard.core.redaction import Redactor
        from isengard.journal import JournalWriter
        eio = Path({str(refusal)!r})
        paths = DataDir(Path({str(folder)!r})).job("train-written")
        paths.make()
        journal = JournalWriter.open(paths, service="runner", redactor=Redactor(), correlation_id="c")
        journal.append("log", "before")
        journal.sync()
        eio.write_text("events.jsonl")
        journal.append("training.checkpoint", "refused")
        assert journal.fault
        eio.unlink()
        journal.append("training.checkpoint", "after")
        try:
            journal.sync()
        except StorageError as error:
            print(error.detail)
        journal.close()
        print(journal.fault)
    """)
    environment = {**os.environ, **recorded(disk, folder, record), "FAULT_EIO": str(refusal)}
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, env=environment)
    assert done.stdout.count("Input/output error") == 2, "a later sync was called a success"
    lines = whole_journal(DataDir(folder).job("train-written").journal)
    told = [line for line in lines if line["level"] == "ERROR"]
    assert len(told) == 1
    assert "may be lost in a power cut" in told[0]["msg"]
    assert [line["msg"] for line in lines if line["level"] != "ERROR"] == ["before", "refused", "after"]
    syncs = [act for act in acts(record) if act.kind == "s" and act.path.endswith("events.jsonl")]
    assert len(syncs) == 1, "the lost pages were synced again as if they were still there"


def test_fault_09_a_commit_whose_fsync_fails_makes_no_job(disk: Path, tmp_path: Path, refusal: Path) -> None:
    folder = tmp_path / "data"
    with workbench(folder) as bench:
        character = bench.character.id
    refusal.write_text("isengard.db")
    script = textwrap.dedent(f"""
        from pathlib import Path
        from isengard.core.errors import StorageError
        from isengard.core.settings import Settings
        from isengard.execution import control
        from isengard.jobs.store import open_store
        settings = Settings(data_dir=Path({str(folder)!r}))
        store = open_store(settings)
        try:
            control.submit(settings, store, character_id={character!r}, trainer="mock")
        except StorageError as error:
            print(error.detail)
    """)
    environment = {**os.environ, **recorded(disk, folder, tmp_path / "record"), "FAULT_EIO": str(refusal)}
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, env=environment)
    assert "the disk reported an error on the database file" in done.stdout
    store = open_store(Settings(data_dir=folder))
    assert store.list_jobs().jobs == []
    assert list((folder / "logs/jobs").iterdir()) == []
    store.close()


def test_fault_09_a_run_whose_journal_cannot_be_synced_goes_on_and_says_so(
    disk: Path, tmp_path: Path, refusal: Path
) -> None:
    environment = {"LD_PRELOAD": str(disk), "FAULT_FOLDER": str(tmp_path / "data"), "FAULT_EIO": str(refusal)}
    with site(tmp_path, environment=environment) as running:
        emission = running.emit(count=300, pause_s=0.01)
        emission.wait_for(20)
        refusal.write_text("events.jsonl")
        done = running.bench.finish(emission.job)
        assert done.status is JobStatus.COMPLETED
        eventually(lambda: emission.viewer.over, "the viewer being shown the end")
        lines = check_journal(running.bench.paths(done).journal, emission.record)
        check_viewer(emission.viewer.frames, lines)
        assert sum("may be lost in a power cut" in line["msg"] for line in lines) == 1
