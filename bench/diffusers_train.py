"""Steps a second and memory of the diffusers trainer, beside the barest loop that trains the same LoRA.

    python bench/diffusers_train.py [--steps 60] [--rounds 3]
    python bench/diffusers_train.py --full-size            # Stable Diffusion 1.5's size, random weights; wants a GPU

Ours is the whole thing: its own process, reports, requests. The peer is what a tutorial ends with: diffusers, PEFT and
AdamW in a loop over cached latents, printing nothing. Rounds alternate; the first tenth of the steps is warm-up.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from isengard.datasets import demo
from models import hosted

_PEER = """
import json, sys, time
import torch
from diffusers import DDPMScheduler, DiffusionPipeline
from diffusers.training_utils import cast_training_params
from peft import LoraConfig

folder, steps, batch, side = sys.argv[1], *map(int, sys.argv[2:5])
device = "cuda" if torch.cuda.is_available() else "cpu"
dtype = torch.bfloat16 if device == "cuda" else torch.float32
torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = True
pipe = DiffusionPipeline.from_pretrained(folder, dtype=dtype, local_files_only=True).to(device)
unet, noise = pipe.unet.requires_grad_(False), DDPMScheduler.from_config(pipe.scheduler.config)
unet.add_adapter(LoraConfig(r=16, lora_alpha=16, target_modules=["to_q", "to_k", "to_v", "to_out.0"]))
cast_training_params(unet)
weights = [weight for weight in unet.parameters() if weight.requires_grad]
optimizer = torch.optim.AdamW(weights, lr=1e-4)
edge = side // pipe.vae_scale_factor
latents = torch.randn(batch, unet.config.in_channels, edge, edge, device=device)
text = pipe.encode_prompt("a word", device, 1, False)[0].repeat(batch, 1, 1).detach()
pipe.text_encoder = pipe.vae = None
unet.train()
for step in range(steps):
    if step == steps // 10:
        if device == "cuda":
            torch.cuda.synchronize(), torch.cuda.reset_peak_memory_stats()
        began = time.perf_counter()
    added, when = torch.randn_like(latents), torch.randint(0, 1000, (batch,), device=device)
    with torch.autocast(device, dtype, enabled=device == "cuda"):
        guess = unet(noise.add_noise(latents, added, when).to(dtype), when, text).sample
    loss = torch.nn.functional.mse_loss(guess.float(), added)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(weights, 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    loss.item()
pace = (steps - steps // 10) / (time.perf_counter() - began)
print(json.dumps({"pace": pace, "device_mb": torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else None}))
"""


def ours(folder: Path, work: Path, steps: int, batch: int, side: int) -> dict[str, Any]:
    """Train in a host process and read pace and memory from its reports."""
    config = {"base_model": str(folder), "steps": steps, "batch_size": batch, "resolution": side}
    silent = {"sample_every_n_steps": 0, "checkpoint_every_n_steps": 0, "lr_scheduler": "constant"}
    reports = hosted.train(work, {**config, **silent})
    times = [datetime.fromisoformat(r["ts"]).timestamp() for r in reports if r["event"] == "training.step"]
    first = steps // 10
    pace = (steps - first) / (times[-1] - times[first - 1])
    return {"pace": pace, "device_mb": hosted.field(reports, "steps_peak_memory_mb")}


def peer(folder: Path, steps: int, batch: int, side: int) -> dict[str, Any]:
    """The bare loop in a process of its own."""
    argv = [sys.executable, "-c", _PEER, str(folder), str(steps), str(batch), str(side)]
    result = subprocess.run(argv, check=True, capture_output=True, text=True)
    return dict(json.loads(result.stdout.splitlines()[-1]))


def row(name: str, rounds: list[dict[str, Any]], base: float) -> str:
    """One line of the table."""
    pace = statistics.median(entry["pace"] for entry in rounds)
    memory = rounds[0]["device_mb"]
    return f"| {name} | {pace:.2f} | {pace / base:.2f} | {f'{memory:.0f}' if memory else 'n/a'} |"


def main() -> None:
    """Alternate both and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--full-size", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        folder = demo.tiny_model()
        if arguments.full_size:
            from models import full_size

            folder = full_size.make("sd1", work)
        shape = (1, 512) if arguments.full_size else (8, 32)
        us, them = [], []
        for _ in range(arguments.rounds):
            us.append(ours(folder, work / "job", arguments.steps, *shape))
            them.append(peer(folder, arguments.steps, *shape))
    base = statistics.median(entry["pace"] for entry in them)
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"batch {shape[0]}, {shape[1]} px, {arguments.steps} steps, {arguments.rounds} rounds, {time.strftime('%F')}")
    print("\n| loop | steps/s | against the bare loop | device memory, MiB |\n|---|---|---|---|")
    print(row("isengard's trainer", us, base))
    print(row("bare diffusers and PEFT", them, base))
    print(f"\nMost main memory of one process: {most:.0f} MiB.")


if __name__ == "__main__":
    main()
