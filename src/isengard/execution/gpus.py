"""The GPUs of this machine that trainings may use, and which of them are free. Never looks at how busy one is.

Each has a lock file below ``run/gpus/``. A training's runner inherits the locked file, so a GPU is taken exactly as
long as its runner lives, whoever restarts in the meantime, and the kernel frees it however the runner dies. The
training sees its GPUs through ``CUDA_VISIBLE_DEVICES``, numbered as the driver numbers them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from isengard.core import locks
from isengard.core.errors import StartupError
from isengard.core.paths import DataDir
from isengard.core.settings import Settings

NO_GPUS = "none"
_NAME = re.compile(r"[A-Za-z0-9/_.:-]{1,80}")
_LIST = "list.json"


@dataclass(frozen=True, slots=True)
class Share:
    """The GPUs of one training.

    Attributes:
        names: What ``CUDA_VISIBLE_DEVICES`` names them; None where the machine has no GPU to be shared.
        descriptors: Their open, locked files.
    """

    names: tuple[str, ...] | None = None
    descriptors: tuple[int, ...] = ()

    def environment(self) -> dict[str, str]:
        """What makes a process see these GPUs and no others."""
        if self.names is None:
            return {}
        return {"CUDA_VISIBLE_DEVICES": ",".join(self.names), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


NOTHING_SHARED = Share()


@dataclass(frozen=True, slots=True)
class Place:
    """One GPU as the queue shows it; `job_id` is who has it."""

    name: str
    job_id: str | None


class GpuPool:
    """The GPUs that the worker of one data folder gives out.

    Args:
        names: How ``CUDA_VISIBLE_DEVICES`` names each; none for a machine without.
    """

    def __init__(self, paths: DataDir, names: Sequence[str] = ()) -> None:
        self._folder = paths.run / "gpus"
        self.names = tuple(names)

    def announce(self) -> None:
        """Write down which there are, for whoever shows the queue; raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = self._folder / f".{_LIST}-{os.getpid()}"
        partial.write_bytes(orjson.dumps(self.names))
        partial.replace(self._folder / _LIST)

    def free(self) -> int:
        """How many could be taken now."""
        return sum(not locks.is_held(self._lock(name)) for name in self.names)

    @contextmanager
    def take(self, count: int, job_id: str) -> Iterator[Share | None]:
        """Lock `count` GPUs until the end of the block and in every process that inherits the files by then.

        Gives None when fewer are free. Without any GPU on the machine nothing is shared out, whatever `count` says.
        """
        if not self.names:
            yield NOTHING_SHARED
            return
        taken: dict[str, int] = {}
        try:
            for name in self.names:
                if len(taken) < count and (descriptor := _take(self._lock(name), job_id)) is not None:
                    taken[name] = descriptor
            yield Share(tuple(taken), tuple(taken.values())) if len(taken) == count else None
        finally:
            for descriptor in taken.values():
                os.close(descriptor)

    def _lock(self, name: str) -> Path:
        return _lock_file(self._folder, name)


def found(settings: Settings, environment: Mapping[str, str]) -> list[str]:
    """The names of the GPUs that trainings may use.

    Those that ``ISENGARD_GPUS`` names; without it, those the driver shows, as far as this process may see them.

    Raises:
        StartupError: ``ISENGARD_GPUS`` is no list of names, or names one twice.
    """
    if settings.gpus.strip():
        return parse(settings.gpus)
    from isengard.execution.metrics.gpu import device_names  # noqa: PLC0415 - drivers' libraries

    return device_names(environment.get("CUDA_VISIBLE_DEVICES"))


def parse(text: str) -> list[str]:
    """The names in a setting such as ``0,1`` or ``GPU-6f1e…``; raises StartupError."""
    names = [part.strip() for part in text.split(",") if part.strip()]
    if names == [NO_GPUS]:
        return []
    if not all(_NAME.fullmatch(name) for name in names) or len(set(names)) < len(names):
        raise StartupError(f"ISENGARD_GPUS: numbers or UUIDs by comma, each once, or none; not {text!r}", field="gpus")
    return names


def places(paths: DataDir) -> list[Place]:
    """Every GPU that the worker of this folder gives out, or gave out last, and who has it."""
    folder = paths.run / "gpus"
    try:
        names = orjson.loads((folder / _LIST).read_bytes())
    except (OSError, ValueError):
        return []
    return [Place(str(name), _holder(_lock_file(folder, str(name)))) for name in names]


def _lock_file(folder: Path, name: str) -> Path:
    return folder / f"{re.sub(r'[^A-Za-z0-9.-]', '_', name)}.lock"


def _take(path: Path, job_id: str) -> int | None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = locks.take(path)
    if descriptor is not None:
        locks.sign(descriptor, job_id)
    return descriptor


def _holder(path: Path) -> str | None:
    if not locks.is_held(path):
        return None
    try:
        return path.read_text("ascii").strip() or None
    except OSError:
        return None
