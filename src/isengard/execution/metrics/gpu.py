"""The monitor that keeps a vendor's probe going through a whole run.

A driver that is missing, lost or silent about a figure costs that figure and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

from isengard.events.models import GPUMetrics
from isengard.execution.metrics.amd import AmdProbe
from isengard.execution.metrics.nvidia import NvidiaProbe
from isengard.execution.metrics.probe import GPUProbe, ProbeLost


def device_names(visible: str | None) -> list[str]:
    """What ``CUDA_VISIBLE_DEVICES`` calls the GPUs of this machine, as far as `visible` shows them."""
    for opener in (NvidiaProbe.open, AmdProbe.open):
        probe = opener(visible)
        if probe is not None:
            names = probe.names()
            probe.close()
            return names
    return []


class GPUMonitor:
    """Reads the GPUs for as long as a run lasts, whatever their driver does in the meantime.

    Args:
        visible: Which GPUs the job sees, as ``CUDA_VISIBLE_DEVICES`` says it; None for all.
        openers: How to open the vendors' libraries, first come first served; each returns None where it has no GPU.
        retry_s: Seconds to wait before a lost driver is looked for again.
    """

    def __init__(
        self,
        visible: str | None = None,
        openers: Sequence[Callable[[str | None], GPUProbe | None]] | None = None,
        retry_s: float = 30.0,
    ) -> None:
        self._visible = visible
        self._openers = openers if openers is not None else (NvidiaProbe.open, AmdProbe.open)
        self._retry_s = retry_s
        self._next_try = 0.0
        self._had_one = False
        self._probe: GPUProbe | None = None

    def read(self, pids: Collection[int] = ()) -> tuple[list[GPUMetrics], str]:
        """One reading of each GPU, and a warning (or an empty text) when the driver has just vanished."""
        if self._probe is None and not self._reopen():
            return [], ""
        assert self._probe is not None  # noqa: S101 - narrows for the type checker
        try:
            return self._probe.read(pids), ""
        except ProbeLost as lost:
            self.close()
            self._next_try = time.monotonic() + self._retry_s
            return [], f"GPU figures stopped: {lost}"

    def close(self) -> None:
        """Let go of the driver's library."""
        probe, self._probe = self._probe, None
        if probe is not None:
            probe.close()

    def _reopen(self) -> bool:
        """Open a probe; a machine that never had one is not asked again, for a driver does not appear in mid-run."""
        if time.monotonic() < self._next_try or (self._next_try and not self._had_one):
            return False
        self._next_try = time.monotonic() + self._retry_s
        self._probe = next((probe for opener in self._openers if (probe := opener(self._visible))), None)
        self._had_one = self._had_one or self._probe is not None
        return self._probe is not None
