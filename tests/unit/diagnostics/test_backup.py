"""Backups and their restoring: what is in them, and what is refused in words."""

from __future__ import annotations

import contextlib
import io
import json
import os
import secrets
import sqlite3
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from isengard.core.access.roles import Role
from isengard.core.access.tokens import TokenFile
from isengard.core.errors import Conflict, InvalidInput, NotFound, StorageError
from isengard.core.settings import Settings
from isengard.datasets.intake import Intake
from isengard.datasets.limits import Limits
from isengard.datasets.uploads import IncomingFile
from isengard.diagnostics.backup import write_backup
from isengard.diagnostics.backup_contents import Choice
from isengard.diagnostics.restore import restore_backup
from isengard.execution import control
from isengard.jobs.leases import Holder
from isengard.jobs.models import Job, JobStatus
from isengard.jobs.store import Store, open_store
from isengard.journal import JournalReader
from standins.api_server import png
from standins.jobs_and_characters import add_character
from standins.small_disk import small_disk


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(data_dir=tmp_path / "data")
    made.paths.prepare()
    return made


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with contextlib.closing(open_store(settings)) as made:
        yield made


@pytest.fixture
def secret() -> str:
    return secrets.token_urlsafe(24)


@pytest.fixture
def job(settings: Settings, store: Store, secret: str) -> Job:
    """A queued job of a character with an image and a LoRA, with every kind of file beside it."""
    character = add_character(store)
    image = IncomingFile("ä b.png", io.BytesIO(png()))
    Intake(store, settings.paths, Limits.of(settings)).ingest(character.id, [image])
    settings.paths.loras(character.id).mkdir(parents=True)
    (settings.paths.loras(character.id) / "pip.safetensors").write_bytes(b"lora")
    made, _ = control.submit(
        settings, store, character_id=character.id, trainer="mock", config={"steps": 9}, secrets={"HF_TOKEN": secret}
    )
    paths = settings.paths.job(made.id)
    paths.dataset.mkdir()
    for path in (
        *(paths.samples / "step_1.png", paths.checkpoints / "step_1.safetensors", paths.checkpoints / ".partial-x"),
        *(paths.trainer / "out" / "a.safetensors", paths.inbox / "cancel", paths.dataset / "1.png", paths.index),
        *(paths.requests / "stop", paths.output, paths.position("otlp"), settings.paths.run / "wake"),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"some\n")
    (paths.root / "link").symlink_to("/etc/hostname")
    return made


