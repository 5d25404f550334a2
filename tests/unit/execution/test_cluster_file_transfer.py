"""Files in chunks: what may be asked for, and what becomes of a file that is large, changes or goes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from isengard.execution.cluster.file_transfer import CHUNK_BYTES, Fetcher, GaveUp, SharedFiles
from isengard.execution.cluster.messages import Answer


class DirectMail:
    """Answers from shared files at once; every so often an answer is lost, as Redis may lose one."""

    def __init__(
        self, shared_files: SharedFiles, lose_every: int = 0, before: Callable[[int], None] = lambda number: None
    ) -> None:
        self._shared_files = shared_files
        self._lose_every = lose_every
        self._before = before
        self.asked = 0

    async def ask(self, address: str, kind: str, *, timeout_s: float, **content: Any) -> Answer | None:
        self.asked += 1
        self._before(self.asked)
        if self._lose_every and self.asked % self._lose_every == 0:
            return None
        return self._shared_files.answer(content["name"], content["offset"])


def fetcher(mailbox: DirectMail, wanted: Callable[[], bool] = lambda: True) -> Fetcher:
    return Fetcher(mailbox, "site", {}, wanted)  # type: ignore[arg-type]


@pytest.fixture
def shared_files(tmp_path: Path) -> SharedFiles:
    root = tmp_path / "data"
    for name in ("jobs/a/samples", "jobs/b/samples", "secrets"):
        (root / name).mkdir(parents=True)
        (root / name / "file").write_bytes(name.encode())
    os.symlink(root / "secrets", root / "jobs/a/samples/aside")
    return SharedFiles(root, (root / "jobs/a/samples",))


@pytest.mark.parametrize(
    "name",
    [
        "secrets/file",
        "jobs/b/samples/file",
        "jobs/a/samples/../../../secrets/file",
        "jobs/a/samples/aside/file",
        "/etc/passwd",
        "",
        "jobs/a",
        "jobs/a/samples/missing",
    ],
)
def test_nothing_but_what_belongs_to_the_run_is_given_out(shared_files: SharedFiles, name: str) -> None:
    assert shared_files.find(name) is None
    assert shared_files.answer(name, 0) == Answer({"absent": True})


async def test_a_large_file_comes_whole_though_answers_are_lost(shared_files: SharedFiles, tmp_path: Path) -> None:
    content = os.urandom(5 * CHUNK_BYTES + 7)
    (shared_files.root / "jobs/a/samples/large").write_bytes(content)
    target = tmp_path / "here" / "large"
    assert await fetcher(DirectMail(shared_files, lose_every=3)).fetch("jobs/a/samples/large", target)
    assert target.read_bytes() == content
    assert [path.name for path in target.parent.iterdir()] == ["large"]


async def test_a_file_that_changes_meanwhile_is_fetched_again_and_never_mixed(
    shared_files: SharedFiles, tmp_path: Path
) -> None:
    place = shared_files.root / "jobs/a/samples/large"
    place.write_bytes(b"a" * (3 * CHUNK_BYTES))

    def rewrite(number: int) -> None:
        if number == 2:
            place.write_bytes(b"b" * (3 * CHUNK_BYTES + 1))

    target = tmp_path / "large"
    assert await fetcher(DirectMail(shared_files, before=rewrite)).fetch("jobs/a/samples/large", target)
    assert set(target.read_bytes()) == {ord("b")}


async def test_a_folder_comes_with_all_its_files(shared_files: SharedFiles, tmp_path: Path) -> None:
    (shared_files.root / "jobs/a/samples/aside").unlink()
    (shared_files.root / "jobs/a/samples/deep").mkdir()
    (shared_files.root / "jobs/a/samples/deep/empty").write_bytes(b"")
    target = tmp_path / "samples"
    assert await fetcher(DirectMail(shared_files)).fetch("jobs/a/samples", target)
    assert sorted(os.listdir(target)) == ["deep", "file"]
    assert os.listdir(target / "deep") == ["empty"]


async def test_a_file_that_is_not_there_is_not_waited_for(shared_files: SharedFiles, tmp_path: Path) -> None:
    assert not await fetcher(DirectMail(shared_files)).fetch("jobs/a/samples/missing", tmp_path / "missing")
    assert not (tmp_path / "missing").exists()


async def test_what_nobody_wants_any_more_is_given_up_and_leaves_nothing(
    shared_files: SharedFiles, tmp_path: Path
) -> None:
    (shared_files.root / "jobs/a/samples/large").write_bytes(b"a" * (3 * CHUNK_BYTES))
    mailbox = DirectMail(shared_files)
    with pytest.raises(GaveUp):
        await fetcher(mailbox, wanted=lambda: mailbox.asked < 2).fetch("jobs/a/samples/large", tmp_path / "large")
    assert os.listdir(tmp_path) == ["data"]


class HostileMail(DirectMail):
    """Whatever it is asked for is a folder with one file."""

    async def ask(self, address: str, kind: str, *, timeout_s: float, **content: Any) -> Answer | None:
        return Answer({"folder": []})


async def test_no_answer_makes_a_folder_above_the_target_go(shared_files: SharedFiles, tmp_path: Path) -> None:
    kept = tmp_path / "loras" / "char-a" / "kept.safetensors"
    kept.parent.mkdir(parents=True)
    kept.touch()
    for target in (kept.parent / "..", kept.parent / ".." / ".."):
        with pytest.raises(GaveUp, match="cannot be the name"):
            await fetcher(HostileMail(shared_files)).fetch("loras/char-a/..", target)
    assert kept.exists()
