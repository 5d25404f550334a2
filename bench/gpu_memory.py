"""What trainings of full-size models take of a GPU, beside what `trainers/vram.py` says they will.

    python bench/gpu_memory.py [--kinds sd1 sdxl flux] [--folder /dev/shm] [--json FILE]

Real trainings by the diffusers trainer, each a few steps with a sample before and after, one after the other in this
process. PyTorch counts the tensors' peak, part by part; NVML what the driver gave the process: PyTorch keeps freed
memory where there is plenty, so a card needs something between the two. Wants an NVIDIA GPU with room for the kind
(34 GB of disk and 40 GB of GPU memory for FLUX); says so and measures nothing without one. 1 GB is 10⁹ bytes.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from isengard.execution.metrics.gpu import device_names
from isengard.trainers import vram

GB = 1e9
STEPS = 4
PARTS = ("preparing", "steps", "sampling")
_SD = {"resolution": 512, "batch_size": 1, "gradient_checkpointing": False}
_XL = {**_SD, "resolution": 1024}
TRIED: dict[str, list[dict[str, Any]]] = {
    "sd1": [
        _SD,
        {**_SD, "gradient_checkpointing": True},
        {**_SD, "batch_size": 4},
        {**_SD, "batch_size": 4, "gradient_checkpointing": True},
        {**_SD, "resolution": 768},
        {**_SD, "precision": "fp32"},
        {**_SD, "precision": "fp16", "lora_rank": 128},
        {**_SD, "target_modules": "wide", "train_text_encoder": True, "cache_latents": False},
    ],
    "sdxl": [
        _XL,
        {**_XL, "gradient_checkpointing": True},
        {**_XL, "resolution": 512},
        {**_XL, "batch_size": 4, "gradient_checkpointing": True},
        {**_XL, "train_text_encoder": True},
    ],
    "flux": [
        {**_XL, "gradient_checkpointing": True},
        {**_XL, "resolution": 512},
        {**_XL, "resolution": 512, "gradient_checkpointing": True},
        _XL,
    ],
}
"""Settings by kind; the largest come last, for they may not fit."""


@contextmanager
def watched() -> Iterator[list[int]]:
    """Bytes that the driver gives this process on the first GPU, every 20 ms; the list's last entry is the most."""
    import pynvml

    pynvml.nvmlInit()
    device, most, done = pynvml.nvmlDeviceGetHandleByIndex(0), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            ours = [each for each in pynvml.nvmlDeviceGetComputeRunningProcesses(device) if each.pid == os.getpid()]
            most.append(max(most[-1], *(each.usedGpuMemory or 0 for each in ours), 0))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield most
    finally:
        done.set()
        watcher.join()
        pynvml.nvmlShutdown()


def measure(folder: Path, work: Path, setting: dict[str, Any]) -> dict[str, Any]:
    """Train a few steps; bytes by part, what the driver gave, and the estimate. One that does not fit says why."""
    import torch

    from models import hosted

    config = {"base_model": str(folder), "steps": STEPS, "sample_every_n_steps": STEPS, "sample_steps": 4, **setting}
    guess = vram.estimate({"optimizer": "adamw", "lora_rank": 16, **config})
    assert guess is not None
    row: dict[str, Any] = {"kind": folder.name, "setting": setting, "estimate": guess.total}
    gc.collect()
    torch.cuda.empty_cache()
    row["before"] = torch.cuda.memory_allocated()
    try:
        with watched() as most:
            reports = hosted.train_here(work, config)
    except torch.OutOfMemoryError as error:
        return {**row, "failed": str(error)}
    parts = {part: hosted.field(reports, f"{part}_peak_memory_mb") for part in PARTS}
    return {**row, **{name: mib * 2**20 for name, mib in parts.items()}, "driver": most[-1]}


def line(row: dict[str, Any]) -> str:
    """One row of the table."""
    words = ", ".join(f"{name} {value}" for name, value in row["setting"].items())
    if "failed" in row:
        return f"| {row['kind']} | {words} | {row['failed'][:80]} | | | | {row['estimate'] / GB:.1f} | |"
    figures = " | ".join(f"{row[name] / GB:.1f}" for name in (*PARTS, "driver", "estimate"))
    most = max(row[name] for name in PARTS)
    return f"| {row['kind']} | {words} | {figures} | {row['estimate'] / most:.2f} |"


def main() -> None:
    """Make each model, train it under each setting, print a row as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", nargs="+", choices=TRIED, default=["sd1", "sdxl"])
    parser.add_argument("--folder", type=Path, help="where the models are written")
    parser.add_argument("--json", type=Path, help="write all rows here as well")
    arguments = parser.parse_args()
    if not device_names(None) or importlib.util.find_spec("pynvml") is None:
        print("No NVIDIA GPU here: nothing was measured.")
        return
    from models import full_size

    rows: list[dict[str, Any]] = []
    print("| kind | settings | preparing, GB | steps | sampling | driver | estimate | estimate / most |")
    print("|---|---|---:|---:|---:|---:|---:|---:|", flush=True)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as temporary:
        for kind in arguments.kinds:
            folder = full_size.make(kind, Path(temporary))
            for setting in TRIED[kind]:
                rows.append(measure(folder, Path(temporary) / "job", setting))
                print(line(rows[-1]), flush=True)
                if arguments.json:
                    arguments.json.write_text(json.dumps(rows, indent=1))
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
