"""What the parts of a training take of the device's memory at most: preparing, the steps, the samples."""

from __future__ import annotations

import torch

from isengard.trainers.diffusers.engine.hardware import Hardware

PREPARING = "preparing"
STEPS = "steps"
SAMPLING = "sampling"


class PeakMemory:
    """The most memory that tensors took, by what went on meanwhile; counts from when it is made, for `PREPARING`.

    Counts on CUDA (and ROCm) alone; elsewhere `peaks` stays empty. Weights that stay on the device count in every part.
    """

    def __init__(self, hardware: Hardware) -> None:
        self._device = hardware.device
        self._peaks: dict[str, float] = {}
        self._part = PREPARING
        self.enter(PREPARING)

    def enter(self, part: str) -> None:
        """From now on `part` goes on."""
        self._note()
        self._part = part
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)

    def peaks(self) -> dict[str, float]:
        """MiB by part, of those that went on so far."""
        self._note()
        return {part: round(peak, 1) for part, peak in self._peaks.items()}

    def _note(self) -> None:
        if self._device.type == "cuda":
            peak = float(torch.cuda.max_memory_allocated(self._device)) / 2**20
            self._peaks[self._part] = max(peak, self._peaks.get(self._part, 0.0))
