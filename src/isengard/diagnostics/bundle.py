"""The debug bundle: everything about one job in a ZIP that can be given to a stranger.

    {job_id}/README.txt          what is in it
             metadata.json       the job, its state, what it left, what was left out here and why
             events.jsonl        the whole journal
             report.html         all of it at a glance, opens anywhere
             environment.json    versions, hardware, redacted environment
             service_logs/       the last 1000 lines of api.log and worker.log
             samples/            sample images
             trainer/            the trainer's raw output and its generated configuration

Made while it is sent: memory does not grow with the job. Every file goes through the redactor, with the secrets given
to the job as known values; so do file names and what images carry in their metadata. Weights are named, never included.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from isengard import __version__
from isengard.core.clock import utc_now
from isengard.core.errors import StorageError, Unreachable
from isengard.core.paths import JobPaths
from isengard.core.redaction import Redactor
from isengard.core.settings import Settings
from isengard.diagnostics import environment, first_error, redacted_files, report
from isengard.diagnostics.stored_samples import StoredSamples
from isengard.diagnostics.summary import stage_of, status_of
from isengard.diagnostics.tail import last_service_lines
from isengard.diagnostics.zip_stream import Member, zip_stream
from isengard.execution.lines import redactor_for
from isengard.jobs.models import Character, Job
from isengard.journal import JobFold, JournalReader
from isengard.journal.series import series

SERVICES = ("api", "worker")
SERVICE_LINES = 1000
_IMAGES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
_JSON_LINES = frozenset({".jsonl", ".ndjson"})
_TEXTS = frozenset(
    {".log", ".txt", ".json", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".csv", ".md", ".out", ".err", ".sh", ".py"}
)
_MAX_TEXT = 256 * 1024 * 1024
_REPORT_LINES = 200
_REPORT_POINTS = 1000


@dataclass(frozen=True, slots=True)
class _LeftOut:
    name: str
    size_bytes: int
    reason: str


@dataclass(slots=True)
class Bundle:
    """The debug bundle of one job.

    Args:
        job: Its row; one made from the journal will do.
        character: Its character, if that still exists.
        redactor: What masks; one that knows the job's secrets, if left out.
        is_shared: Whether it is for somebody who may see this job only: the services' lines about others stay out.
    """

    settings: Settings
    job: Job
    character: Character | None = None
    redactor: Redactor | None = None
    is_shared: bool = False
    _left_out: list[_LeftOut] = field(default_factory=list)

    @property
    def filename(self) -> str:
        """What to call it: ``{job_id}_debug.zip``."""
        return f"{self.job.id}_debug.zip"

    def stream(self) -> Iterator[bytes]:
        """The archive in pieces."""
        return zip_stream(self._members())

    def _members(self) -> Iterator[Member]:
        redactor = self.redactor or redactor_for(self.settings, self.job.id)
        paths = self.settings.paths.job(self.job.id)
        reader = JournalReader(paths)
        fold = JobFold.read(reader)
        yield self._member("README.txt", [_readme(self.job.id).encode()])
        if paths.journal.exists():
            yield self._member("events.jsonl", redacted_files.json_lines(paths.journal, redactor))
        else:
            yield self._member("events.jsonl", [])
        yield self._member("environment.json", [_json(environment.snapshot(self.settings, redactor))])
        yield from self._service_logs(redactor)
        with StoredSamples(self.settings, paths, keep=report.MAX_PICTURES) as stored:
            yield from self._samples(paths, stored, redactor)
            yield from self._folder(paths.trainer, "trainer", redactor)
            if paths.spec.is_file():
                yield self._member("trainer/job.json", redacted_files.text(paths.spec, redactor))
            pictures = _newest_pictures((paths.samples, stored.folder), redactor)
            yield self._member("report.html", [self._report(pictures, reader, fold, redactor)])
        # Last, for it tells what was left out on the way.
        yield self._member("metadata.json", [_json(redactor.value(self._metadata(paths, fold)))])

    def _member(self, name: str, content: Iterable[bytes], path: Path | None = None) -> Member:
        modified = path.stat().st_mtime if path else None
        is_packed = path is not None and path.suffix.lower() in _IMAGES
        return Member(f"{self.job.id}/{name}", content, is_packed, modified)

    def _service_logs(self, redactor: Redactor) -> Iterator[Member]:
        for service in SERVICES:
            lines = last_service_lines(self.settings.paths.service_logs(service), service, SERVICE_LINES)
            if self.is_shared:
                lines = [line for line in lines if _is_about(line, self.job.id)]
            yield self._member(f"service_logs/{service}.log", [redacted_files.clean_lines(lines, redactor)])

    def _samples(self, paths: JobPaths, stored: StoredSamples, redactor: Redactor) -> Iterator[Member]:
        """Those on this disk, then those that only the store of artifacts has."""
        taken: set[str] = set()
        yield from self._files(_files_below(paths.samples), paths.samples, "samples", redactor, taken)
        try:
            yield from self._files(stored.fetch(), stored.folder, "samples", redactor, taken)
        except (Unreachable, OSError) as error:
            self._left_out.append(_LeftOut("samples/", 0, f"what only the store has: {error}"))

    def _folder(self, folder: Path, name: str, redactor: Redactor) -> Iterator[Member]:
        """The files below `folder` that can be shown; the others are noted. Links are not followed."""
        return self._files(_files_below(folder), folder, name, redactor, set())

    def _files(
        self, files: Iterable[Path], folder: Path, name: str, redactor: Redactor, taken: set[str]
    ) -> Iterator[Member]:
        for path in files:
            shown = redactor.filename(path.relative_to(folder).as_posix())
            content = self._content(path, f"{name}/{shown}", redactor)
            if content is not None:
                yield self._member(f"{name}/{_unique(shown, taken)}", content, path)

    def _content(self, path: Path, shown: str, redactor: Redactor) -> Iterator[bytes] | None:
        suffix, size = path.suffix.lower(), path.stat().st_size
        if suffix in _IMAGES and size <= redacted_files.MAX_IMAGE and redacted_files.is_image(path):
            return redacted_files.image(path, redactor)
        if suffix in _JSON_LINES and size <= _MAX_TEXT:
            return redacted_files.json_lines(path, redactor)
        if suffix in _TEXTS and size <= _MAX_TEXT:
            return redacted_files.text(path, redactor)
        is_too_large = size > (redacted_files.MAX_IMAGE if suffix in _IMAGES else _MAX_TEXT)
        reason = "too large" if is_too_large else "neither text nor an image that can be read"
        self._left_out.append(_LeftOut(shown, size, reason))
        return None

    def _metadata(self, paths: JobPaths, fold: JobFold) -> dict[str, Any]:
        job = {name: getattr(self.job, name) for name in self.job.__slots__}
        return {
            "bundle": {"made_at": utc_now(), "isengard": __version__, "format": 1},
            "job": {**job, "status": status_of(self.job, fold), "stage": stage_of(self.job, fold)},
            "character": self.character,
            "journal": {"last_seq": fold.last_seq, "last_event_at": fold.last_ts, "terminal_seq": fold.terminal_seq},
            "progress": {"step": fold.step, "steps_total": fold.steps_total, "loss": fold.loss, "lr": fold.lr},
            "error": {"error": fold.error, "error_type": fold.error_type, "error_stack": fold.error_stack},
            "weights": [
                {"name": path.name, "size_bytes": path.stat().st_size} for path in _files_below(paths.checkpoints)
            ],
            "left_out": self._left_out,
        }

    def _report(
        self, pictures: list[tuple[Path, str]], reader: JournalReader, fold: JobFold, redactor: Redactor
    ) -> bytes:
        losses = series(reader, ["loss"], _REPORT_POINTS).points["loss"]
        facts = {
            "Job": self.job.id,
            "Status": status_of(self.job, fold).value,
            "Character": self.character.name if self.character else self.job.character_id,
            "Trainer": self.job.trainer,
            "Step": f"{fold.step or 0} of {fold.steps_total or self.job.total_steps}",
            "Loss": fold.loss,
            "Attempts": fold.attempt,
            "Created": self.job.created_at.isoformat(),
            "Started": fold.started_at,
            "Ended": fold.completed_at,
            "Error": fold.error,
            "Correlation id": self.job.correlation_id,
        }
        page = report.Report(
            title=f"{self.job.id} · {status_of(self.job, fold)}",
            facts=redactor.value(facts),
            config=redactor.value(self.job.config),
            first_error=first_error.find(reader),
            losses=[(point.step, point.value) for point in losses if point.value is not None],
            pictures=pictures,
            lines=reader.page(limit=_REPORT_LINES, order="desc").entries[::-1],
            notes=(
                f"Made {utc_now()} by Isengard {__version__}. All figures and lines are in events.jsonl beside it.",
            ),
        )
        return redactor.text(report.render(page).decode()).encode()


def stream_bundle(settings: Settings, job: Job, character: Character | None = None) -> Iterator[bytes]:
    """The debug bundle of `job` in pieces of about 64 KiB."""
    return Bundle(settings, job, character).stream()


def write_bundle(settings: Settings, job: Job, target: Path, character: Character | None = None) -> Path:
    """Write the debug bundle of `job` to `target`, which is there whole or not at all.

    Raises:
        StorageError: It could not be written; nothing of it is left.
    """
    partial = target.with_name(f".{target.name}.partial-{os.getpid()}")
    try:
        with partial.open("xb") as file:
            for piece in stream_bundle(settings, job, character):
                file.write(piece)
        os.replace(partial, target)
    except OSError as error:
        raise StorageError(f"the bundle could not be written to {target}: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
    return target


def _files_below(folder: Path) -> Iterator[Path]:
    """The regular files below `folder` by name, links left out."""
    for root, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(root, name)
            if path.is_file() and not path.is_symlink():
                yield path


def _is_about(line: bytes, job_id: str) -> bool:
    try:
        return bool(orjson.loads(line)["job_id"] == job_id)
    except (ValueError, KeyError, TypeError):
        return False


def _unique(name: str, taken: set[str]) -> str:
    """`name`, or with a number where two names became the same when their secrets were masked."""
    stem, suffix = os.path.splitext(name)
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{stem}-{number}{suffix}"
    taken.add(found)
    return found


def _newest_pictures(folders: Iterable[Path], redactor: Redactor) -> list[tuple[Path, str]]:
    found = [path for folder in folders for path in _files_below(folder) if path.suffix.lower() in _IMAGES]
    newest = sorted(found, key=lambda path: path.stat().st_mtime)[-report.MAX_PICTURES :]
    return [(path, redactor.filename(path.name)) for path in newest]


def _json(value: Any) -> bytes:
    return orjson.dumps(
        value, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_DATACLASS
    )


def _readme(job_id: str) -> str:
    return f"""Debug bundle of the training job {job_id}

Start with report.html: it opens in any browser, without a network, and runs no script.

report.html        the job at a glance: first error, loss, samples, configuration, last lines
metadata.json      the job's facts, its state, its weights by name, and what was left out of this bundle
events.jsonl       its whole journal, one JSON object a line, numbered from 1 ("seq")
environment.json   versions, packages, hardware, GPUs and the environment
service_logs/      the last {SERVICE_LINES} lines of the services' own logs
samples/           the sample images
trainer/           what the trainer printed, and the configuration that was generated for it

Useful commands:
  jq -c 'select(.level=="ERROR")' events.jsonl
  jq -c 'select(.event=="training.step") | [.fields.step, .fields.loss]' events.jsonl

Secrets were masked in every file, in file names and in the metadata of images. If you find one that was not,
please report it without the secret itself.
"""
