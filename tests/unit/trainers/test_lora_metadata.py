"""A LoRA that another program made is handed on with what people's tools read, its tensors untouched."""

from pathlib import Path

import numpy as np

from isengard.trainers import lora_metadata
from isengard.trainers.base import TrainingJob


def test_what_is_missing_is_added_and_what_is_there_stays(tmp_path: Path) -> None:
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file

    tensors = {"lora_unet_x.lora_down.weight": np.arange(12, dtype=np.float16).reshape(3, 4)}
    source = tmp_path / "made.safetensors"
    save_file(tensors, source, {"ss_base_model_version": "sd_1.5", "ss_output_name": "train-1", "ss_network_dim": "99"})
    job = TrainingJob(
        job_id="train-1",
        correlation_id="corr-1",
        character_id="char-1",
        character_name="Ada Ünal",
        trigger_word="adx",
        config={"arch": "sd1", "lora_rank": 4},
        dataset=tmp_path,
        samples=tmp_path,
        checkpoints=tmp_path,
        workdir=tmp_path,
        output=tmp_path / "loras" / "adx-1.safetensors",
    )

    lora_metadata.export(source, job)

    with safe_open(job.output, "np") as file:
        metadata = file.metadata()
    assert metadata["ss_base_model_version"] == "sd_1.5"
    assert metadata["ss_network_dim"] == "99"
    assert metadata["ss_output_name"] == "adx-1"
    assert metadata["modelspec.title"] == "Ada Ünal"
    assert metadata["modelspec.trigger_phrase"] == "adx"
    assert metadata["modelspec.architecture"] == "stable-diffusion-v1/lora"
    assert str(tmp_path) not in str(metadata)
    np.testing.assert_array_equal(load_file(job.output)["lora_unet_x.lora_down.weight"], *tensors.values())
