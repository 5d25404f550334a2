"""What a training runs on: versions, packages, processors, memory, GPUs, the environment. Nothing in it is a secret."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

import psutil

from isengard import __version__
from isengard.core.clock import utc_now
from isengard.core.redaction import Redactor
from isengard.core.settings import Settings
from isengard.execution.metrics.gpu import GPUMonitor

_TELLING = ("torch", "diffusers", "transformers", "peft", "accelerate", "safetensors", "numpy", "ray", "redis")


def snapshot(settings: Settings, redactor: Redactor) -> dict[str, Any]:
    """The environment of this process and machine as it is now, redacted."""
    packages = _packages()
    found = {
        "taken_at": utc_now(),
        "taken_by": f"process {os.getpid()} (the one that made this file, not the trainer)",
        "isengard": __version__,
        "python": {"version": sys.version, "executable": sys.executable, "implementation": sys.implementation.name},
        "platform": {
            "system": platform.system(),
            "release": platform.release(),
            "machine": platform.machine(),
            "description": platform.platform(),
        },
        "hardware": _hardware(settings.data_dir),
        "gpus": _gpus(),
        "telling_packages": {name: packages[name] for name in _TELLING if name in packages},
        "packages": packages,
        "settings": settings.model_dump(mode="json"),
    }
    redacted: dict[str, Any] = redactor.value(found)
    return {**redacted, "environment": redactor.environment(dict(sorted(os.environ.items())))}


def _packages() -> dict[str, str]:
    """Name and version of every installed package, from the names of their folders: reading them takes seconds."""
    found: dict[str, str] = {}
    for folder in map(Path, sys.path):
        for info in sorted(folder.glob("*.dist-info")) if folder.is_dir() else ():
            name, _, version = info.stem.rpartition("-")
            found.setdefault(name.replace("_", "-").lower(), version)
    return dict(sorted(found.items()))


def _hardware(folder: Path) -> dict[str, Any]:
    memory = psutil.virtual_memory()
    disk = shutil.disk_usage(folder)
    return {
        "cpus": os.cpu_count(),
        "cpus_usable": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load": os.getloadavg(),
        "memory_total_mb": memory.total // 1_048_576,
        "memory_available_mb": memory.available // 1_048_576,
        "disk_total_mb": disk.total // 1_048_576,
        "disk_free_mb": disk.free // 1_048_576,
    }


def _gpus() -> list[dict[str, Any]]:
    monitor = GPUMonitor()
    try:
        gpus, _ = monitor.read()
        return [gpu.to_dict() for gpu in gpus]
    finally:
        monitor.close()
