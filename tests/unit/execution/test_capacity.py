"""Which waiting jobs have room, and how often a failed one is tried again."""

from datetime import UTC, datetime
from typing import Any

import pytest

from isengard.core.errors import StartupError
from isengard.core.settings import Settings
from isengard.execution import gpus
from isengard.execution.capacity import Capacity
from isengard.execution.retries import ByCause
from isengard.jobs.models import Job


def job(gpus_wanted: int = 0, **more: Any) -> Job:
    requirements = {"gpus": gpus_wanted} if gpus_wanted else {}
    config = more.pop("config", {})
    return Job("train-1", "char-1", "mock", config, "corr-1", datetime.now(UTC), requirements=requirements, **more)


def test_a_job_that_waits_for_gpus_is_not_overtaken_by_one_that_needs_some() -> None:
    capacity = Capacity(total=2, free=1)
    assert [capacity.fits(job(wanted)) for wanted in (2, 1, 0)] == [False, False, True]
    assert [Capacity(total=2, free=1).fits(job(wanted)) for wanted in (1, 0)] == [True, True]


def test_what_no_machine_can_hold_is_taken_only_to_fail_with_a_reason() -> None:
    assert Capacity(total=2, free=2, alone=True).fits(job(3))
    assert not Capacity(total=2, free=2, alone=False).fits(job(3))
    assert Capacity(total=0, free=0).fits(job(8)), "without a GPU everything runs as it can"


def test_a_job_says_how_often_it_is_tried_again() -> None:
    passing = {"cause": {"code": "network", "retry": True}}
    assert ByCause(0)(job(), passing) is None
    assert ByCause(0)(job(config={"retries": 2}), passing) == 30.0
    assert ByCause(5)(job(config={"retries": 2}, retries=2), passing) is None
    assert ByCause(5)(job(config={"retries": None}, retries=1), passing) == 60.0
    assert ByCause(5)(job(config={"retries": 9}), {"cause": {"code": "cuda-oom", "retry": False}}) is None


def test_the_setting_names_gpus_or_none() -> None:
    assert gpus.found(Settings(gpus=" 1, GPU-6f1e "), {}) == ["1", "GPU-6f1e"]
    assert gpus.found(Settings(gpus="none"), {}) == []
    for wrong in ("0,0", "0;1", "none,1 2"):
        with pytest.raises(StartupError, match="ISENGARD_GPUS"):
            gpus.found(Settings(gpus=wrong), {})
