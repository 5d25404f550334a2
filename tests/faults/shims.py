"""Compiles the shims that are put under real processes by LD_PRELOAD (`disk_shim.c`, `clock_shim.c`)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from isengard.core.paths import DataDir


def compiled(name: str, folder: Path) -> Path:
    """The shared object of a shim; skips the test where there is no C compiler or no LD_PRELOAD."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs Linux and a C compiler")
    source, target = Path(__file__).with_name(f"{name}_shim.c"), folder / f"{name}.so"
    if not target.exists():
        flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
        subprocess.run([compiler, *flags, "-o", str(target), str(source), "-ldl", "-lpthread"], check=True)
    return target


def recorded(shim: Path, folder: DataDir | Path, record: Path) -> dict[str, str]:
    """The environment of a process whose writes and syncs below `folder` are to be recorded."""
    root = folder.root if isinstance(folder, DataDir) else folder
    return {"LD_PRELOAD": str(shim), "FAULT_FOLDER": str(root), "FAULT_RECORD": str(record)}
