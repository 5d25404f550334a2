"""The base model that comes along: small, loaded without a word, and its colours where the prompt says."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline

from isengard.datasets import demo

COLOURS = {
    "red": (220, 45, 45),
    "yellow": (250, 220, 60),
    "green": (65, 170, 75),
    "blue": (55, 100, 220),
    "black": (25, 25, 30),
    "white": (248, 248, 248),
}


@pytest.fixture(scope="module")
def pipeline() -> Any:
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = StableDiffusionPipeline.from_pretrained(demo.tiny_model(), safety_checker=None, local_files_only=True)
    loaded.set_progress_bar_config(disable=True)
    return loaded


def _nearest(pixels: np.ndarray[Any, Any]) -> str:
    mean = pixels.reshape(-1, 3).mean(axis=0)
    return min(COLOURS, key=lambda name: float(np.abs(mean - np.array(COLOURS[name])).sum()))


def test_whoever_names_no_number_format_gets_one_for_all_parts(pipeline: Any) -> None:
    assert {part.dtype for part in (pipeline.text_encoder, pipeline.unet, pipeline.vae)} == {torch.float32}


def test_it_is_no_larger_than_six_megabytes() -> None:
    assert sum(file.stat().st_size for file in demo.tiny_model().rglob("*") if file.is_file()) <= 6_000_000


@pytest.mark.parametrize(
    ("thing", "background"), [("blue", "white"), ("white", "black"), ("red", "yellow"), ("yellow", "blue")]
)
def test_a_prompt_decides_the_colours_of_thing_and_background(pipeline: Any, thing: str, background: str) -> None:
    image = pipeline(
        f"a {thing} square on a {background} background",
        num_inference_steps=10,
        guidance_scale=5.0,
        generator=torch.Generator().manual_seed(1),
    ).images[0]
    pixels = np.asarray(image, dtype=np.float64)

    middle = image.height // 2
    assert _nearest(pixels[middle - 2 : middle + 2, middle - 2 : middle + 2]) == thing
    assert _nearest(pixels[2:4, :]) == background


def test_every_word_of_a_prompt_is_read_even_an_unknown_one(pipeline: Any) -> None:
    pieces = pipeline.tokenizer.tokenize("a red star, Mizu!")
    assert pieces[:3] == ["a</w>", "red</w>", "star</w>"]
    assert "".join(pieces[4:-1]).replace("</w>", "") == "mizu"


def test_each_demo_picture_has_a_caption_with_the_trigger_word() -> None:
    pictures = sorted(demo.character().glob("*.png"))
    assert len(pictures) == 12
    for picture in pictures:
        assert picture.with_suffix(".txt").read_text().startswith(demo.TRIGGER_WORD)
