"""A job as the API shows it: the row from the store, brought up to date from the fold of its journal.

The journal is ahead of the store by up to half a second while a job runs; lists, single jobs, snapshots and the stream
must not contradict each other, so all of them are made here.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError

from isengard.api.schemas.characters import CharacterView, ImageView
from isengard.api.schemas.training import GpuView, JobView, SampleView
from isengard.core.clock import moment_of
from isengard.diagnostics.summary import Summary, either, stage_of, status_of, summarise
from isengard.jobs.models import Character, Image, Job
from isengard.journal import Entry, JobFold
from isengard.journal.readers import JournalReaders

_log = logging.getLogger(__name__)

_PROMPT_SHOWN = 200
"""Characters of a sample's prompt in a job's state, which is sent with every change of it."""


def job_view(job: Job, fold: JobFold) -> JobView:
    """The job with everything its journal says by now."""
    status = status_of(job, fold)
    return JobView(
        id=job.id,
        character_id=job.character_id,
        trainer=job.trainer,
        status=status.value,
        stage=stage_of(job, fold).value,
        config=job.config,
        progress=either(fold.progress_pct, job.progress),
        current_step=either(fold.step, job.current_step),
        total_steps=either(fold.steps_total, job.total_steps),
        current_loss=either(fold.loss, job.current_loss),
        eta_seconds=None if status.is_terminal else either(fold.eta_seconds, job.eta_seconds),
        error_message=either(fold.error, job.error_message),
        error_type=either(fold.error_type, job.error_type),
        correlation_id=job.correlation_id,
        created_at=job.created_at,
        started_at=_moment(fold.started_at) or job.started_at,
        completed_at=_moment(fold.completed_at) or job.completed_at if status.is_terminal else None,
        output_path=either(fold.output_path, job.output_path),
        attempt=max(job.attempt, fold.attempt),
        lr=fold.lr,
        it_per_s=fold.it_per_s,
        phase=fold.phase,
        phase_pct=fold.phase_pct,
        host=fold.host,
        gpu=gpu_view(fold.gpu),
        sample=_sample_view(job.id, fold.sample),
        last_seq=fold.last_seq,
        last_event_at=_moment(fold.last_ts),
        priority=job.priority,
    )


def gpu_view(reading: dict[str, Any] | None) -> GpuView | None:
    """The reading as the API shows it; None for one that is none: a script may report what it likes."""
    try:
        return GpuView.model_validate(reading) if reading else None
    except ValidationError:
        return None


def _sample_view(job_id: str, sample: Entry | None) -> SampleView | None:
    """The picture of a job, by its line alone: whether the file is there, its address tells."""
    if sample is None:
        return None
    name, step, prompt = (sample.fields.get(each) for each in ("sample_path", "step", "sample_prompt"))
    return SampleView(
        url=f"/api/jobs/{job_id}/artifacts/samples/{quote(str(name), safe='')}?seq={sample.seq}",
        step=step if isinstance(step, int) else None,
        prompt=prompt[:_PROMPT_SHOWN] if isinstance(prompt, str) else None,
    )


def character_view(character: Character) -> CharacterView:
    """A character as the API shows it."""
    return CharacterView.model_validate(character)


def image_view(image: Image) -> ImageView:
    """An image as the API shows it."""
    name = quote(image.filename, safe="")
    return ImageView(
        filename=image.filename,
        caption=image.caption,
        width=image.width,
        height=image.height,
        size_bytes=image.size_bytes,
        url=f"/api/characters/{image.character_id}/images/{name}",
        created_at=image.created_at,
    )


class FreshJobs:
    """Brings rows up to date. Keeps the folds of the jobs asked for last, so that only new lines are read again.

    Args:
        capacity: How many folds are kept.
    """

    def __init__(self, readers: JournalReaders, *, capacity: int = 512) -> None:
        self._readers = readers
        self._capacity = capacity
        self._folds: OrderedDict[str, JobFold] = OrderedDict()
        self._lock = threading.Lock()

    def view(self, job: Job) -> JobView:
        """One job with what its journal has that is new; one that cannot be read costs the news, not the answer."""
        try:
            with self._fold(job.id) as fold:
                return job_view(job, fold)
        except OSError:
            _log.exception("the journal of %s cannot be read", job.id)
            return job_view(job, JobFold())

    def views(self, jobs: Iterable[Job]) -> list[JobView]:
        """Several jobs."""
        return [self.view(job) for job in jobs]

    def summary(self, job: Job) -> Summary:
        """The few facts about one job that a status line needs."""
        with self._fold(job.id) as fold:
            return summarise(self._readers.of(job.id), job, fold)

    @contextmanager
    def _fold(self, job_id: str) -> Iterator[JobFold]:
        """The job's state as its journal tells it now; nobody else changes it meanwhile."""
        reader = self._readers.of(job_id)
        with self._lock:
            fold = self._folds.pop(job_id, None) or JobFold()
        yield fold.catch_up(reader)
        with self._lock:
            self._folds[job_id] = fold
            while len(self._folds) > self._capacity:
                self._folds.popitem(last=False)

    def forget(self, job_id: str) -> None:
        """The job was deleted."""
        with self._lock:
            self._folds.pop(job_id, None)


def _moment(text: str | None) -> datetime | None:
    return moment_of(text) if text else None
