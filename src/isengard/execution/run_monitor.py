"""Takes the pulse of a run: readings of GPU and machine into the journal, and the warnings of `watch_rules.py`.

Readings are taken in a thread; whatever a driver does costs figures, never the run.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from isengard.core.paths import JobPaths
from isengard.core.settings import Settings
from isengard.events.models import EventName, GPUMetrics, Level, TrainingStage
from isengard.execution import process
from isengard.execution.outbox import Outbox
from isengard.execution.watch_rules import Concern, Limits, RunWatch

if TYPE_CHECKING:
    from isengard.execution.metrics.gpu import GPUMonitor
    from isengard.execution.metrics.system import SystemMetrics, SystemMonitor

_FIRST_S = 1.0
_WITHOUT_GPU_EVERY = 2
"""Without a GPU only every so many readings are journaled: processor and memory change slowly and tell less."""
_SLEPT_S = 30.0


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at the machine; `warning` is not empty when a driver has just vanished."""

    gpus: list[GPUMetrics]
    system: SystemMetrics
    warning: str


class RunMonitor:
    """Watches over one attempt.

    Args:
        outbox: Where readings and warnings go.
        every_s: Seconds between readings; 0 for none.
        ancestor: The process whose descendants are the training, itself included if it is another than this one.
    """

    def __init__(
        self, outbox: Outbox, paths: JobPaths, limits: Limits, every_s: float, *, ancestor: int | None = None
    ) -> None:
        self._outbox = outbox
        self._paths = paths
        self._every_s = every_s
        self._ancestor = ancestor
        self._watch = RunWatch(limits, time.monotonic())
        self._newest: GPUMetrics | None = None
        self._count = 0

    @classmethod
    def of(cls, settings: Settings, outbox: Outbox, paths: JobPaths, *, ancestor: int | None = None) -> RunMonitor:
        """As the settings have it."""
        limits = Limits(
            stall_factor=settings.watch_stall_factor,
            explode_factor=settings.watch_loss_factor,
            idle_s=settings.watch_gpu_idle_s,
            disk_free_mb=settings.watch_disk_free_mb,
        )
        return cls(outbox, paths, limits, settings.metrics_every_s, ancestor=ancestor)

    # What the recorder tells.

    def stage(self, stage: str) -> None:
        """A stage begins."""
        self._watch.on_stage(TrainingStage(stage), time.monotonic())

    def step(self, fields: dict[str, Any]) -> None:
        """A step is journaled; one without a loss that a loss was announced for is told apart by its level."""
        now = time.monotonic()
        self._warn(self._watch.on_step(int(fields["step"]), fields.get("steps_total"), fields.get("loss"), now))

    def bad_loss(self, step: int) -> None:
        """The loss of a step is not a number."""
        self._warn(self._watch.on_bad_loss(step))

    def newest_gpu(self) -> dict[str, Any] | None:
        """The newest reading of the first GPU, once: it goes into the next step's line."""
        newest, self._newest = self._newest, None
        return newest.to_dict() if newest else None

    # What time tells.

    async def run(self) -> None:
        """Take readings until cancelled."""
        if self._every_s <= 0:
            return
        monitors = await asyncio.to_thread(_open_monitors, self._paths)
        pause, looked_at = _FIRST_S, time.time()
        try:
            while True:
                await asyncio.sleep(pause)
                self._note_sleep_of_machine(time.time() - looked_at - pause)
                looked_at, pause = time.time(), self._every_s
                self._take(await asyncio.to_thread(_read, *monitors, self._ancestor))
                self._warn(self._watch.on_tick(time.monotonic()))
        finally:
            monitors[0].close()

    def _note_sleep_of_machine(self, missing_s: float) -> None:
        """Much more wall time than waiting time: the machine slept, or its clock was set. Neither is a stall."""
        if abs(missing_s) > _SLEPT_S:
            self._watch.on_resume_of_machine(time.monotonic())

    def _take(self, reading: Reading) -> None:
        if reading.warning:
            self._outbox.put(EventName.LOG, reading.warning, {"rule": "gpu-lost"}, Level.WARN)
        self._journal(reading)
        self._warn(self._watch.on_metrics(reading.gpus, reading.system.disk_free_mb, time.monotonic()))

    def _journal(self, reading: Reading) -> None:
        system = {"system": reading.system.to_dict()}
        if reading.gpus:
            self._newest = reading.gpus[0]
            gpus = [gpu.to_dict() for gpu in reading.gpus]
            self._outbox.put(EventName.GPU_METRICS, _in_words(reading.gpus), {"gpu": gpus[0], "gpus": gpus, **system})
        elif self._count % _WITHOUT_GPU_EVERY == 0:
            self._outbox.put(EventName.GPU_METRICS, "the machine, without a GPU", system)
        self._count += 1

    def _warn(self, concerns: Iterable[Concern]) -> None:
        for concern in concerns:
            self._outbox.put(EventName.LOG, concern.message, {"rule": concern.rule, **concern.figures}, Level.WARN)


def _open_monitors(paths: JobPaths) -> tuple[GPUMonitor, SystemMonitor]:
    from isengard.execution.metrics.gpu import GPUMonitor  # noqa: PLC0415 - psutil and drivers, in a thread
    from isengard.execution.metrics.system import SystemMonitor  # noqa: PLC0415 - see above

    return GPUMonitor(os.environ.get("CUDA_VISIBLE_DEVICES")), SystemMonitor(paths.root)


def _read(gpu: GPUMonitor, system: SystemMonitor, ancestor: int | None) -> Reading:
    pids = process.descendants(os.getpid() if ancestor is None else ancestor)
    if ancestor is not None:
        pids.append(ancestor)
    gpus, warning = gpu.read(pids)
    return Reading(gpus, system.read(pids), warning)


def _in_words(gpus: Sequence[GPUMetrics]) -> str:
    return "; ".join(
        f"GPU {gpu.index}: {_figure(gpu.utilization_pct)} %, {_figure(gpu.memory_used_mb)} of "
        f"{_figure(gpu.memory_total_mb)} MB"
        for gpu in gpus
    )


def _figure(value: float | None) -> str:
    return "?" if value is None else f"{value:.0f}"
