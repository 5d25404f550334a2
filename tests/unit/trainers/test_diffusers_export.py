"""The LoRA file: loaded by diffusers it gives the very model that was trained, and it says what it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DiffusionPipeline
from safetensors import safe_open
from safetensors.torch import load_file

from isengard.trainers.diffusers.engine.loop import Loop
from isengard.trainers.diffusers.engine.session import prepare
from isengard.trainers.diffusers.parameters import DiffusersParameters
from standins import tiny_pipelines
from standins.lora_job import Bench

MODELS: dict[str, Callable[[Path], Path]] = {
    "sd": tiny_pipelines.stable_diffusion,
    "sdxl": tiny_pipelines.stable_diffusion_xl,
    "flux": tiny_pipelines.flux,
}


def _train(bench: Bench) -> Any:
    """Train and return the pipeline as it stands in the trainer's memory, its LoRA still separate."""
    run, parameters = bench.run(), DiffusersParameters(**bench.job.config)
    session = prepare(run, parameters)
    Loop(run, session).run()
    session.adapter.learning(False)
    return session.family.pipeline


def _inputs(pipeline: Any) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(5)

    def noise(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    if hasattr(pipeline, "transformer"):
        return {
            "hidden_states": noise(1, 64, 16),
            "encoder_hidden_states": noise(1, 12, 16),
            "pooled_projections": noise(1, 16),
            "timestep": torch.tensor([0.4]),
            "guidance": torch.ones(1),
            "img_ids": torch.zeros(64, 3),
            "txt_ids": torch.zeros(12, 3),
        }
    width = pipeline.unet.config.cross_attention_dim
    added = {"added_cond_kwargs": {"text_embeds": noise(1, 16), "time_ids": torch.full((1, 6), 32.0)}}
    return {
        "sample": noise(1, 4, 16, 16),
        "timestep": torch.tensor([400]),
        "encoder_hidden_states": noise(1, 12, width),
        **(added if width == 32 else {}),
    }


def _output(pipeline: Any) -> torch.Tensor:
    network = pipeline.transformer if hasattr(pipeline, "transformer") else pipeline.unet
    with torch.no_grad():
        result: torch.Tensor = network.eval()(**_inputs(pipeline), return_dict=False)[0]
    return result


@pytest.mark.parametrize("targets", ["attention", "wide"])
@pytest.mark.parametrize("model", list(MODELS))
def test_the_saved_lora_gives_the_output_of_the_trained_model(tmp_path: Path, model: str, targets: str) -> None:
    base = MODELS[model](tmp_path / "base")
    bench = Bench(tmp_path, base, target_modules=targets, lora_alpha=1.5, lora_rank=4).draw_dataset()
    trained = _output(_train(bench))

    fresh = DiffusionPipeline.from_pretrained(base, local_files_only=True)
    untrained = _output(fresh)
    fresh.load_lora_weights(bench.job.output)  # a dropped key is a RuntimeWarning, which is an error here
    loaded = _output(fresh)
    assert not torch.allclose(untrained, trained, atol=1e-3)
    assert torch.allclose(loaded, trained, atol=1e-5)


@pytest.mark.parametrize("model", ["sd", "sdxl"])
def test_the_text_encoders_part_comes_back_too(tmp_path: Path, model: str) -> None:
    base = MODELS[model](tmp_path / "base")
    bench = Bench(tmp_path, base, train_text_encoder=True, lora_rank=4).draw_dataset()
    trained = _train(bench)

    fresh = DiffusionPipeline.from_pretrained(base, local_files_only=True)
    before = _states(fresh)
    fresh.load_lora_weights(bench.job.output)
    assert not torch.allclose(before, _states(trained), atol=1e-4)
    assert torch.allclose(_states(fresh), _states(trained), atol=1e-5)


def _states(pipeline: Any) -> torch.Tensor:
    with torch.no_grad():
        states: torch.Tensor = pipeline.encode_prompt(
            "pip", device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=False
        )[0]
    return states


def test_the_file_carries_what_other_programs_read(tmp_path: Path) -> None:
    bench = Bench(tmp_path, tiny_pipelines.stable_diffusion(tmp_path / "base", "v_prediction"), lora_alpha=1.5)
    bench.draw_dataset().train()

    with safe_open(bench.job.output, "pt") as file:
        said = file.metadata()
    assert said["ss_network_module"] == "networks.lora"
    assert (said["ss_network_dim"], said["ss_network_alpha"]) == ("2", "1.5")
    assert said["ss_base_model_version"] == "sd_v1"
    assert said["ss_output_name"] == "pip"
    assert (said["ss_steps"], said["ss_num_train_images"], said["ss_num_batches_per_epoch"]) == ("4", "3", "2")
    assert json.loads(said["ss_tag_frequency"]) == {"Pip": {"pip": 3, "scene a": 1, "scene b": 1, "scene c": 1}}
    assert said["modelspec.sai_model_spec"] == "1.0.0"
    assert said["modelspec.architecture"] == "stable-diffusion-v1/lora"
    assert (said["modelspec.prediction_type"], said["modelspec.trigger_phrase"]) == ("v", "pip")
    assert said["modelspec.resolution"] == "32x32"
    assert str(tmp_path) not in json.dumps(said)
    alphas = {float(tensor) for name, tensor in load_file(bench.job.output).items() if name.endswith(".alpha")}
    assert alphas == {1.5}


@pytest.mark.parametrize(("model", "version"), [("sdxl", "sdxl_base_v1-0"), ("flux", "flux1")])
def test_the_base_models_kind_stands_in_the_file(tmp_path: Path, model: str, version: str) -> None:
    bench = Bench(tmp_path, MODELS[model](tmp_path / "base"), steps=1).draw_dataset().train()

    with safe_open(bench.job.output, "pt") as file:
        assert file.metadata()["ss_base_model_version"] == version


def test_half_precision_models_leave_half_precision_files(tmp_path: Path) -> None:
    bench = Bench(
        tmp_path, tiny_pipelines.stable_diffusion(tmp_path / "base"), precision="bf16", sample_every_n_steps=2
    )
    bench.draw_dataset().train()

    assert {tensor.dtype for tensor in load_file(bench.job.output).values()} == {torch.bfloat16}
    assert len(bench.reports("training.sample")) == 3
