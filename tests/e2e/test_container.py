"""What a container does to Isengard: it is process 1, nobody else collects the dead, and its log is what it prints."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from isengard.jobs.models import JobStatus
from standins.otlp_receiver import OtlpReceiver, attributes
from standins.workbench import Workbench, eventually, workbench

_UNSHARE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    with workbench(tmp_path / "data") as made:
        yield made


def test_as_process_1_it_collects_its_orphans_exports_and_prints_its_log(bench: Workbench, tmp_path: Path) -> None:
    if subprocess.run([*_UNSHARE, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this user may not make a process namespace")
    receiver = OtlpReceiver(tmp_path / "collector")
    receiver.start()
    argv = [*_UNSHARE, sys.executable, "-m", "isengard", "up", "--port", "0"]
    settings = {"DATA_DIR": str(bench.settings.data_dir), "OTLP_ENDPOINT": receiver.endpoint, "LOG_STDOUT": "json"}
    printed = tmp_path / "printed.txt"
    with printed.open("wb") as file:
        container = subprocess.Popen(
            argv, env={**os.environ, **{f"ISENGARD_{name}": value for name, value in settings.items()}}, stdout=file
        )
    try:
        eventually(lambda: "Isengard is at" in printed.read_text(), "the services being up")
        job = bench.submit(steps=60, step_time_s=0.05)
        bench.wait_for_event(job, "training.step")
        one = psutil.Process(container.pid).children()[0]
        worker = next(each for each in one.children() if "worker" in each.cmdline())
        worker.send_signal(signal.SIGKILL)  # its runner is now a child of process 1
        assert bench.wait_for_status(job, JobStatus.COMPLETED, JobStatus.FAILED).status is JobStatus.COMPLETED
        dead = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
        eventually(lambda: not [each for each in one.children() if each.status() in dead], "the dead being collected")
        last = bench.entries(job)[-1].seq
        eventually(lambda: last in [attributes(each)["isengard.seq"] for each in receiver.taken("logs")], "the export")
        lines = [json.loads(line) for line in printed.read_text().splitlines() if line.startswith("{")]
        assert {line["service"] for line in lines} >= {"api", "worker", "export"}
        assert any(line.get("event") == "http.request" or job.id in line["msg"] for line in lines)
        one.send_signal(signal.SIGTERM)
        assert container.wait(120) == 0
    finally:
        container.kill()
        container.wait()
        receiver.kill()
