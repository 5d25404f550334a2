"""Stable Diffusion 1.5, XL and FLUX.1 in their real size with random weights: they cost what the real ones cost.

Every network has the layers and widths of the published configuration, text encoders included. The tokenizers know only
letters, which changes no shape: prompts are padded to the real length. Made on the GPU where there is one, for twelve
billion random numbers take a CPU minutes.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5TokenizerFast,
)


def make(kind: str, folder: Path) -> Path:
    """Write the pipeline of `kind`, a key of `KINDS`, in 16 bit below `folder`; returns its folder."""
    with quick(torch.bfloat16, "cuda" if torch.cuda.is_available() else "cpu"):
        pipeline = KINDS[kind]()
    pipeline.save_pretrained(folder / kind)
    del pipeline
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return folder / kind


@contextmanager
def quick(dtype: torch.dtype, device: str) -> Iterator[None]:
    """Networks made inside have this format and lie on this device."""
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            yield
    finally:
        torch.set_default_dtype(before)


def _tokenizer() -> Any:
    letters = string.ascii_lowercase + string.digits + " ,.-"
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={token: i for i, token in enumerate(tokens)}, merges=[], model_max_length=77)


def _clip(tokens: Any, width: int, layers: int, heads: int, **more: Any) -> CLIPTextConfig:
    ends = {"bos_token_id": tokens.bos_token_id, "eos_token_id": tokens.eos_token_id}
    return CLIPTextConfig(
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        pad_token_id=tokens.pad_token_id,
        **ends,
        **more,
    )


def autoencoder(**more: Any) -> AutoencoderKL:
    """The autoencoder that all kinds share, in its settings for Stable Diffusion unless `more` says otherwise."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(128, 256, 512, 512),
        layers_per_block=2,
        **more,
    )


def _sdxl_unet() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=128,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(320, 640, 1280),
        transformer_layers_per_block=(1, 2, 10),
        attention_head_dim=(5, 10, 20),
        cross_attention_dim=2048,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2816,
    )


DENOISERS: dict[str, Callable[[], Any]] = {
    "sd1": lambda: UNet2DConditionModel(sample_size=64, cross_attention_dim=768),
    "sdxl": _sdxl_unet,
    "flux": lambda: FluxTransformer2DModel(guidance_embeds=True),
}
"""The networks that learn, by the same names."""


def _scheduler() -> DDIMScheduler:
    return DDIMScheduler(
        beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, clip_sample=False, steps_offset=1
    )


def _sd15() -> Any:
    tokens = _tokenizer()
    return StableDiffusionPipeline(
        vae=autoencoder(sample_size=512),
        text_encoder=CLIPTextModel(_clip(tokens, 768, 12, 12)),
        tokenizer=tokens,
        unet=DENOISERS["sd1"](),
        scheduler=_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _sdxl() -> Any:
    tokens = _tokenizer()
    return StableDiffusionXLPipeline(
        vae=autoencoder(sample_size=1024, scaling_factor=0.13025, force_upcast=True),
        text_encoder=CLIPTextModel(_clip(tokens, 768, 12, 12)),
        text_encoder_2=CLIPTextModelWithProjection(_clip(tokens, 1280, 32, 20, projection_dim=1280)),
        tokenizer=tokens,
        tokenizer_2=_tokenizer(),
        unet=DENOISERS["sdxl"](),
        scheduler=_scheduler(),
        add_watermarker=False,
    )


def _flux() -> Any:
    tokens = _tokenizer()
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((c, -2.0) for c in "▁" + string.ascii_lowercase)]
    return FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
        vae=autoencoder(
            sample_size=1024,
            latent_channels=16,
            scaling_factor=0.3611,
            shift_factor=0.1159,
            use_quant_conv=False,
            use_post_quant_conv=False,
        ),
        text_encoder=CLIPTextModel(_clip(tokens, 768, 12, 12)),
        tokenizer=tokens,
        text_encoder_2=T5EncoderModel(
            T5Config(
                d_model=4096,
                d_kv=64,
                d_ff=10240,
                num_layers=24,
                num_heads=64,
                feed_forward_proj="gated-gelu",
                decoder_start_token_id=0,
            )
        ),
        tokenizer_2=T5TokenizerFast(vocab=pieces, model_max_length=512, extra_ids=0),
        transformer=DENOISERS["flux"](),
    )


KINDS = {"sd1": _sd15, "sdxl": _sdxl, "flux": _flux}
"""Builders by the names that `trainers/model_facts.py` gives these kinds."""
