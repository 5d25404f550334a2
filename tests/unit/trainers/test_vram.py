"""The estimate of GPU memory: right in its order of magnitude, and honest about what it does not know."""

import struct
from pathlib import Path
from typing import Any

import pytest

from isengard.datasets.demo import tiny_model
from isengard.trainers import out_of_memory, vram
from isengard.trainers.causes import Evidence, diagnose
from isengard.trainers.model_facts import facts_of

GIB = 2**30
SDXL: dict[str, Any] = {
    "base_model": "stabilityai/stable-diffusion-xl-base-1.0",
    "arch": "sdxl",
    "resolution": 1024,
    "batch_size": 4,
    "lora_rank": 32,
    "optimizer": "adamw",
    "gradient_checkpointing": False,
    "quantize": False,
}
FLUX = {**SDXL, "base_model": "black-forest-labs/FLUX.1-dev", "arch": "flux", "batch_size": 1}


def gb(**config: Any) -> float:
    found = vram.estimate(config)
    assert found
    return found.total / 1e9


@pytest.mark.parametrize(
    ("config", "least", "most"),
    [
        ({**SDXL, "batch_size": 1, "gradient_checkpointing": True}, 8, 14),
        ({**SDXL, "arch": "sd1", "base_model": "x/stable-diffusion-v1-5", "batch_size": 1, "resolution": 512}, 4, 8),
        ({**FLUX, "gradient_checkpointing": True, "quantize": True, "optimizer": "adamw8bit"}, 18, 26),
        ({**FLUX, "gradient_checkpointing": True}, 34, 48),
    ],
)
def test_known_trainings_need_about_what_people_report(config: dict[str, Any], least: float, most: float) -> None:
    assert least < gb(**config) < most


SD15: dict[str, Any] = {"base_model": "x/stable-diffusion-v1-5", "resolution": 512, "batch_size": 1, "lora_rank": 16}
XL: dict[str, Any] = {**SD15, "base_model": "x/stable-diffusion-xl", "resolution": 1024}
FLUX1: dict[str, Any] = {**XL, "base_model": "x/FLUX.1-dev"}
CHECKPOINTED = {"gradient_checkpointing": True}


@pytest.mark.parametrize(
    ("config", "calculated"),
    [
        (SD15, 2.9),
        ({**SD15, **CHECKPOINTED}, 2.4),
        ({**SD15, "batch_size": 4}, 6.4),
        ({**SD15, "resolution": 768}, 4.4),
        ({**SD15, "precision": "fp32"}, 5.1),
        (XL, 13.2),
        ({**XL, "resolution": 512}, 7.5),
        ({**XL, **CHECKPOINTED}, 8.0),
        ({**XL, **CHECKPOINTED, "batch_size": 4}, 8.3),
        ({**FLUX1, **CHECKPOINTED}, 26.8),
        ({**FLUX1, "resolution": 512}, 34.0),
        (FLUX1, 53.7),
    ],
)
def test_the_estimate_leaves_room_above_what_the_shapes_give(config: dict[str, Any], calculated: float) -> None:
    """Peaks in GB by `bench/gpu_memory.py`, of a step or of a sample, without CUDA's context and workspaces."""
    assert calculated + 0.7 < gb(**config) < calculated * 1.05 + 2.5


def test_without_samples_none_is_decoded() -> None:
    assert gb(**{**XL, **CHECKPOINTED, "sample_every_n_steps": 0}) < gb(**{**XL, **CHECKPOINTED}) - 1


def test_every_setting_counts_in_its_direction() -> None:
    assert gb(**SDXL) > gb(**{**SDXL, "batch_size": 2}) > gb(**{**SDXL, "batch_size": 2, "resolution": 768})
    assert gb(**SDXL) > gb(**{**SDXL, "gradient_checkpointing": True})
    assert gb(**SDXL) > gb(**{**SDXL, "optimizer": "adamw8bit"}) > gb(**{**SDXL, "optimizer": "sgd"})
    assert gb(**SDXL) > gb(**{**SDXL, "lora_rank": 8})
    assert gb(**SDXL) > gb(**{**SDXL, "quantize": True})


def test_what_would_fit_is_found_and_fits() -> None:
    settings = vram.fitting(SDXL, 24 * GIB)
    assert settings
    assert gb(**{**SDXL, **settings}) * 1e9 <= 24 * GIB
    assert next(iter(settings)) == "gradient_checkpointing", "what costs only time comes first"
    assert vram.fitting({**SDXL, **settings}, 24 * GIB) == {}
    assert vram.fitting(FLUX, 4 * GIB) is None


def test_a_folder_is_measured_by_its_headers() -> None:
    from safetensors.numpy import load_file

    folder = tiny_model()
    facts = facts_of(str(folder), "sdxl")
    assert facts is not None
    assert facts.certain
    [weights] = sorted((folder / "unet").glob("*.safetensors"))
    assert facts.learner == sum(tensor.size for tensor in load_file(weights).values())
    assert facts.others > 0
    assert facts.lora_per_rank > 0


def test_what_is_not_known_is_not_guessed(tmp_path: Path) -> None:
    assert vram.estimate({"base_model": "somebody/something", "arch": None}) is None
    assert vram.estimate({}) is None
    damaged = tmp_path / "model.safetensors"
    damaged.write_bytes(struct.pack("<Q", 10**9) + b"{")
    assert vram.estimate({"base_model": str(damaged)}) is None
    assert vram.fitting({"base_model": "somebody/something"}, 24 * GIB) is None


def test_the_diagnosis_of_an_oom_names_settings_that_fit_that_gpu() -> None:
    error = "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 23.65 GiB."
    cause = diagnose(Evidence("OutOfMemoryError", error, config=SDXL))
    assert cause.settings == vram.fitting(SDXL, 23.65 * GIB)
    assert "set gradient_checkpointing to True (it was False)" in cause.advice
    assert out_of_memory.smaller({"batch_size": 8}, error) == {"batch_size": 4}


CROWDED = (
    "CUDA out of memory. Tried to allocate 1.50 GiB. GPU 0 has a total capacity of 79.18 GiB of which 812.56 MiB is "
    "free. Process 4711 has 61.40 GiB memory in use. Process 42 has 310.00 MiB memory in use. Including non-PyTorch "
    "memory, this process has 16.90 GiB memory in use. Of the allocated memory 15.80 GiB is allocated by PyTorch, and "
    "321.02 MiB is reserved by PyTorch but unallocated."
)


def test_an_oom_on_a_gpu_that_others_use_names_them_and_settings_for_what_is_left() -> None:
    cause = diagnose(Evidence("torch.OutOfMemoryError", CROWDED, config=SDXL))
    assert "process 4711 held 61.4 GiB" in cause.explanation
    assert "42" not in cause.explanation, "a few hundred MiB are a desktop"
    assert cause.advice[0].startswith("End process 4711")
    assert cause.settings == vram.fitting(SDXL, (79.18 - 61.4) * GIB)
    assert vram.fitting(SDXL, 79.18 * GIB) == {}


def test_a_gpu_that_others_fill_leaves_halving() -> None:
    full = CROWDED.replace("61.40", "79.00")
    assert out_of_memory.smaller({"base_model": SDXL["base_model"], "batch_size": 8}, full) == {"batch_size": 4}
