"""AMD GPUs through AMD SMI (the ``amdsmi`` package that comes with ROCm). Absent wherever ROCm is.

Reference: https://rocm.docs.amd.com/projects/amdsmi/. Memory is given in MiB, power in watts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection
from typing import Any

from isengard.events.models import GPUMetrics
from isengard.execution.metrics.probe import ProbeLost


class AmdProbe:
    """The AMD SMI library, initialised.

    Args:
        smi: The ``amdsmi`` module.
        handles: The devices to read with their index.
    """

    def __init__(self, smi: Any, handles: list[tuple[int, Any]]) -> None:
        self._smi = smi
        self._handles = handles

    @classmethod
    def open(cls, visible: str | None) -> AmdProbe | None:
        """Open AMD SMI, or return None where there is no ROCm or no visible device."""
        try:
            import amdsmi
        except (ImportError, KeyError, OSError):
            return None
        try:
            amdsmi.amdsmi_init()
            handles = list(enumerate(amdsmi.amdsmi_get_processor_handles()))
        except amdsmi.AmdSmiException:
            return None
        wanted = None if visible is None else {part.strip() for part in visible.split(",")}
        chosen = [(index, handle) for index, handle in handles if wanted is None or str(index) in wanted]
        return cls(amdsmi, chosen) if chosen else None

    def read(self, pids: Collection[int]) -> list[GPUMetrics]:
        """One reading of each device; raises `ProbeLost` when none answers any more."""
        readings = [self._read_one(index, handle, pids) for index, handle in self._handles]
        if all(reading.memory_total_mb is None and reading.utilization_pct is None for reading in readings):
            raise ProbeLost("AMD SMI no longer answers")
        return readings

    def names(self) -> list[str]:
        """The devices' numbers."""
        return [str(index) for index, _ in self._handles]

    def close(self) -> None:
        """Shut AMD SMI down."""
        with contextlib.suppress(self._smi.AmdSmiException):
            self._smi.amdsmi_shut_down()

    def _read_one(self, index: int, handle: Any, pids: Collection[int]) -> GPUMetrics:
        smi = self._smi
        memory = self._ask(smi.amdsmi_get_gpu_vram_usage, handle) or {}
        activity = self._ask(smi.amdsmi_get_gpu_activity, handle) or {}
        power = self._ask(smi.amdsmi_get_power_info, handle) or {}
        asic = self._ask(smi.amdsmi_get_gpu_asic_info, handle) or {}
        temperature = self._ask(
            smi.amdsmi_get_temp_metric, handle, smi.AmdSmiTemperatureType.EDGE, smi.AmdSmiTemperatureMetric.CURRENT
        )
        clock = self._ask(smi.amdsmi_get_clock_info, handle, smi.AmdSmiClkType.GFX) or {}
        return GPUMetrics(
            index=index,
            name=asic.get("market_name"),
            utilization_pct=_figure(activity.get("gfx_activity")),
            memory_used_mb=_figure(memory.get("vram_used")),
            memory_total_mb=_figure(memory.get("vram_total")),
            process_memory_mb=self._process_memory(handle, pids),
            temperature_c=_figure(temperature),
            power_w=_figure(power.get("average_socket_power")) or _figure(power.get("current_socket_power")),
            sm_clock_mhz=_figure(clock.get("clk")),
        )

    def _process_memory(self, handle: Any, pids: Collection[int]) -> float | None:
        running = self._ask(self._smi.amdsmi_get_gpu_process_list, handle) or []
        used = [process["memory_usage"]["vram_mem"] for process in running if process.get("pid") in pids]
        return round(sum(used) / (1024 * 1024), 1) if used else None

    def _ask(self, call: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except self._smi.AmdSmiException:
            return None


def _figure(value: Any) -> float | None:
    """A number as it is; AMD SMI writes ``N/A`` where it has none."""
    return float(value) if isinstance(value, int | float) else None
