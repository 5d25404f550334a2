"""The model card that is written beside the weights."""

from __future__ import annotations

from diffusers import StableDiffusionPipeline

from tiny_model.autoencoder import BATCH as VAE_BATCH
from tiny_model.autoencoder import CYCLES
from tiny_model.denoiser import BATCH, CYCLE
from tiny_model.scenes import COLOURS, PLACES, SHAPES

_TEMPLATE = """---
license: apache-2.0
library_name: diffusers
pipeline_tag: text-to-image
---

# Isengard's tiny base model

A text-to-image latent diffusion model small enough to be trained, and to have a LoRA trained on it, by two CPU cores.
It draws flat coloured shapes on plain backgrounds at 32×32 pixels. It exists so that Isengard's demo and tests are a
real training of real diffusers classes, without a GPU or a download. It is of no other use.

| part | class | parameters |
|---|---|---|
{parts}

Latents are 8×8 with 8 channels; the UNet predicts v with noise that ends at zero signal (`timestep_spacing`
`trailing`). Weights are stored in 16 bit and loaded in 32, which a CPU needs.

```python
from diffusers import StableDiffusionPipeline

pipe = StableDiffusionPipeline.from_pretrained("tiny_model", safety_checker=None)
pipe("a red star on a yellow background", num_inference_steps=20, guidance_scale=5).images[0]
```

## What it knows

Colours: {colours}. Shapes: {shapes}. Sizes: small, big. Places:{places}. Two things: "a red circle and
a blue square on a white background". A word it has not seen falls apart into letters and means nothing.

## How it was made

`python scripts/make_tiny_model.py`, seed {seed}: every picture and caption is drawn by `scripts/tiny_model/scenes.py`;
no outside data of any kind. Autoencoder: {vae}. UNet and text model together: {scenes} scenes,
{unet}, caption dropout 0.1, averaged weights.

## Limits

Two things in one picture are often mixed up; small details are soft; anything beyond the list above is noise or a
plain background. It knows no people, no writing and no style, and cannot be taught much beyond a simple figure.
"""


def text(pipeline: StableDiffusionPipeline, seed: int, scenes: int) -> str:
    """The card of this very model."""
    parts = {name: part for name, part in pipeline.components.items() if hasattr(part, "parameters")}
    rows = [
        f"| `{name}` | {type(part).__name__} | {sum(weight.numel() for weight in part.parameters()):,} |"
        for name, part in parts.items()
    ]
    cycles = ", then ".join(f"{steps} steps of {VAE_BATCH} up to lr {peak:g}" for steps, peak in CYCLES)
    return _TEMPLATE.format(
        parts="\n".join(rows),
        colours=", ".join(COLOURS),
        shapes=", ".join(SHAPES),
        places=",".join(place for place in PLACES if place),
        seed=seed,
        vae=cycles,
        scenes=f"{scenes:,}",
        unet=f"{CYCLE[0]} steps of {BATCH} up to lr {CYCLE[1]:g}",
    )
