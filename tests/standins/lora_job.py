"""A training job for the diffusers trainer with real folders, and the run that a host process would make of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
from PIL import Image, ImageDraw

from isengard.events.reports import ReportSpool
from isengard.trainers.base import TrainingJob
from isengard.trainers.diffusers.trainer import DiffusersTrainer
from isengard.trainers.parameters import validate_config
from isengard.trainers.run import TrainingRun

SMALL = {
    "steps": 4,
    "resolution": 32,
    "batch_size": 2,
    "lora_rank": 2,
    "learning_rate": 1e-2,
    "sample_every_n_steps": 0,
    "checkpoint_every_n_steps": 0,
    "sample_steps": 2,
}


class Bench:
    """One job's folders below `root`; the job can be trained several times, as attempts are."""

    def __init__(self, root: Path, base_model: Path | str, **config: Any) -> None:
        import torch

        torch.set_num_threads(1)  # such small models only lose time by waiting for a second thread
        self.root = root
        asked = {**SMALL, "base_model": str(base_model), **config}
        places = {name: root / name for name in ("dataset", "samples", "checkpoints", "trainer", "requests", "loras")}
        for place in places.values():
            place.mkdir(parents=True, exist_ok=True)
        self.job = TrainingJob(
            job_id="train-test",
            correlation_id="correlation",
            character_id="char-test",
            character_name="Pip",
            trigger_word="pip",
            config=validate_config(DiffusersTrainer(), asked),
            dataset=places["dataset"],
            samples=places["samples"],
            checkpoints=places["checkpoints"],
            workdir=places["trainer"],
            output=places["loras"] / "pip.safetensors",
        )

    def draw_dataset(self, count: int = 3, size: tuple[int, int] = (40, 40)) -> Bench:
        """Put `count` pictures with captions into the dataset; returns itself."""
        for number in range(count):
            image = Image.new("RGB", size, (70 * number, 120, 200))
            ImageDraw.Draw(image).ellipse((8, 8, 24 + number, 30), fill=(240, 40, 40 * number))
            image.save(self.job.dataset / f"{number}.png")
            (self.job.dataset / f"{number}.txt").write_text(f"pip, scene {'abc'[number % 3]}")
        return self

    def configured(self, **config: Any) -> Bench:
        """Change parameters of the job, unchecked; returns itself."""
        self.job = replace(self.job, config={**self.job.config, **config})
        return self

    def resumed(self, **config: Any) -> Bench:
        """The next attempt, from the newest checkpoint."""
        newest = max(self.job.checkpoints.glob("*.safetensors"))
        self.configured(**config)
        self.job = replace(self.job, attempt=2, resume_from=newest, start_step=int(newest.stem.split("_")[1]))
        return self

    def run(self) -> TrainingRun:
        """What the trainer is handed."""
        return TrainingRun(self.job, ReportSpool(self.root / "reports.jsonl"), self.root / "requests")

    def train(self) -> Bench:
        """Train in this process; returns itself."""
        DiffusersTrainer().train(self.run())
        return self

    def reports(self, event: str | None = None) -> list[dict[str, Any]]:
        """What was reported so far, of one kind or all."""
        lines = (self.root / "reports.jsonl").read_bytes().splitlines()
        return [report for report in map(orjson.loads, lines) if event in (None, report["event"])]
