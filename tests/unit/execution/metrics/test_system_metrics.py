"""Figures of the machine itself."""

import os
import subprocess
import sys
from pathlib import Path

from isengard.execution.metrics.system import SystemMonitor


def test_a_reading_tells_the_machine_and_the_processes(tmp_path: Path) -> None:
    metrics = SystemMonitor(tmp_path).read({os.getpid()})
    assert 0 < metrics.ram_used_mb < metrics.ram_total_mb
    assert 0 < metrics.disk_free_mb <= metrics.disk_total_mb
    assert metrics.process_ram_mb > 5
    assert 0 <= metrics.cpu_pct <= 100


def test_a_busy_process_shows_its_load(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=subprocess.PIPE
    ) as busy:
        try:
            assert busy.stdout is not None
            busy.stdout.readline()
            monitor = SystemMonitor(tmp_path)
            monitor.read({busy.pid})
            loads = (monitor.read({busy.pid}).process_cpu_pct for _ in range(1_000_000))
            assert next(load for load in loads if load > 0) > 0
        finally:
            busy.kill()


def test_processes_that_are_gone_count_nothing(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert SystemMonitor(tmp_path).read({gone.pid}).process_ram_mb == 0
