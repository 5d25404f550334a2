"""`TrainingJobLogger`: the journal's writer in the words of a training. Adds no line of its own making."""

from __future__ import annotations

import math
import os
import re
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from isengard.core import settings
from isengard.core.correlation import current, new_id
from isengard.core.errors import InvalidInput, StorageError
from isengard.core.paths import DataDir, JobPaths
from isengard.core.redaction import Redactor
from isengard.events.models import EventName, Level, TrainingStage
from isengard.journal.writer import JournalWriter

_JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")


class TrainingJobLogger:
    """Logs one job. Opens the job's journal by itself unless it is given an open one; a context manager.

    Args:
        data_dir: The data folder, or the job's own folder as `JobPaths`; by default that of the settings. A text
            alone is the job's id.
        job_id: The job; needed unless `data_dir` says it. Any letters, digits, ``-`` and ``_``.
        correlation_id: Ties the lines to a request; by default the one bound here, or a new one.
        attempt: Stands in the fields of every ``training.*`` and ``job.*`` line.
        writer: An open journal to write to; it is left open by `close`.

    Raises:
        InvalidInput: The job id is missing or not one.
        JournalLocked: Another process writes this journal.
        StorageError: The folder or disk refuses.
    """

    def __init__(
        self,
        data_dir: DataDir | JobPaths | Path | str | None = None,
        job_id: str | None = None,
        correlation_id: str | None = None,
        *,
        service: str = "trainer",
        attempt: int = 1,
        redactor: Redactor | None = None,
        writer: JournalWriter | None = None,
    ) -> None:
        self._paths = _job_paths(data_dir, job_id)
        self._attempt = attempt
        self._samples: list[dict[str, Any]] = []
        self._owned = writer is None
        self._writer = writer or _open(self._paths, service, redactor, correlation_id)

    def debug(self, msg: str, **fields: Any) -> int:
        """Log at level DEBUG; returns the line's number."""
        return self._log(Level.DEBUG, msg, fields)

    def info(self, msg: str, **fields: Any) -> int:
        """Log at level INFO; returns the line's number."""
        return self._log(Level.INFO, msg, fields)

    def warn(self, msg: str, **fields: Any) -> int:
        """Log at level WARN; returns the line's number."""
        return self._log(Level.WARN, msg, fields)

    warning = warn

    def error(self, msg: str, *, exc_info: BaseException | bool | None = None, **fields: Any) -> int:
        """Log at level ERROR, with the exception given or (``True``) the one being handled."""
        error = _exception(exc_info)
        if error is not None:
            fields.setdefault("error_type", type(error).__name__)
            fields.setdefault("error", str(error))
            fields.setdefault("error_stack", "".join(traceback.format_exception(error)))
        return self._log(Level.ERROR, msg, fields)

    def _log(self, level: Level, msg: str, fields: Mapping[str, Any]) -> int:
        return self._writer.append(EventName.LOG, msg, fields, level=level)

    def step(
        self,
        step: int,
        *,
        loss: float | None = None,
        lr: float | None = None,
        steps_total: int | None = None,
        **metrics: float,
    ) -> int:
        """Optimizer step number `step` (from 1) is done; further figures go to ``fields.metrics``.

        A loss that is not a finite number is logged as null, at level WARN.
        """
        fields: dict[str, Any] = {"stage": "training", "step": step}
        if steps_total:
            fields["steps_total"] = steps_total
            fields["progress_pct"] = round(100.0 * step / steps_total, 2)
        broken = loss is not None and not math.isfinite(loss)
        if loss is not None:
            fields["loss"] = None if broken else loss
        if lr is not None:
            fields["lr"] = lr
        if metrics:
            fields["metrics"] = metrics
        fields["attempt"] = self._attempt
        if broken:
            return self._writer.append(
                EventName.TRAINING_STEP, f"the loss of step {step} is {loss}", fields, level=Level.WARN
            )
        return self._writer.append(EventName.TRAINING_STEP, "", fields)

    def sample_generated(
        self, sample_path: Path | str, step: int, prompt: str | None = None, *, index: int = 0, seed: int | None = None
    ) -> int:
        """A sample image lies at `sample_path`, best directly in the job's ``samples/``."""
        sample = {"path": str(sample_path), "step": step, "prompt": prompt, "index": index, "seed": seed}
        self._samples.append(sample)
        fields = {
            "stage": TrainingStage.SAMPLING.value,
            "step": step,
            "sample_path": os.path.relpath(sample_path, self._paths.samples)
            if Path(sample_path).is_relative_to(self._paths.samples)
            else str(sample_path),
            "sample_prompt": prompt,
            "sample_index": index,
            "sample_seed": seed,
        }
        return self._event(EventName.TRAINING_SAMPLE, f"sample {index} at step {step}", fields)

    def checkpoint(self, path: Path | str, step: int) -> int:
        """A whole checkpoint lies at `path`, best directly in the job's ``checkpoints/``."""
        fields = {"step": step, "checkpoint_path": Path(path).name}
        return self._event(EventName.TRAINING_CHECKPOINT, f"checkpoint at step {step}", fields)

    def stage(self, stage: TrainingStage | str, msg: str = "", **fields: Any) -> int:
        """A new stage begins."""
        return self._event(EventName.JOB_STAGE, msg, {"stage": str(stage), **fields})

    def _event(self, event: EventName, msg: str, fields: Mapping[str, Any]) -> int:
        known = {name: value for name, value in fields.items() if value is not None}
        return self._writer.append(event, msg, {**known, "attempt": self._attempt})

    def get_log_path(self) -> Path:
        """Where the journal is."""
        return self._paths.journal

    def get_samples(self) -> list[dict[str, Any]]:
        """The samples logged here: ``path``, ``step``, ``prompt``, ``index``, ``seed`` each."""
        return list(self._samples)

    def sync(self) -> None:
        """Wait until all lines are on the disk itself."""
        self._writer.sync()

    def close(self) -> None:
        """Close the journal if it was opened here."""
        if self._owned:
            self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _job_paths(data_dir: DataDir | JobPaths | Path | str | None, job_id: str | None) -> JobPaths:
    if isinstance(data_dir, JobPaths):
        return data_dir
    if job_id is None and isinstance(data_dir, str):
        data_dir, job_id = None, data_dir
    if not isinstance(job_id, str) or not _JOB_ID.fullmatch(job_id):
        raise InvalidInput(f"{job_id!r} is not the id of a job", field="job_id")
    if data_dir is None:
        data_dir = settings.load().paths
    data = data_dir if isinstance(data_dir, DataDir) else DataDir(Path(data_dir))
    return JobPaths(data.jobs / job_id)


def _open(paths: JobPaths, service: str, redactor: Redactor | None, correlation_id: str | None) -> JournalWriter:
    try:
        paths.make()
    except OSError as error:
        raise StorageError(f"the folder {paths.root} cannot be made: {error.strerror}") from error
    bound = current()
    return JournalWriter.open(
        paths,
        service=service,
        redactor=redactor or Redactor.configured(os.environ),
        correlation_id=correlation_id or (bound.id if bound else new_id()),
    )


def _exception(exc_info: BaseException | bool | None) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if not exc_info:
        return None
    return sys.exc_info()[1]
