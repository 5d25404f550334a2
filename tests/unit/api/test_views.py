"""A job's view is there whatever a script has reported of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from isengard.api.views import job_view
from isengard.jobs.models import Job
from isengard.journal import Entry, JobFold
from standins.journals import CORRELATION, JOB, line


@pytest.mark.parametrize("event", ["training.step", "job.stage", "gpu.metrics"])
@pytest.mark.parametrize(
    "fields",
    [
        {"phase": 5},
        {"phase": "saving", "phase_pct": "half"},
        {"gpu": {"index": "first"}},
        {"gpu": {"index": 0, "power_w": "much"}},
        {"gpus": [{"index": [], "power_w": 5}]},
        {"stage": "cooling"},
        {"step": -5, "steps_total": 10},
    ],
)
def test_one_odd_report_does_not_take_the_job_and_with_it_the_list_away(event: str, fields: dict[str, Any]) -> None:
    fold = JobFold()
    fold.apply_all([Entry.parse(line(1, event, **fields))])
    job = Job(JOB, "char-1", "mock", {}, CORRELATION, datetime(2026, 1, 2, tzinfo=UTC))
    view = job_view(job, fold)
    assert view.phase in (None, "saving")
    assert view.model_dump_json()


def test_a_reading_that_is_one_is_shown() -> None:
    fold = JobFold()
    fold.apply_all([Entry.parse(line(1, "gpu.metrics", gpus=[{"index": 0, "power_w": 200.0}]))])
    job = Job(JOB, "char-1", "mock", {}, CORRELATION, datetime(2026, 1, 2, tzinfo=UTC))
    gpu = job_view(job, fold).gpu
    assert gpu is not None
    assert gpu.power_w == 200.0
