"""The adapters for other people's trainers, each with the real library in its own process, reporting into a spool."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from isengard.core.paths import JobPaths
from isengard.events.models import EventName
from isengard.events.reports import Report
from isengard.execution.spool import SpoolReader

SCRIPTS = Path(__file__).parents[1] / "standins" / "scripts"
LIBRARIES = ("accelerate", "transformers", "lightning")


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[JobPaths, list[Report]]]:
    """What a script with each library reported as a job's own process; they run at the same time."""
    started: dict[str, tuple[JobPaths, subprocess.Popen[bytes]]] = {}
    for library in LIBRARIES:
        paths = JobPaths(tmp_path_factory.mktemp(library) / f"train-{library}")
        paths.make()
        told = {
            "ISENGARD_REPORTS": str(paths.reports),
            "ISENGARD_REQUESTS": str(paths.requests),
            "OMP_NUM_THREADS": "1",
        }
        argv = [sys.executable, str(SCRIPTS / f"with_{library}.py"), str(paths.root / "out")]
        errors = (paths.root / "errors").open("wb")
        with errors:
            process = subprocess.Popen(argv, env={**os.environ, **told}, stdout=errors, stderr=errors, cwd=paths.root)
        started[library] = (paths, process)
    result = {}
    for library, (paths, process) in started.items():
        assert process.wait(240) == 0, (paths.root / "errors").read_text()
        spool = SpoolReader(paths.reports)
        result[library] = (paths, [item.report for item in spool.rest()])
        spool.close()
    return result


def of(reports: list[Report], event: EventName) -> list[dict[str, Any]]:
    return [report.fields for report in reports if report.event is event]


def test_accelerate_reports_steps_pictures_and_configuration(said: dict[str, tuple[JobPaths, list[Report]]]) -> None:
    paths, reports = said["accelerate"]
    steps = of(reports, EventName.TRAINING_STEP)
    assert [each["step"] for each in steps] == [1, 2, 3, 4, 5]
    assert all(each["loss"] > 0 and each["lr"] == 0.1 and each["steps_total"] == 5 for each in steps)
    assert steps[0]["loss"] > steps[-1]["loss"]
    assert steps[0]["metrics"] == {"grad_norm": 1.0}
    (sample,) = of(reports, EventName.TRAINING_SAMPLE)
    assert (sample["step"], sample["sample_prompt"]) == (5, "a line")
    assert (paths.samples / sample["sample_path"]).read_bytes().startswith(b"\x89PNG")
    assert {"max_train_steps": 5, "rate": 0.1} in [each.get("settings") for each in of(reports, EventName.LOG)]
    assert reports[-1].fields == {"ended": "completed", "implied": False}


def test_transformers_reports_each_step_once_with_figures_where_there_are_some(
    said: dict[str, tuple[JobPaths, list[Report]]],
) -> None:
    paths, reports = said["transformers"]
    steps = of(reports, EventName.TRAINING_STEP)
    assert [each["step"] for each in steps] == [1, 2, 3, 4, 5]
    assert [each["step"] for each in steps if "loss" in each] == [2, 4], "the mean over all steps is no step's loss"
    assert all(each["lr"] > 0 for each in steps if "loss" in each)
    assert steps[0]["steps_total"] == 5
    saved = [each["step"] for each in of(reports, EventName.TRAINING_CHECKPOINT)]
    assert saved == [4, 5]
    assert (paths.checkpoints / "step_000004").is_dir()
    assert reports[-1].fields["ended"] == "completed"


def test_lightning_reports_what_a_module_logs(said: dict[str, tuple[JobPaths, list[Report]]]) -> None:
    paths, reports = said["lightning"]
    steps = of(reports, EventName.TRAINING_STEP)
    assert [each["step"] for each in steps] == [0, 1, 2, 3, 4]
    assert all(each["loss"] > 0 for each in steps)
    assert {"rate": 0.1} in [each.get("settings") for each in of(reports, EventName.LOG)]
    (checkpoint,) = of(reports, EventName.TRAINING_CHECKPOINT)
    assert (paths.checkpoints / checkpoint["checkpoint_path"]).stat().st_size > 0
    assert reports[-1].fields == {"ended": "completed", "implied": True}
