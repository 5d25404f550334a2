"""ai-toolkit's configuration as we write it."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from isengard.trainers.aitoolkit import config
from isengard.trainers.aitoolkit.parameters import AIToolkitParameters
from isengard.trainers.base import TrainingJob


def job(tmp_path: Path, **settings: Any) -> TrainingJob:
    parameters = AIToolkitParameters(**settings).model_dump(mode="json")
    return TrainingJob(
        job_id="train-abc",
        correlation_id="corr-1",
        character_id="char-1",
        character_name="Ada",
        trigger_word="adx",
        config=parameters,
        dataset=tmp_path / "dataset",
        samples=tmp_path / "samples",
        checkpoints=tmp_path / "checkpoints",
        workdir=tmp_path,
        output=tmp_path / "lora.safetensors",
    )


def process(tmp_path: Path, **settings: Any) -> dict[str, Any]:
    section: dict[str, Any] = config.build(job(tmp_path, **settings))["config"]["process"][0]
    return section


def test_sd15_is_trained_by_noise_prediction_without_naming_an_architecture(tmp_path: Path) -> None:
    section = process(tmp_path, arch="sd1", base_model="models/sd15")
    assert "arch" not in section["model"]
    assert section["train"]["noise_scheduler"] == section["sample"]["sampler"] == "ddpm"


def test_flux_is_trained_by_flow_matching_in_bf16(tmp_path: Path) -> None:
    section = process(tmp_path, arch="flux", quantize=True)
    assert section["model"]["arch"] == "flux"
    assert section["model"]["quantize"] is True
    assert section["train"]["noise_scheduler"] == section["sample"]["sampler"] == "flowmatch"
    assert section["train"]["dtype"] == "bf16"


def test_extra_reaches_any_depth_and_leaves_the_rest_alone(tmp_path: Path) -> None:
    extra = {"train": {"noise_offset": 0.1}, "datasets": [{"flip_x": True}, {"folder_path": "reg", "is_reg": True}]}
    section = process(tmp_path, extra=extra)
    assert section["train"]["noise_offset"] == 0.1
    assert section["train"]["steps"] == 1000
    assert section["datasets"][0]["flip_x"] is True
    assert section["datasets"][0]["folder_path"] == str(tmp_path / "dataset")
    assert section["datasets"][1]["is_reg"] is True


@pytest.mark.parametrize("key", ["training_folder", "sqlite_db_path", "logging", "type"])
def test_extra_may_not_move_what_the_run_is_followed_by(key: str) -> None:
    with pytest.raises(ValidationError, match=key):
        AIToolkitParameters(extra={key: {}})


def test_no_prompt_can_reach_into_the_environment(tmp_path: Path) -> None:
    prompt = 'a cat ${HOME} "quoted" and ${PATH}, ünïcode'
    text = config.dump(config.build(job(tmp_path, sample_prompts=[prompt])))
    assert "${" not in text
    assert yaml.safe_load(text)["config"]["process"][0]["sample"]["prompts"] == [prompt]


def test_zero_means_no_samples_and_only_the_final_checkpoint(tmp_path: Path) -> None:
    section = process(tmp_path, steps=50, sample_every_n_steps=0, checkpoint_every_n_steps=0)
    assert section["train"]["disable_sampling"] is True
    assert section["save"]["save_every"] == 51
