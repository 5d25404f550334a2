"""An NVIDIA driver for machines without a GPU: `nvml.c`, compiled, which NVIDIA's own binding finds and believes."""

from __future__ import annotations

import subprocess
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "unit" / "execution" / "metrics" / "nvml.c"


def build(folder: Path) -> Path:
    """Compile it into `folder`; a process with that folder in LD_LIBRARY_PATH sees two GPUs."""
    library = folder / "libnvidia-ml.so.1"
    subprocess.run(["cc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", str(library), str(SOURCE)], check=True)
    return folder
