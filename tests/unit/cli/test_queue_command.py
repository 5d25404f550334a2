"""`isengard queue` on a data folder without a server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from isengard.cli.main import main
from isengard.execution.gpus import GpuPool
from standins.workbench import Workbench, workbench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    with workbench(tmp_path / "data") as made:
        yield made


def test_it_shows_pauses_and_moves(bench: Workbench, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = bench.submit(), bench.submit(gpus=1)
    pool = GpuPool(bench.settings.paths, ["0", "1"])
    pool.announce()

    def run(*arguments: str) -> str:
        assert main(["queue", *arguments, "--data-dir", str(bench.settings.data_dir)]) == 0
        return capsys.readouterr().out

    with pool.take(1, "train-somebody"):
        shown = run()
    assert "GPU 0: train-somebody" in shown
    assert "GPU 1: free" in shown
    assert shown.index(first.id) < shown.index(second.id)
    assert "the queue is paused: new driver" in run("pause", "--reason", "new driver")
    moved = json.loads(run("priority", second.id, "3", "--json"))
    assert [job["job_id"] for job in moved["waiting"]] == [second.id, first.id]
    assert "paused" not in run("resume")
    assert main(["queue", "priority", "nothing", "3", "--data-dir", str(bench.settings.data_dir)]) == 1
