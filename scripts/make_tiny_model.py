"""Train the tiny base model of the demo from nothing, on scenes that a script draws.

    python scripts/make_tiny_model.py [--work FOLDER] [--output FOLDER]

About an hour on two CPU cores. Interrupt it as you like: the work folder keeps the state, and the same command
goes on. Everything follows from two seeds, up to the last bits, which differ between processors and torch versions.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline

from tiny_model import autoencoder, card, denoiser, language

SEED = 7
SCENES_SEED = 11
SCENES = 30_000
OUTPUT = Path(__file__).parent.parent / "src/isengard/demo/tiny_model"
LIMIT = 6_000_000


def train(work: Path) -> StableDiffusionPipeline:
    """All parts, trained and put together."""
    tokens = language.tokenizer()
    vae = autoencoder.train(work, SEED)
    scenes = denoiser.encode_scenes(work, vae, tokens, SCENES, SCENES_SEED)
    unet, text = denoiser.train(work, scenes, tokens, SEED)
    return StableDiffusionPipeline(
        vae=vae,
        text_encoder=text,
        tokenizer=tokens,
        unet=unet,
        scheduler=denoiser.scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def save(pipeline: StableDiffusionPipeline, output: Path) -> None:
    """Write the pipeline in 16 bit, with the vocabulary files that older transformers read, and its card."""
    shutil.rmtree(output, ignore_errors=True)
    pipeline.to(dtype=torch.float16).save_pretrained(output)
    _load_in_32_bit(output / "text_encoder" / "config.json")
    _vocabulary(output / "tokenizer")
    (output / "README.md").write_text(card.text(pipeline, SEED, SCENES), encoding="utf-8")
    size = sum(file.stat().st_size for file in output.rglob("*") if file.is_file())
    print(f"{output}: {size:,} bytes")
    if size > LIMIT:
        raise SystemExit(f"larger than {LIMIT:,} bytes")


def _load_in_32_bit(config: Path) -> None:
    """transformers loads in the number format that is named here, diffusers in 32 bit: one pipeline would have both."""
    told = json.loads(config.read_text(encoding="utf-8"))
    config.write_text(json.dumps({**told, "dtype": "float32"}, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _vocabulary(folder: Path) -> None:
    model = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"], ensure_ascii=False), encoding="utf-8")
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n", encoding="utf-8")


def main() -> None:
    """Read the command line, train, save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("build/tiny-model"))
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(arguments.threads)
    save(train(arguments.work), arguments.output)


if __name__ == "__main__":
    main()
