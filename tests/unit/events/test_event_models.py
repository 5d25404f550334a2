"""The events as a stranger makes them: by names, with figures that are no number, with a stage that there is not."""

from __future__ import annotations

import json

import pytest

from isengard.events import GPUMetrics, TrainingProgressEvent, TrainingStage


def test_only_what_is_none_is_left_out() -> None:
    event = TrainingProgressEvent(job_id="train-1", step=0, loss=0.0, message="")
    assert event.to_dict() == {"job_id": "train-1", "step": 0, "loss": 0.0, "message": ""}


def test_a_stage_is_taken_by_its_name_and_an_unknown_one_refused() -> None:
    event = TrainingProgressEvent(job_id="train-1", stage="sampling")  # type: ignore[arg-type]
    assert event.stage is TrainingStage.SAMPLING
    with pytest.raises(ValueError, match="daydreaming"):
        TrainingProgressEvent(job_id="train-1", stage="daydreaming")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("told", "frame"),
    [
        ({"stage": TrainingStage.COMPLETED}, "complete"),
        ({"stage": TrainingStage.CANCELLED}, "complete"),
        ({"stage": TrainingStage.FAILED, "error": "no such model"}, "error"),
        ({"status": "failed", "stage": TrainingStage.TRAINING}, "error"),
        ({"status": "running", "stage": TrainingStage.SAMPLING, "sample_path": "a.png"}, "sample"),
        ({"status": "running", "stage": TrainingStage.TRAINING}, "progress"),
    ],
)
def test_the_end_shows_by_status_or_stage(told: dict[str, str], frame: str) -> None:
    assert TrainingProgressEvent(job_id="train-1", **told).to_sse()["event"] == frame  # type: ignore[arg-type]


def test_a_frame_is_json_whatever_the_figures_are() -> None:
    event = TrainingProgressEvent(
        job_id="train-1",
        loss=float("nan"),
        lr=1e-4,
        gpu=GPUMetrics(power_w=float("inf")),
        metrics={"grad_norm": float("-inf")},
    )

    def no_number(name: str) -> float:
        raise AssertionError(name)

    data = json.loads(event.to_sse()["data"], parse_constant=no_number)
    assert data == {
        "job_id": "train-1",
        "loss": None,
        "lr": 1e-4,
        "gpu": {"index": 0, "power_w": None},
        "metrics": {"grad_norm": None},
    }
