"""A stand-in for other people's training scripts: prints and writes as the named one does, without training.

Usage: ``train.py FLAVOUR OUTPUT_DIR OUTPUT_NAME STEPS [FAILURE]``, FLAVOUR one of kohya, diffusers, simpletuner, plain.
The shapes are those of sd-scripts (48d368f), diffusers' examples (58eb52c) and SimpleTuner (bc8e6ab).
"""

from __future__ import annotations

import json
import struct
import sys
import time
from pathlib import Path

from PIL import Image


def weights(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    header = json.dumps({"lora.down": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + struct.pack("<2f", 1.0, 2.0))


def image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 16), (200, 90, 30)).save(path)


def bar(desc: str, n: int, total: int, postfix: str) -> None:
    text = (
        f"\r{desc}: {100 * n // total:3d}%|{'█' * (n * 10 // total)}| {n}/{total} [00:01<00:02,  9.10it/s, {postfix}]"
    )
    sys.stderr.write(text)
    sys.stderr.flush()


def kohya(folder: Path, name: str, steps: int) -> None:
    print("prepare dataset\nloading model for process 0/1\nrunning training / 学習開始\nepoch 1/1", flush=True)
    for step in range(1, steps + 1):
        bar("steps", step, steps, f"avr_loss={1 / step:.3g}")
        if step % 4 == 0:
            print(f"\nsaving checkpoint: {folder / f'{name}-step{step:08d}.safetensors'}", flush=True)
            weights(folder / f"{name}-step{step:08d}.safetensors")
            print(f"generating sample images at step / サンプル画像生成 ステップ: {step}", flush=True)
            image(folder / "sample" / f"{name}_{step:06d}_00_20260102030405_42.png")
    print("\nmodel saved.", flush=True)
    weights(folder / f"{name}.safetensors")


def diffusers(folder: Path, _name: str, steps: int) -> None:
    print("01/02/2026 03:04:05 - INFO - __main__ - ***** Running training *****", flush=True)
    for step in range(1, steps + 1):
        bar("Steps", step, steps, "lr=0.0001")  # tqdm's own repaint, still without this step's loss
        bar("Steps", step, steps, f"lr=0.0001, step_loss={1 / step:.3g}")
        if step % 5 == 0:
            weights(folder / f"checkpoint-{step}" / "pytorch_lora_weights.safetensors")
    weights(folder / "pytorch_lora_weights.safetensors")


def simpletuner(folder: Path, _name: str, steps: int) -> None:
    for step in range(1, steps + 1):
        bar("Epoch 1/3, Steps", step, steps, f"grad_norm=0.5, lr=5e-5, step_loss={1 / step:.3g}")
        if step % 4 == 0:
            image(folder / "validation_images" / f"step_{step}_adx_512x512.png")
    weights(folder / "pytorch_lora_weights.safetensors")


def plain(folder: Path, name: str, steps: int) -> None:
    for step in range(1, steps + 1):
        print(f"[train] step {step}/{steps} | loss: {1 / step:.4f} | lr: 1.0e-04", flush=True)
    weights(folder / f"{name}.safetensors")


def main() -> None:
    flavour, output, name, steps = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    failure = sys.argv[5] if len(sys.argv) > 5 else ""
    output.mkdir(parents=True, exist_ok=True)
    run = {"kohya": kohya, "diffusers": diffusers, "simpletuner": simpletuner, "plain": plain}[flavour]
    run(output, name, 3 if failure else steps)
    if failure == "crash":
        raise RuntimeError("CUDA out of memory. Tried to allocate 1.00 GiB")
    if failure == "empty":
        for path in output.rglob("*.safetensors"):
            path.unlink()
    if failure == "hang":
        time.sleep(600)


if __name__ == "__main__":
    main()
