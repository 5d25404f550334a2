"""NVIDIA GPUs through NVML (nvidia-ml-py, NVIDIA's own binding). MIG slices count as GPUs of their own.

NVML reference: https://docs.nvidia.com/deploy/nvml-api/. Memory is given by NVML in bytes and kept in MiB, power in
milliwatts and kept in watts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator
from typing import Any

from isengard.events.models import GPUMetrics
from isengard.execution.metrics.probe import ProbeLost

_MIB = 1024 * 1024


class NvidiaProbe:
    """The NVML library, initialised.

    Args:
        nvml: The ``pynvml`` module.
        handles: The devices to read with the index under which each is told.
    """

    def __init__(self, nvml: Any, handles: list[tuple[int, Any]]) -> None:
        self._nvml = nvml
        self._handles = handles
        self._fatal = (
            nvml.NVMLError_GpuIsLost,
            nvml.NVMLError_Uninitialized,
            nvml.NVMLError_DriverNotLoaded,
            nvml.NVMLError_Unknown,
        )

    @classmethod
    def open(cls, visible: str | None) -> NvidiaProbe | None:
        """Open NVML, or return None where there is no NVIDIA driver or no visible device."""
        import pynvml

        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError:
            return None
        try:
            handles = list(_visible(pynvml, visible))
        except pynvml.NVMLError:
            handles = []
        if not handles:
            pynvml.nvmlShutdown()
            return None
        return cls(pynvml, handles)

    def read(self, pids: Collection[int]) -> list[GPUMetrics]:
        """One reading of each device; raises `ProbeLost` when the driver or a device is gone."""
        return [self._read_one(index, handle, pids) for index, handle in self._handles]

    def names(self) -> list[str]:
        """The devices' numbers, in the order of their places on the bus; for a slice of one, its UUID."""
        return [self._name(index, handle) for index, handle in self._handles]

    def _name(self, index: int, handle: Any) -> str:
        shared = sum(other == index for other, _ in self._handles) > 1
        try:
            uuid = str(self._nvml.nvmlDeviceGetUUID(handle))
        except self._nvml.NVMLError:
            return str(index)
        return uuid if shared or uuid.startswith("MIG") else str(index)

    def close(self) -> None:
        """Shut NVML down; a driver that is gone already does not mind."""
        with contextlib.suppress(self._nvml.NVMLError):
            self._nvml.nvmlShutdown()

    def _read_one(self, index: int, handle: Any, pids: Collection[int]) -> GPUMetrics:
        nvml = self._nvml
        memory = self._ask(nvml.nvmlDeviceGetMemoryInfo, handle)
        utilization = self._ask(nvml.nvmlDeviceGetUtilizationRates, handle)
        power = self._ask(nvml.nvmlDeviceGetPowerUsage, handle)
        return GPUMetrics(
            index=index,
            name=self._ask(nvml.nvmlDeviceGetName, handle),
            utilization_pct=None if utilization is None else float(utilization.gpu),
            memory_used_mb=None if memory is None else _mib(memory.used),
            memory_total_mb=None if memory is None else _mib(memory.total),
            process_memory_mb=self._process_memory(handle, pids),
            temperature_c=self._ask(nvml.nvmlDeviceGetTemperature, handle, nvml.NVML_TEMPERATURE_GPU),
            power_w=None if power is None else round(power / 1000, 1),
            sm_clock_mhz=self._ask(nvml.nvmlDeviceGetClockInfo, handle, nvml.NVML_CLOCK_SM),
        )

    def _process_memory(self, handle: Any, pids: Collection[int]) -> float | None:
        running = self._ask(self._nvml.nvmlDeviceGetComputeRunningProcesses, handle)
        if running is None:
            return None
        used = [process.usedGpuMemory for process in running if process.pid in pids]
        known = [amount for amount in used if amount is not None]
        return _mib(sum(known)) if known else None

    def _ask(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """What the driver answers, None where it does not know; raises `ProbeLost` where it is gone."""
        try:
            return call(*arguments)
        except self._fatal as error:
            raise ProbeLost(f"the NVIDIA driver answers {error}") from error
        except self._nvml.NVMLError:
            return None


def _mib(amount: int) -> float:
    return round(amount / _MIB, 1)


def _visible(nvml: Any, visible: str | None) -> Iterator[tuple[int, Any]]:
    """The devices that `visible` (``0,2``, UUIDs, or None for all) names; a device cut by MIG gives its slices."""
    wanted = None if visible is None else [part.strip() for part in visible.split(",") if part.strip()]
    for index in range(nvml.nvmlDeviceGetCount()):
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        slices = _slices(nvml, handle)
        if wanted is None or str(index) in wanted or _uuid_wanted(nvml, handle, wanted):
            yield from ((index, one) for one in slices or [handle])
        else:
            yield from ((index, one) for one in slices if _uuid_wanted(nvml, one, wanted))


def _uuid_wanted(nvml: Any, handle: Any, wanted: list[str]) -> bool:
    try:
        uuid = nvml.nvmlDeviceGetUUID(handle)
    except nvml.NVMLError:
        return False
    return any(uuid.startswith(part) for part in wanted if not part.isdigit())


def _slices(nvml: Any, handle: Any) -> list[Any]:
    """The MIG slices of a device; empty where MIG is off or unknown."""
    try:
        enabled, _pending = nvml.nvmlDeviceGetMigMode(handle)
        count = nvml.nvmlDeviceGetMaxMigDeviceCount(handle) if enabled else 0
    except nvml.NVMLError:
        return []
    found = []
    for number in range(count):
        with contextlib.suppress(nvml.NVMLError):  # places without a slice answer "not found"
            found.append(nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, number))
    return found
