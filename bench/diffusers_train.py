"""Steps a second and memory of the diffusers trainer, beside the barest loop that trains the same LoRA.

    python bench/diffusers_train.py [--steps 60] [--rounds 3]
    python bench/diffusers_train.py --full-size            # Stable Diffusion 1.5's size, random weights; wants a GPU

Ours is the whole thing: its own process, reports, requests. The peer is what a tutorial ends with: diffusers, PEFT and
AdamW in a loop over cached latents, printing nothing. Rounds alternate; the first tenth of the steps is warm-up.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from isengard.core.settings import Settings
from isengard.datasets import demo
from isengard.trainers.base import TrainingJob
from isengard.trainers.diffusers.trainer import DiffusersTrainer
from isengard.trainers.parameters import validate_config

_PEER = """
import json, sys, time
import torch
from diffusers import DDPMScheduler, DiffusionPipeline
from diffusers.training_utils import cast_training_params
from peft import LoraConfig

folder, steps, batch, side = sys.argv[1], *map(int, sys.argv[2:5])
device = "cuda" if torch.cuda.is_available() else "cpu"
dtype = torch.bfloat16 if device == "cuda" else torch.float32
pipe = DiffusionPipeline.from_pretrained(folder, dtype=dtype, local_files_only=True).to(device)
unet, noise = pipe.unet.requires_grad_(False), DDPMScheduler.from_config(pipe.scheduler.config)
unet.add_adapter(LoraConfig(r=16, lora_alpha=16, target_modules=["to_q", "to_k", "to_v", "to_out.0"]))
cast_training_params(unet)
weights = [weight for weight in unet.parameters() if weight.requires_grad]
optimizer = torch.optim.AdamW(weights, lr=1e-4)
edge = side // pipe.vae_scale_factor
latents = torch.randn(batch, unet.config.in_channels, edge, edge, device=device)
text = pipe.encode_prompt("a word", device, 1, False)[0].repeat(batch, 1, 1).detach()
unet.train()
for step in range(steps):
    if step == steps // 10:
        torch.cuda.synchronize() if device == "cuda" else None
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


def full_size(folder: Path) -> Path:
    """A pipeline of Stable Diffusion 1.5's size with random weights, 2 GB on disk."""
    import torch
    from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    small = StableDiffusionPipeline.from_pretrained(demo.tiny_model(), safety_checker=None, local_files_only=True)
    tokens = small.tokenizer
    ends = {"bos_token_id": tokens.bos_token_id, "eos_token_id": tokens.eos_token_id}
    wide = (128, 256, 512, 512)
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=wide,
            layers_per_block=2,
        ),
        text_encoder=CLIPTextModel(
            CLIPTextConfig(
                hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12, **ends
            )
        ),
        tokenizer=tokens,
        unet=UNet2DConditionModel(sample_size=64, cross_attention_dim=768),
        scheduler=small.scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.to(dtype=torch.float16).save_pretrained(folder)
    return folder


def ours(folder: Path, work: Path, steps: int, batch: int, side: int) -> dict[str, Any]:
    """Train in a host process and read pace and memory from its reports."""
    shutil.rmtree(work, ignore_errors=True)
    places = {name: work / name for name in ("samples", "checkpoints", "trainer", "requests")}
    for place in places.values():
        place.mkdir(parents=True)
    config = {"base_model": str(folder), "steps": steps, "batch_size": batch, "resolution": side}
    silent = {"sample_every_n_steps": 0, "checkpoint_every_n_steps": 0, "lr_scheduler": "constant"}
    job = TrainingJob(
        job_id="train-bench",
        correlation_id="bench",
        character_id="char-bench",
        character_name=demo.CHARACTER_NAME,
        trigger_word=demo.TRIGGER_WORD,
        config=validate_config(DiffusersTrainer(), {**config, **silent}),
        dataset=demo.character(),
        samples=places["samples"],
        checkpoints=places["checkpoints"],
        workdir=places["trainer"],
        output=work / "lora.safetensors",
    )
    launch = DiffusersTrainer().launch(job, Settings(data_dir=work))
    named = {"ISENGARD_REPORTS": str(work / "reports.jsonl"), "ISENGARD_REQUESTS": str(places["requests"])}
    subprocess.run(launch.argv, env={**os.environ, **launch.env, **named}, check=True)
    return _read(work / "reports.jsonl", steps)


def _read(spool: Path, steps: int) -> dict[str, Any]:
    reports = [json.loads(line) for line in spool.read_text().splitlines()]
    times = [datetime.fromisoformat(r["ts"]).timestamp() for r in reports if r["event"] == "training.step"]
    memory = [r["fields"]["peak_memory_mb"] for r in reports if "peak_memory_mb" in r["fields"]]
    first = steps // 10
    return {"pace": (steps - first) / (times[-1] - times[first - 1]), "device_mb": memory[0] if memory else None}


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
        folder = full_size(work / "model") if arguments.full_size else demo.tiny_model()
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