def held(archive: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def elsewhere(settings: Settings) -> Settings:
    return Settings(data_dir=settings.data_dir.parent / "elsewhere")


def test_everything_that_lasts_is_in_it_and_nothing_else(settings: Settings, job: Job, tmp_path: Path) -> None:
    write_backup(settings, tmp_path / "b.zip", Choice())
    folder = f"logs/jobs/{job.id}"
    assert set(held(tmp_path / "b.zip")) == {
        *("backup.json", "isengard.db"),
        *(f"uploads/{job.character_id}/ä b.png", f"loras/{job.character_id}/pip.safetensors"),
        *(f"{folder}/events.jsonl", f"{folder}/otlp.position", f"{folder}/samples/step_1.png"),
        *(f"{folder}/checkpoints/step_1.safetensors", f"{folder}/trainer/out/a.safetensors"),
        f"{folder}/trainer/output.log",
    }
    assert (tmp_path / "b.zip").stat().st_mode & 0o777 == 0o600
    assert set(os.listdir(tmp_path)) == {"data", "b.zip"}


def test_samples_and_checkpoints_can_be_left_out(settings: Settings, job: Job, tmp_path: Path) -> None:
    write_backup(settings, tmp_path / "b.zip", Choice(samples=False, checkpoints=False))
    left = [name for name in held(tmp_path / "b.zip") if f"jobs/{job.id}" in name]
    assert sorted(Path(name).name for name in left) == ["events.jsonl", "otlp.position", "output.log"]


def test_secrets_and_tokens_are_in_it_only_where_they_are_asked_for(
    settings: Settings, job: Job, secret: str, tmp_path: Path
) -> None:
    TokenFile(settings.paths).create("boss", Role.OPERATOR)
    write_backup(settings, tmp_path / "without.zip", Choice())
    assert not any(secret.encode() in content for content in held(tmp_path / "without.zip").values())
    restored = restore_backup(elsewhere(settings), tmp_path / "without.zip")
    assert (restored.without_secrets, restored.has_tokens) == ([job.id], False)

    write_backup(settings, tmp_path / "with.zip", Choice(secrets=True))
    again = Settings(data_dir=tmp_path / "again")
    restored = restore_backup(again, tmp_path / "with.zip")
    assert (restored.without_secrets, restored.has_tokens) == ([], True)
    assert json.loads(again.paths.job_secrets(job.id).read_text()) == {"HF_TOKEN": secret}
    assert again.paths.job_secrets(job.id).stat().st_mode & 0o777 == 0o600
    assert again.paths.secrets.stat().st_mode & 0o777 == 0o700


def test_a_journal_is_copied_up_to_its_last_whole_line(settings: Settings, job: Job, tmp_path: Path) -> None:
    journal = settings.paths.job(job.id).journal
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"seq":3,"ts":"2026')
    write_backup(settings, tmp_path / "b.zip", Choice())
    assert held(tmp_path / "b.zip")[f"logs/jobs/{job.id}/events.jsonl"] == whole
    journal.write_bytes(b"x" * 600_000)
    write_backup(settings, tmp_path / "c.zip", Choice())
    assert held(tmp_path / "c.zip")[f"logs/jobs/{job.id}/events.jsonl"] == b""


def test_a_trainers_database_is_copied_with_what_still_lies_in_its_log(
    settings: Settings, job: Job, tmp_path: Path
) -> None:
    path = settings.paths.job(job.id).trainer / "loss_log.db"
    (settings.paths.job(job.id).trainer / "called.db").write_bytes(b"no database")
    with contextlib.closing(sqlite3.connect(path)) as writing:
        writing.execute("PRAGMA journal_mode=WAL")
        writing.execute("CREATE TABLE steps (step INTEGER)")
        writing.execute("INSERT INTO steps VALUES (7)")
        writing.commit()
        write_backup(settings, tmp_path / "b.zip", Choice())
    files = held(tmp_path / "b.zip")
    (tmp_path / "copy.db").write_bytes(files[f"logs/jobs/{job.id}/trainer/loss_log.db"])
    with contextlib.closing(sqlite3.connect(tmp_path / "copy.db")) as reading:
        assert reading.execute("SELECT step FROM steps").fetchall() == [(7,)]
    assert files[f"logs/jobs/{job.id}/trainer/called.db"] == b"no database"


def test_a_restored_folder_is_the_same_but_for_what_only_lived(
    settings: Settings, store: Store, job: Job, tmp_path: Path
) -> None:
    store.register_worker(Holder.here(settings.data_dir))
    write_backup(settings, tmp_path / "b.zip", Choice())
    target = elsewhere(settings)
    restored = restore_backup(target, tmp_path / "b.zip")
    assert (restored.jobs, restored.queued, restored.interrupted) == (1, 1, [])
    for name, content in held(tmp_path / "b.zip").items():
        if name not in ("backup.json", "isengard.db"):
            assert (target.data_dir / name).read_bytes() == content
    with contextlib.closing(open_store(target)) as opened:
        assert opened.workers() == []
        assert opened.get_job(job.id) == store.get_job(job.id)
        assert opened.list_characters() == store.list_characters()


def test_a_job_that_ran_is_told_as_interrupted(settings: Settings, store: Store, job: Job, tmp_path: Path) -> None:
    worker = store.register_worker(Holder.here(settings.data_dir))
    assert store.claim(worker) is not None
    write_backup(settings, tmp_path / "b.zip", Choice())
    target = elsewhere(settings)
    assert restore_backup(target, tmp_path / "b.zip").interrupted == [job.id]
    last = JournalReader(target.paths.job(job.id)).read()[-1]
    assert (last.event, last.fields["error_type"]) == ("job.failed", "Interrupted")
    with contextlib.closing(open_store(target)) as opened:
        assert opened.get_job(job.id).status is JobStatus.FAILED
    assert store.get_job(job.id).status is JobStatus.RUNNING


def test_a_job_that_the_database_has_not_heard_of_is_made_from_its_journal(
    settings: Settings, store: Store, job: Job, tmp_path: Path
) -> None:
    write_backup(settings, tmp_path / "b.zip", Choice())
    store.transition(job.id, JobStatus.CANCELLED)
    store.delete_job(job.id)
    store.close()  # what is in its log goes to its file
    with zipfile.ZipFile(tmp_path / "b.zip") as old, zipfile.ZipFile(tmp_path / "later.zip", "w") as new:
        for name in old.namelist():
            new.writestr(name, settings.paths.database.read_bytes() if name == "isengard.db" else old.read(name))
    target = elsewhere(settings)
    restore_backup(target, tmp_path / "later.zip")
    with contextlib.closing(open_store(target)) as opened:
        assert opened.get_job(job.id).status is JobStatus.QUEUED


def test_nothing_is_written_over(settings: Settings, store: Store, job: Job, tmp_path: Path) -> None:
    target = tmp_path / "b.zip"
    target.write_bytes(b"mine")
    with pytest.raises(Conflict, match=r"b\.zip is there already"):
        write_backup(settings, target, Choice())
    assert target.read_bytes() == b"mine"
    with pytest.raises(InvalidInput, match="lies in the data folder itself"):
        write_backup(settings, settings.data_dir / "b.zip", Choice())
    write_backup(settings, tmp_path / "good.zip", Choice())
    with pytest.raises(Conflict, match="data is there already; move it away"):
        restore_backup(settings, tmp_path / "good.zip")
    store.register_worker(Holder.here(settings.data_dir))
    with pytest.raises(Conflict, match=rf"in use: a worker \(process {os.getpid()}\) runs on it"):
        restore_backup(settings, tmp_path / "good.zip")
    elsewhere(settings).data_dir.mkdir()  # an empty folder is as good as none
    restore_backup(elsewhere(settings), tmp_path / "good.zip")


@pytest.mark.parametrize(
    "name",
    [
        *("../evil", "logs/../../evil", "/etc/evil", "uploads//evil", "uploads/./evil", "uploads\\..\\evil"),
        *("logs/jobs/../x", "logs/jobs/x/events.jsonl", "logs/jobs/train-1", "run/wake", "evil.txt"),
        *("uploads/a\nb", "uploads/\u202ee"),
    ],
)
def test_a_file_that_no_backup_holds_keeps_all_of_it_out(
    settings: Settings, job: Job, tmp_path: Path, name: str
) -> None:
    archive = tmp_path / "b.zip"
    write_backup(settings, archive, Choice())
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr(name, b"evil")
    _refused(settings, archive, "which no backup of Isengard does; nothing was restored")


def test_a_link_or_a_file_twice_keeps_all_of_it_out(settings: Settings, job: Job, tmp_path: Path) -> None:
    write_backup(settings, tmp_path / "b.zip", Choice())
    whole = (tmp_path / "b.zip").read_bytes()
    link = zipfile.ZipInfo("uploads/link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "b.zip", "a") as file:
        file.writestr(link, "/etc/passwd")
    _refused(settings, tmp_path / "b.zip", "'uploads/link', which no backup of Isengard does")
    (tmp_path / "c.zip").write_bytes(whole)
    with zipfile.ZipFile(tmp_path / "c.zip", "a") as file, pytest.warns(UserWarning, match="Duplicate name"):
        file.writestr("isengard.db", b"another")
    _refused(settings, tmp_path / "c.zip", "holds a file twice")


def test_what_is_no_whole_backup_is_refused_in_words(settings: Settings, job: Job, tmp_path: Path) -> None:
    write_backup(settings, tmp_path / "b.zip", Choice())
    whole = (tmp_path / "b.zip").read_bytes()
    torn = tmp_path / "torn.zip"
    for content in (b"", b"hello", whole[:-1000], whole[: len(whole) // 2]):
        torn.write_bytes(content)
        _refused(settings, torn, "is no backup of Isengard, or not a whole one")
    torn.write_bytes(whole.replace(b"some\n", b"same\n", 1))
    _refused(settings, torn, "is no backup of Isengard, or not a whole one")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as file:
        file.writestr("a.txt", b"hello")
    _refused(settings, tmp_path / "other.zip", r"it holds no whole backup\.json")
    with pytest.raises(NotFound, match=r"there is no file .*nothing\.zip"):
        restore_backup(elsewhere(settings), tmp_path / "nothing.zip")


@pytest.mark.parametrize("change", [{"format": 2}, {"revision": "9999"}])
def test_a_backup_of_a_newer_version_says_so(
    settings: Settings, job: Job, tmp_path: Path, change: dict[str, object]
) -> None:
    write_backup(settings, tmp_path / "b.zip", Choice())
    files = held(tmp_path / "b.zip")
    with zipfile.ZipFile(tmp_path / "newer.zip", "w") as file:
        file.writestr("backup.json", json.dumps(json.loads(files["backup.json"]) | change | {"isengard": "9.9"}))
    _refused(settings, tmp_path / "newer.zip", r"made by a newer Isengard \(9\.9\); upgrade this one")


def _refused(settings: Settings, archive: Path, words: str) -> None:
    before = set(archive.parent.iterdir())
    with pytest.raises(InvalidInput, match=words):
        restore_backup(elsewhere(settings), archive)
    assert set(archive.parent.iterdir()) == before, "something is left"


def test_a_full_disk_leaves_neither_half_a_backup_nor_half_a_folder(
    settings: Settings, job: Job, tmp_path: Path
) -> None:
    ballast = settings.paths.job(job.id).checkpoints / "step_2.safetensors"
    ballast.write_bytes(secrets.token_bytes(600_000))
    write_backup(settings, tmp_path / "b.zip", Choice())
    with small_disk(tmp_path / "disk", 512) as disk:
        with pytest.raises(StorageError, match="No space left on device"):
            write_backup(settings, disk / "b.zip", Choice())
        with pytest.raises(StorageError, match=r"the backup needs 1 MiB, but only 0 MiB are free"):
            restore_backup(Settings(data_dir=disk / "data"), tmp_path / "b.zip")
        assert list(disk.iterdir()) == []
