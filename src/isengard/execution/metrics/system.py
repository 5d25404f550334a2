"""Processor, memory and disk of the machine and of one training's processes, by psutil. Never needs a GPU."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class SystemMetrics:
    """One reading.

    Attributes:
        cpu_pct: Load of all processors since the last reading, 0 to 100.
        ram_used_mb: Main memory that is not available to new programs, MiB.
        process_cpu_pct: Load by the training's processes since the last reading; 100 is one processor.
        process_ram_mb: Main memory resident for the training's processes, MiB.
        disk_free_mb: Free space where the job's files lie, MiB.
    """

    cpu_pct: float
    ram_used_mb: float
    ram_total_mb: float
    process_cpu_pct: float
    process_ram_mb: float
    disk_free_mb: float
    disk_total_mb: float

    def to_dict(self) -> dict[str, float]:
        """The figures by name."""
        return asdict(self)


class SystemMonitor:
    """Takes readings; a load is that since the reading before, so the first one is 0.

    Args:
        folder: A folder on the disk whose free space counts.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: dict[int, psutil.Process] = {}
        psutil.cpu_percent(interval=None)

    def read(self, pids: Collection[int]) -> SystemMetrics:
        """One reading of the machine and of the processes `pids`; those that are gone count nothing."""
        memory = psutil.virtual_memory()
        disk = psutil.disk_usage(str(self._folder))
        cpu, resident = self._of_processes(pids)
        return SystemMetrics(
            cpu_pct=psutil.cpu_percent(interval=None),
            ram_used_mb=_mib(memory.total - memory.available),
            ram_total_mb=_mib(memory.total),
            process_cpu_pct=round(cpu, 1),
            process_ram_mb=_mib(resident),
            disk_free_mb=_mib(disk.free),
            disk_total_mb=_mib(disk.total),
        )

    def _of_processes(self, pids: Collection[int]) -> tuple[float, int]:
        self._processes = {pid: process for pid in pids if (process := self._process(pid))}
        cpu, resident = 0.0, 0
        for process in self._processes.values():
            with contextlib.suppress(psutil.Error):
                cpu += process.cpu_percent(interval=None)
                resident += process.memory_info().rss
        return cpu, resident

    def _process(self, pid: int) -> psutil.Process | None:
        """The process object that already knows its last reading, so that a load can be told."""
        try:
            return self._processes.get(pid) or psutil.Process(pid)
        except psutil.Error:
            return None


def _mib(amount: float) -> float:
    return round(amount / _MIB, 1)
