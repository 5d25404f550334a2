"""The raw output on disk."""

from __future__ import annotations

from pathlib import Path

from isengard.execution.output_log import OutputLog


def test_output_is_kept_as_it_came(tmp_path: Path) -> None:
    log = OutputLog(tmp_path / "output.log")

    log.write("stdout", b"\r10%\xff")
    log.write("stdout", b" end\n")
    log.close()

    assert (tmp_path / "output.log").read_bytes() == b"\r10%\xff end\n"


def test_it_is_rotated_by_size_and_bounded(tmp_path: Path) -> None:
    log = OutputLog(tmp_path / "output.log", max_bytes=10_000)

    for number in range(1000):
        log.write("stderr", b"%06d %s\n" % (number, b"x" * 92))
    log.close()

    parts = sorted(path.name for path in tmp_path.iterdir())
    assert parts == ["output.log", "output.log.1", "output.log.2", "output.log.3"]
    newest = (tmp_path / "output.log").read_bytes()
    assert newest.splitlines()[-1].startswith(b"000999")
    assert all(path.stat().st_size <= 10_200 for path in tmp_path.iterdir())


def test_a_folder_that_is_gone_silences_it_without_an_error(tmp_path: Path) -> None:
    log = OutputLog(tmp_path / "missing" / "output.log")

    log.write("stdout", b"line\n" * 100_000)
    log.close()

    assert log.fault == "No such file or directory"
