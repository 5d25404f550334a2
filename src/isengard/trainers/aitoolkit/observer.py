"""Follows one ai-toolkit run: its bars, its lines, its files and its loss log become reports.

What a line means is decided here, what a step is in `steps.py`, what a file is in `files.py`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator

from isengard.events.models import EventName, Level, TrainingProgressEvent, TrainingStage
from isengard.events.reports import Report
from isengard.trainers import bar, lora_metadata
from isengard.trainers.aitoolkit.config import DATABASE, prompts
from isengard.trainers.aitoolkit.database import JobTable, LossLog
from isengard.trainers.aitoolkit.files import OutputFolder
from isengard.trainers.aitoolkit.requests import Requests
from isengard.trainers.aitoolkit.steps import StepTeller
from isengard.trainers.base import Ending, TrainingJob, Verdict
from isengard.trainers.stages import Phase, StageTracker, bar_phase
from isengard.trainers.tracebacks import TracebackCollector

_LINES: tuple[tuple[re.Pattern[str], TrainingStage | None, Phase], ...] = (
    (re.compile(r"Quantizing (.*)"), TrainingStage.INITIALIZING, Phase.QUANTISING),
    (
        re.compile(r"(?:\s*downloading|Grabbing) (.*)", re.IGNORECASE),
        TrainingStage.INITIALIZING,
        Phase.DOWNLOADING,
    ),
    (
        re.compile(r"Loading (?!optimizer state|from )(.*)|#### IMPORTANT (RESUMING) FROM .*"),
        TrainingStage.INITIALIZING,
        Phase.LOADING,
    ),
    (re.compile(r"Caching ([a-z_ ]+?)(?: for .*)?"), TrainingStage.PREPARING_DATASET, Phase.CACHING),
    (re.compile(r"()Dataset: .*"), TrainingStage.PREPARING_DATASET, Phase.LOADING),
    (
        re.compile(r"Generating (baseline|first) sample.*|Sampling at (step \d+)"),
        TrainingStage.SAMPLING,
        Phase.SAMPLING,
    ),
    (re.compile(r"Saving at (step \d+)"), None, Phase.SAVING),
)
_NOUNS = {"": "the dataset", "RESUMING": "the last checkpoint"}
_RUNNING = re.compile(r"# Running job: .*")
_RESUMED = re.compile(r"Found step (\d{1,18}) in metadata, starting from there")
_FAILED = re.compile(r"Error running job: (.*)")
_OOM = re.compile(r"# OOM during training step, skipping batch (\d{1,18})/3 #")
_SAMPLE_BARS = ("Generating Images", "Generating Samples")
_LOOK_S = 0.25
"""How often the loss log is looked at while the bar moves; ai-toolkit itself writes it this often at most."""


class AIToolkitObserver:
    """The reader of one run.

    Args:
        job: The run; its ``workdir`` holds everything ai-toolkit writes.
        clock: Seconds on a monotonic clock.
    """

    def __init__(self, job: TrainingJob, clock: Callable[[], float] = time.monotonic) -> None:
        self._job = job
        self._clock = clock
        self._files = OutputFolder(job)
        self._steps = StepTeller(LossLog(self._files.loss_log), int(job.config.get("steps") or 0) or None)
        self._table = JobTable(job.workdir / DATABASE, job.job_id)
        self._requests = Requests(job.workdir / "requests", self._table)
        self._prompts = prompts(job)
        self._stacks = {"stdout": TracebackCollector(), "stderr": TracebackCollector()}
        self._stages = StageTracker(clock)
        self._summary = ""
        self._nan_steps = 0
        self._look_at = 0.0

    # What it prints.

    def line(self, stream: str, text: str) -> Iterable[Report]:
        """Read one line or one redraw of a bar."""
        if self._stacks[stream].feed(text):
            return
        frame = bar.parse(text)
        if frame is not None:
            yield from self._bar(frame)
        else:
            yield from self._words(text)

    def _bar(self, frame: bar.Frame) -> Iterator[Report]:
        if frame.desc == self._job.job_id:
            yield from self._training_frame(frame)
        elif frame.desc.startswith(_SAMPLE_BARS):
            yield from self._stages.enter(TrainingStage.SAMPLING, frame.desc)
            what = f"{min((frame.n or 0) + 1, frame.total)} of {frame.total}" if frame.total else ""
            yield from self._stages.progress(Phase.SAMPLING, what, frame)
        elif self._stages.current not in (TrainingStage.TRAINING, TrainingStage.SAMPLING):
            phase, what = bar_phase(frame.desc, counts_bytes=frame.bytes_done is not None)
            preparing = self._stages.current is TrainingStage.PREPARING_DATASET and not what
            yield from self._stages.progress(phase, _NOUNS[""] if preparing else what, frame)

    def _training_frame(self, frame: bar.Frame) -> Iterator[Report]:
        if "loss" in frame.figures and frame.n != frame.total:
            yield from self._stages.enter(TrainingStage.TRAINING)
            yield from self._stages.phase(Phase.TRAINING)
        yield from self._steps.see(frame)
        if self._clock() >= self._look_at:
            self._look_at = self._clock() + _LOOK_S
            yield from self._steps.due()

    def _words(self, text: str) -> Iterator[Report]:
        self._requests.heard(text)
        if _RUNNING.fullmatch(text):
            yield from self._stages.enter(TrainingStage.INITIALIZING, "ai-toolkit started")
            return
        for pattern, stage, phase in _LINES:
            if match := pattern.fullmatch(text):
                if stage is not None:
                    yield from self._stages.enter(stage, text.strip())
                what = next((group for group in match.groups() if group is not None), "")
                yield from self._stages.phase(phase, _NOUNS.get(what, what), text.strip())
                return
        yield from self._trouble(text)

    def _trouble(self, text: str) -> Iterator[Report]:
        failed = _FAILED.fullmatch(text)
        if failed:
            self._summary = failed[1].strip()
        elif text.strip() == "loss is nan":
            yield from self._not_a_number()
        elif oom := _OOM.search(text):
            message = (
                f"out of GPU memory: ai-toolkit skipped the batch ({oom[1]} in a row; it gives up after the third)"
            )
            yield Report(EventName.LOG, {"consecutive": int(oom[1])}, message, Level.WARN)
        elif resumed := _RESUMED.fullmatch(text):
            yield Report(EventName.LOG, {"step": int(resumed[1])}, f"ai-toolkit goes on from step {resumed[1]}")

    def _not_a_number(self) -> Iterator[Report]:
        self._steps.heard_nan()
        self._nan_steps += 1
        if self._nan_steps == 1 or self._nan_steps % 100 == 0:
            message = "the loss is not a number; ai-toolkit counts it as 0 and goes on, but nothing is learned this way"
            yield Report(EventName.LOG, {"times": self._nan_steps}, message, Level.WARN)

    # What it leaves on disk.

    def poll(self) -> Iterable[Report]:
        """Look at its files and pass on what was asked for."""
        self._requests.pass_on()
        yield from self._steps.due()
        yield from self._new_files()

    def ended(self) -> Iterable[Report]:
        """The process is gone: what it left that was not told yet."""
        yield from self._steps.rest()
        yield from self._new_files()

    def _new_files(self) -> Iterator[Report]:
        for sample in self._files.new_samples():
            yield self._sample(sample.name, sample.step, sample.index)
        for checkpoint in self._files.new_checkpoints():
            event = TrainingProgressEvent(step=checkpoint.step, checkpoint_path=checkpoint.name)
            yield Report(EventName.TRAINING_CHECKPOINT, event.to_dict(), f"checkpoint at step {checkpoint.step}")

    def _sample(self, name: str, step: int, index: int) -> Report:
        event = TrainingProgressEvent(
            stage=TrainingStage.SAMPLING,
            step=step,
            sample_path=name,
            sample_index=index,
            sample_prompt=self._prompts[index] if index < len(self._prompts) else None,
            sample_seed=self._seed(index),
        )
        return Report(EventName.TRAINING_SAMPLE, event.to_dict(), f"sample {index} at step {step}")

    def _seed(self, index: int) -> int | None:
        seed = self._job.config.get("seed")
        walks = bool(self._job.config.get("walk_seed"))
        return None if seed is None else int(seed) + (index if walks else 0)

    # How it ended.

    def verdict(self, ending: Ending) -> Verdict:
        """Say what the ending means: ai-toolkit's exit code alone does not (SIGINT exits 0, its stop flag exits 1)."""
        finished = self._files.finished() and (ending.exit_code == 0 or self._table.status() == "completed")
        if finished:
            return self._export()
        if ending.stop_requested:
            return Verdict("cancelled")
        if ending.exit_code == 0:
            return self._empty_success()
        return self._failure(ending)

    def _export(self) -> Verdict:
        lora_metadata.export(self._files.final, self._job)
        return Verdict("completed")

    def _empty_success(self) -> Verdict:
        if self._table.status() == "stopped":
            error = "ai-toolkit was interrupted from outside (SIGINT) before it had finished"
            return Verdict("failed", error, "Interrupted")
        error = "ai-toolkit ended without an error but left no readable LoRA"
        return Verdict("failed", error, "MissingOutput")

    def _failure(self, ending: Ending) -> Verdict:
        stack = self._stacks["stderr"].last or self._stacks["stdout"].last
        if stack is not None:
            return Verdict("failed", stack.message or self._summary or stack.error_type, stack.error_type, stack.text)
        if ending.exit_code < 0:
            return Verdict("failed", self._summary or None, None)  # the runner explains signals
        last = next((line for line in reversed(ending.last_lines) if line.strip()), "")
        error = self._summary or last or f"ai-toolkit ended with exit code {ending.exit_code} and said nothing"
        return Verdict("failed", error, "TrainerError")
