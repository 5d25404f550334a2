"""One training of the demo character by the diffusers trainer and what it reports, with nothing else around it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isengard.core.settings import Settings
from isengard.datasets import demo
from isengard.events.reports import ReportSpool
from isengard.trainers.base import TrainingJob
from isengard.trainers.diffusers.trainer import DiffusersTrainer
from isengard.trainers.parameters import validate_config
from isengard.trainers.run import TrainingRun


def train(work: Path, config: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Train in a process of its own and return its reports in order.

    Args:
        work: Folder that is emptied first.
        environment: Variables beside this process's own.

    Raises:
        RuntimeError: The training failed; the message is its last report of an error.
    """
    job, requests = _job(work, config)
    launch = DiffusersTrainer().launch(job, Settings(data_dir=work))
    named = {"ISENGARD_REPORTS": str(work / "reports.jsonl"), "ISENGARD_REQUESTS": str(requests)}
    ended = subprocess.run(launch.argv, env={**os.environ, **launch.env, **named, **(environment or {})}, check=False)
    reports = _reports(work)
    if ended.returncode != 0:
        errors = [report["fields"]["error"] for report in reports if "error" in report["fields"]]
        raise RuntimeError(errors[-1] if errors else f"exit code {ended.returncode}")
    return reports


def train_here(work: Path, config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The same inside this process, which spares its start; raises what the trainer raises."""
    job, requests = _job(work, config)
    DiffusersTrainer().train(TrainingRun(job, ReportSpool(work / "reports.jsonl"), requests))
    return _reports(work)


def field(reports: list[dict[str, Any]], name: str) -> Any:
    """The last value of a field; None if no report has it."""
    return next((r["fields"][name] for r in reversed(reports) if name in r["fields"]), None)


def _job(work: Path, config: Mapping[str, Any]) -> tuple[TrainingJob, Path]:
    """A job with empty folders, and the one for requests."""
    shutil.rmtree(work, ignore_errors=True)
    places = {name: work / name for name in ("samples", "checkpoints", "trainer", "requests")}
    for place in places.values():
        place.mkdir(parents=True)
    job = TrainingJob(
        job_id="train-bench",
        correlation_id="bench",
        character_id="char-bench",
        character_name=demo.CHARACTER_NAME,
        trigger_word=demo.TRIGGER_WORD,
        config=validate_config(DiffusersTrainer(), dict(config)),
        dataset=demo.character(),
        samples=places["samples"],
        checkpoints=places["checkpoints"],
        workdir=places["trainer"],
        output=work / "lora.safetensors",
    )
    return job, places["requests"]


def _reports(work: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (work / "reports.jsonl").read_text().splitlines()]
