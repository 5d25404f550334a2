"""What an external trainer's LoRA file says about itself, completed with what only its job knows.

ComfyUI and A1111 show kohya's ``ss_`` keys and the modelspec standard. Holds no path and no secret: people pass these
files on.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from isengard import __version__
from isengard.trainers.base import TrainingJob
from isengard.trainers.weights import copy_described

_ARCHITECTURES = {
    "sd1": "stable-diffusion-v1/lora",
    "sd2": "stable-diffusion-v2-768-v/lora",
    "sdxl": "stable-diffusion-xl-v1-base/lora",
    "flux": "flux-1-dev/lora",
}


def export(source: Path, job: TrainingJob) -> None:
    """Copy the trainer's LoRA to ``job.output`` with its name, its trigger word and where it comes from.

    Raises:
        ValueError: `source` is no whole safetensors file.
    """
    known = {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.title": job.character_name,
        "modelspec.date": datetime.now(UTC).isoformat(timespec="seconds"),
        "modelspec.trigger_phrase": job.trigger_word,
        "modelspec.architecture": _ARCHITECTURES.get(str(job.config.get("arch")), ""),
    }
    named = {"ss_output_name": job.output.stem, "isengard_version": __version__, "isengard_job": job.job_id}
    copy_described(source, job.output, {key: value for key, value in known.items() if value}, named)
