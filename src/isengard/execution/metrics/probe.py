"""What every vendor's probe offers. A probe reads and never writes: nothing of a GPU is ever changed."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from isengard.events.models import GPUMetrics


class ProbeLost(Exception):
    """The driver or a GPU is gone; the probe is of no more use."""


class GPUProbe(Protocol):
    """One vendor's library, opened."""

    def read(self, pids: Collection[int]) -> list[GPUMetrics]:
        """One reading of each GPU; `pids` are the training's processes, for their share of the memory.

        Raises:
            ProbeLost: The driver or a GPU vanished.
        """
        ...

    def names(self) -> list[str]:
        """What ``CUDA_VISIBLE_DEVICES`` calls each GPU, in the driver's order."""
        ...

    def close(self) -> None:
        """Let go of the library."""
        ...
