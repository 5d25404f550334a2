"""Series of a job's metrics, as the API answers them."""

from __future__ import annotations

from isengard.api.schemas.jobs import MetricPoint, Metrics
from isengard.core.clock import moment_of
from isengard.core.errors import InvalidInput
from isengard.journal import JournalReader
from isengard.journal.series import Point, series

MAX_POINTS = 20_000
_MAX_KEYS = 50


def metrics(reader: JournalReader, keys: str, max_points: int, from_step: int | None, to_step: int | None) -> Metrics:
    """The series named in the comma list `keys`; one that the job does not have is empty. Raises `InvalidInput`."""
    wanted = list(dict.fromkeys(name.strip() for name in keys.split(",") if name.strip()))
    if not 1 <= len(wanted) <= _MAX_KEYS:
        raise InvalidInput(f"name 1 to {_MAX_KEYS} series", field="keys")
    if from_step is not None and to_step is not None and from_step > to_step:
        raise InvalidInput("from_step is beyond to_step", field="from_step")
    found = series(reader, wanted, max_points, from_step, to_step)
    return Metrics(
        job_id=reader.paths.job_id,
        keys=found.keys,
        series={name: [_point(point) for point in points] for name, points in found.points.items()},
    )


def _point(point: Point) -> MetricPoint:
    return MetricPoint.model_construct(
        step=point.step,
        value=point.value,
        timestamp=moment_of(point.ts),
        attempt=point.attempt,
        seq=point.seq,
    )
