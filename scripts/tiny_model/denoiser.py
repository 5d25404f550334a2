"""The denoiser: a small UNet with cross-attention, trained together with its text model on the latents of scenes."""

from __future__ import annotations

import random
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from tiny_model.autoencoder import LATENT_CHANNELS, to_tensor
from tiny_model.language import WIDTH, text_encoder
from tiny_model.progress import Keeper
from tiny_model.scenes import pixels, scene

BATCH = 32
CYCLE = (3000, 2e-3)
"""Steps and peak learning rate of the one-cycle."""
CAPTION_DROPOUT = 0.1
EMA_DECAY = 0.998


@dataclass(frozen=True, slots=True)
class Scenes:
    """Encoded pictures: latents (n, 8, 8, 8) with a standard deviation of one, and token numbers (n, 24)."""

    latents: Tensor
    tokens: Tensor


def build() -> UNet2DConditionModel:
    """A fresh UNet."""
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(56, 80),
        layers_per_block=1,
        cross_attention_dim=WIDTH,
        attention_head_dim=4,
        norm_num_groups=8,
    )


def scheduler() -> DDIMScheduler:
    """Noise with no signal left at its end, so that a plain background can have any colour."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,
    )


@torch.no_grad()
def encode_scenes(work: Path, vae: AutoencoderKL, tokens: CLIPTokenizer, count: int, seed: int) -> Scenes:
    """Draw and encode `count` scenes; kept in `work`, so that a second call only reads."""
    kept = work / f"scenes-{count}.pt"
    if not kept.exists():
        rng = random.Random(seed)
        latents, numbers = [], []
        for start in range(0, count, 250):
            pairs = [scene(rng) for _ in range(250)]
            images = to_tensor([pixels(image) for image, _ in pairs])
            latents.append(vae.encode(images).latent_dist.mode() * vae.config.scaling_factor)
            text = [caption for _, caption in pairs]
            numbers.append(tokens(text, padding="max_length", truncation=True, return_tensors="pt").input_ids)
            if start % 5000 == 0:
                print(f"scenes: {start}/{count}", flush=True)
        torch.save({"latents": torch.cat(latents), "tokens": torch.cat(numbers)}, kept)
    return Scenes(**torch.load(kept, weights_only=True))


def _averaged(model: nn.Module) -> nn.Module:
    return deepcopy(model).eval().requires_grad_(False)


@torch.no_grad()
def _average(average: nn.Module, model: nn.Module, step: int) -> None:
    decay = min(EMA_DECAY, (1 + step) / (10 + step))
    for kept, fresh in zip(average.parameters(), model.parameters(), strict=True):
        kept.lerp_(fresh, 1 - decay)


def _loss(model: nn.ModuleDict, noise: DDIMScheduler, scenes: Scenes, empty: Tensor) -> Tensor:
    chosen = torch.randint(len(scenes.latents), (BATCH,))
    latents, numbers = scenes.latents[chosen], scenes.tokens[chosen].clone()
    numbers[torch.rand(BATCH) < CAPTION_DROPOUT] = empty
    added = torch.randn_like(latents)
    times = torch.randint(0, noise.config.num_train_timesteps, (BATCH,))
    noisy = noise.add_noise(latents, added, times)
    guess = model["unet"](noisy, times, model["text"](numbers)[0]).sample
    return nn.functional.mse_loss(guess, noise.get_velocity(latents, added, times))


def train(work: Path, scenes: Scenes, tokens: CLIPTokenizer, seed: int) -> tuple[UNet2DConditionModel, CLIPTextModel]:
    """Train, going on from what `work` holds; returns the averaged weights."""
    torch.manual_seed(seed)
    steps, peak = CYCLE
    model = nn.ModuleDict({"unet": build(), "text": text_encoder(tokens)})
    average, noise = _averaged(model), scheduler()
    optimizer = torch.optim.AdamW(model.parameters(), lr=peak, weight_decay=1e-3, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, peak, total_steps=steps, pct_start=0.08)
    parts = {"model": model, "average": average, "optimizer": optimizer, "schedule": schedule}
    keeper = Keeper(work / "unet.pt", parts, f"{model['unet'].to_json_string()} {CYCLE} {seed} {BATCH}")
    empty = tokens("", padding="max_length", return_tensors="pt").input_ids[0]
    for step in range(keeper.restore(), steps):
        torch.manual_seed(seed * 1_000_003 + step)
        loss = _loss(model, noise, scenes, empty)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        _average(average, model, step)
        keeper.tick(step + 1, steps, loss.item())
    return average["unet"], average["text"]
