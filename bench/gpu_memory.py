"""What trainings of full-size models take of a GPU, beside what `trainers/vram.py` says they will.

    python bench/gpu_memory.py [--kinds sd1 sdxl flux] [--folder /dev/shm] [--json FILE]

With an NVIDIA GPU: real trainings by the diffusers trainer, each a few steps with a sample before and after, one after
the other in this process. PyTorch counts the tensors' peak, part by part; NVML what the driver gave the process:
PyTorch keeps freed memory where there is plenty, so a card needs something between the two. FLUX wants 34 GB of disk
and 40 GB of GPU memory. Without a GPU: the peak of a step and of a sample's decoding, calculated from shapes alone
(`models/shapes.py`). 1 GB is 10⁹ bytes.
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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from isengard.execution.metrics.gpu import device_names
from isengard.trainers import vram

GB = 1e9
STEPS = 4
PARTS = ("preparing", "steps", "sampling")
NAMES = {
    "sd1": "stable-diffusion-v1-5/stable-diffusion-v1-5",
    "sdxl": "stabilityai/stable-diffusion-xl-base-1.0",
    "flux": "black-forest-labs/FLUX.1-dev",
}
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
    columns = (*PARTS, "driver", "estimate")
    figures = " | ".join(f"{row[name] / GB:.1f}" if name in row else "" for name in columns)
    most = max(row.get(name, 0) for name in PARTS)
    return f"| {row['kind']} | {words} | {figures} | {row['estimate'] / most:.2f} |"


def calculate(kind: str, setting: dict[str, Any]) -> dict[str, Any] | None:
    """The same without a GPU; None for a setting that cannot be calculated."""
    from models import shapes

    if not set(setting) <= shapes.KNOWN:
        return None
    guess = vram.estimate({"optimizer": "adamw", "lora_rank": 16, "base_model": NAMES[kind], **setting})
    assert guess is not None
    step = shapes.step_peak(kind, setting)
    weights = guess.weights + guess.lora
    return {
        "kind": kind,
        "setting": setting,
        "steps": step,
        "sampling": weights + shapes.decode_peak(setting["resolution"]),
        "estimate": guess.total,
    }


def main() -> None:
    """Print a row as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", nargs="+", choices=TRIED, default=list(TRIED))
    parser.add_argument("--folder", type=Path, help="where the models are written")
    parser.add_argument("--json", type=Path, help="write all rows here as well")
    arguments = parser.parse_args()
    with_gpu = bool(device_names(None)) and importlib.util.find_spec("pynvml") is not None
    print("Measured:" if with_gpu else "No NVIDIA GPU here: calculated from shapes.")
    print("\n| kind | settings | preparing, GB | steps | sampling | driver | estimate | estimate / most |")
    print("|---|---|---:|---:|---:|---:|---:|---:|", flush=True)
    rows: list[dict[str, Any]] = []
    for row in measured(arguments.kinds, arguments.folder) if with_gpu else calculated(arguments.kinds):
        rows.append(row)
        print(line(row), flush=True)
        if arguments.json:
            arguments.json.write_text(json.dumps(rows, indent=1))


def measured(kinds: Sequence[str], place: Path | None) -> Iterator[dict[str, Any]]:
    """Make each model and train it under each setting."""
    from models import full_size

    with tempfile.TemporaryDirectory(dir=place) as temporary:
        for kind in kinds:
            folder = full_size.make(kind, Path(temporary))
            for setting in TRIED[kind]:
                yield measure(folder, Path(temporary) / "job", setting)
            shutil.rmtree(folder)


def calculated(kinds: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Every setting that can be calculated."""
    for kind in kinds:
        yield from filter(None, (calculate(kind, setting) for setting in TRIED[kind]))


if __name__ == "__main__":
    main()
