"""Whether a waiting job has room on this machine now. Keeps the queue's order among the jobs that need GPUs.

A job that has to wait for GPUs is not overtaken by later ones that need some: else one that wants two of them would
wait for ever behind a stream of jobs that want one. Jobs that need none go past it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from isengard.jobs.models import Job


def gpus_wanted(job: Job) -> int:
    """How many GPUs the job asks for."""
    wanted = job.requirements.get("gpus", 0)
    return wanted if isinstance(wanted, int) else 0


@dataclass(slots=True)
class Capacity:
    """What is free at one look at the queue.

    Attributes:
        total: GPUs that are given out here; 0 for a machine without, where every job runs as it can.
        free: Those nobody has.
        alone: Whether no other worker could take what is too large for this machine.
    """

    total: int = 0
    free: int = 0
    alone: bool = True
    _awaited: bool = field(default=False)

    def fits(self, job: Job) -> bool:
        """Whether the job can be started; ask in the queue's order.

        One that wants more GPUs than there are fits when nobody else could run it, so that it fails with a reason
        instead of waiting for ever.
        """
        wanted = gpus_wanted(job)
        if not self.total or not wanted:
            return True
        if wanted > self.total:
            return self.alone
        fits = wanted <= self.free and not self._awaited
        self._awaited = self._awaited or not fits
        return fits
