"""The autoencoder: 32×32 pixels to an 8×8 grid of 8 figures and back, trained on scenes and on clutter."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from tiny_model.progress import Keeper
from tiny_model.scenes import SIZE, clutter, pixels, scene

LATENT_CHANNELS = 8
BATCH = 16
CYCLES = ((9000, 2e-3),)
"""Steps and peak learning rate of each one-cycle."""
KL_WEIGHT = 1e-5
FIRST_LOGVAR = -6.0


def build() -> AutoencoderKL:
    """A fresh autoencoder of 0.7 million parameters, which begins with almost no noise in its latents."""
    vae = AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(16, 32, 64),
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=1,  # several groups would each lose their mean, and with it the colour of a plain background
        sample_size=SIZE,
        mid_block_add_attention=False,
    )
    nn.init.constant_(vae.quant_conv.bias[LATENT_CHANNELS:], FIRST_LOGVAR)
    return vae


def to_tensor(images: list[np.ndarray]) -> Tensor:
    """Bytes to a float batch in -1 to 1."""
    return torch.from_numpy(np.stack(images)).float().div_(127.5).sub_(1)


def _batch(seed: int) -> Tensor:
    rng = random.Random(seed)
    pictures = [clutter(rng) if i % 3 == 0 else scene(rng)[0] for i in range(BATCH)]
    return to_tensor([pixels(picture) for picture in pictures])


def _edges(images: Tensor) -> tuple[Tensor, Tensor]:
    return images[..., 1:] - images[..., :-1], images[..., 1:, :] - images[..., :-1, :]


def _loss(vae: AutoencoderKL, images: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        posterior = vae.encode(images).latent_dist
        decoded = vae.decode(posterior.sample()).sample
    decoded = decoded.float()
    l1 = nn.functional.l1_loss(decoded, images)
    edge = sum(
        nn.functional.l1_loss(ours, theirs) for ours, theirs in zip(_edges(decoded), _edges(images), strict=True)
    )
    mean, logvar = posterior.mean.float(), posterior.logvar.float()
    kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
    return l1 + 0.5 * edge + nn.functional.mse_loss(decoded, images) + KL_WEIGHT * kl


def train(work: Path, seed: int) -> AutoencoderKL:
    """Train through all cycles, going on from what `work` holds; the result knows its `scaling_factor`."""
    torch.manual_seed(seed)
    vae = build()
    for number, (steps, peak) in enumerate(CYCLES):
        _cycle(vae, work / f"vae-{number}.pt", steps, peak, seed + number)
    vae.eval().requires_grad_(False)
    vae.register_to_config(scaling_factor=_scaling(vae))
    return vae


def _cycle(vae: AutoencoderKL, state: Path, steps: int, peak: float, seed: int) -> None:
    optimizer = torch.optim.AdamW(vae.parameters(), lr=peak, weight_decay=1e-4, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, peak, total_steps=steps, pct_start=0.1)
    recipe = f"{vae.to_json_string()} {steps} {peak} {seed} {BATCH} {KL_WEIGHT}"
    keeper = Keeper(state, {"model": vae, "optimizer": optimizer, "schedule": schedule}, recipe)
    for step in range(keeper.restore(), steps):
        torch.manual_seed(seed * 1_000_003 + step)
        loss = _loss(vae, _batch(seed * 1_000_003 + step))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        keeper.tick(step + 1, steps, loss.item())


@torch.no_grad()
def _scaling(vae: AutoencoderKL) -> float:
    """What brings the latents of scenes to a standard deviation of one."""
    rng = random.Random(0)
    latents = vae.encode(to_tensor([pixels(scene(rng)[0]) for _ in range(256)])).latent_dist.mode()
    return round(1.0 / latents.std().item(), 5)
