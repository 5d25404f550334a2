"""Follows one ai-toolkit run: its bars, its lines, its files and its loss log become reports.

Steps carry ai-toolkit's own numbers, from 0, as its bar, samples, checkpoints and loss log do. ai-toolkit repaints its
bar at n = step with that step's loss and may then paint n = step + 1 with the old one, so the last frame of each n
counts, a frame at the total is none, and a step is told when the next one shows or its row stands in the loss log.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from isengard.events.models import EventName, Level, TrainingProgressEvent, TrainingStage
from isengard.events.reports import Report
from isengard.trainers import bar
from isengard.trainers.aitoolkit.config import DATABASE, prompts
from isengard.trainers.aitoolkit.database import JobTable, LossLog
from isengard.trainers.aitoolkit.files import OutputFolder
from isengard.trainers.aitoolkit.requests import Requests
from isengard.trainers.base import Ending, TrainingJob, Verdict
from isengard.trainers.stages import StageTracker
from isengard.trainers.tracebacks import TracebackCollector
from isengard.trainers.weights import copy_whole

_STAGES: tuple[tuple[re.Pattern[str], TrainingStage], ...] = (
    (re.compile(r"Loading (?!optimizer state|from ).*"), TrainingStage.INITIALIZING),
    (re.compile(r"Quantizing .*"), TrainingStage.INITIALIZING),
    (
        re.compile(r"(Dataset: .*|\s*-\s+Found \d+ images|Preprocessing image dimensions|Caching .*)"),
        TrainingStage.PREPARING_DATASET,
    ),
    (
        re.compile(r"(Generating baseline samples.*|Generating first sample.*|Sampling at step \d+)"),
        TrainingStage.SAMPLING,
    ),
)
_RESUMED = re.compile(r"Found step (\d+) in metadata, starting from there")
_FAILED = re.compile(r"Error running job: (.*)")
_OOM = re.compile(r"# OOM during training step, skipping batch (\d+)/3 #")
_SAMPLE_BARS = ("Generating Images", "Generating Samples")


class AIToolkitObserver:
    """The reader of one run.

    Args:
        job: The run; its ``workdir`` holds everything ai-toolkit writes.
    """

    def __init__(self, job: TrainingJob) -> None:
        self._job = job
        self._files = OutputFolder(job)
        self._log = LossLog(self._files.loss_log)
        self._table = JobTable(job.workdir / DATABASE, job.job_id)
        self._requests = Requests(job.workdir / "requests", self._table)
        self._prompts = prompts(job)
        self._stacks = {"stdout": TracebackCollector(), "stderr": TracebackCollector()}
        self._stages = StageTracker()
        self._frame: bar.Frame | None = None
        self._told = -1
        self._summary = ""
        self._nan_steps = 0

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
            yield self._stages.progress(frame)
        elif self._stages.current is not TrainingStage.TRAINING:
            yield self._stages.progress(frame)

    def _training_frame(self, frame: bar.Frame) -> Iterator[Report]:
        if frame.n is None or frame.n == frame.total:
            return
        previous = self._frame
        self._frame = frame
        if previous is not None and previous.n is not None and frame.n > previous.n:
            yield from self._step(previous)
        if "loss" in frame.figures:
            yield from self._stages.enter(TrainingStage.TRAINING)

    def _words(self, text: str) -> Iterator[Report]:
        self._requests.heard(text)
        for pattern, stage in _STAGES:
            if pattern.fullmatch(text):
                yield from self._stages.enter(stage, text.strip())
                yield self._stages.phase(text.strip())
                return
        yield from self._trouble(text)

    def _trouble(self, text: str) -> Iterator[Report]:
        failed = _FAILED.fullmatch(text)
        if failed:
            self._summary = failed[1].strip()
        elif text.strip() == "loss is nan":
            yield from self._nan()
        elif oom := _OOM.search(text):
            message = (
                f"out of GPU memory: ai-toolkit skipped the batch ({oom[1]} in a row; it gives up after the third)"
            )
            yield Report(EventName.LOG, {"consecutive": int(oom[1])}, message, Level.WARN)
        elif resumed := _RESUMED.fullmatch(text):
            yield Report(EventName.LOG, {"step": int(resumed[1])}, f"ai-toolkit goes on from step {resumed[1]}")

    def _nan(self) -> Iterator[Report]:
        self._nan_steps += 1
        if self._nan_steps == 1 or self._nan_steps % 100 == 0:
            message = "the loss is not a number; ai-toolkit counts it as 0 and goes on, but nothing is learned this way"
            yield Report(EventName.LOG, {"times": self._nan_steps}, message, Level.WARN)

    # What it leaves on disk.

    def poll(self) -> Iterable[Report]:
        """Look at its files and pass on what was asked for."""
        self._requests.pass_on()
        if self._frame is not None and self._is_logged(self._frame):
            yield from self._step(self._frame)
        for sample in self._files.new_samples():
            yield self._sample(sample.name, sample.step, sample.index)
        for checkpoint in self._files.new_checkpoints():
            event = TrainingProgressEvent(step=checkpoint.step, checkpoint_path=checkpoint.name)
            yield Report(EventName.TRAINING_CHECKPOINT, event.to_dict(), f"checkpoint at step {checkpoint.step}")

    def _is_logged(self, frame: bar.Frame) -> bool:
        """Whether the loss log already holds this very frame: then no later frame can correct it."""
        if frame.n is None or frame.n <= self._told or "loss" not in frame.figures:
            return False
        logged = self._log.figures(frame.n).get("loss/loss")
        return logged is not None and _same(float(frame.figures["loss"]), logged, ".3e")

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

    # Steps and stages.

    def _step(self, frame: bar.Frame) -> Iterator[Report]:
        step = frame.n
        if step is None or step <= self._told or "loss" not in frame.figures:
            return
        self._told = step
        exact = self._log.figures(step)
        skipped = bool(exact) and "loss/loss" not in exact  # a batch without a loss, skipped for want of memory
        event = TrainingProgressEvent(
            stage=TrainingStage.TRAINING,
            step=step,
            steps_total=frame.total,
            loss=None if skipped else _exact(frame.figures["loss"], exact.get("loss/loss"), ".3e"),
            lr=_exact(frame.figures.get("lr"), exact.get("learning_rate"), ".1e"),
            it_per_s=frame.rate,
            metrics={key.removeprefix("loss/"): value for key, value in exact.items() if key not in _OWN_KEYS},
        )
        yield Report(EventName.TRAINING_STEP, event.to_dict(), "the batch was skipped" if skipped else "")

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
        copy_whole(self._files.final, self._job.output)
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


_OWN_KEYS = frozenset({"loss/loss", "learning_rate"})


def _exact(printed: str | None, logged: float | None, spec: str) -> float | None:
    """The logged figure where it is the one that was printed, else what was printed."""
    if printed is None:
        return logged
    shown = float(printed)
    return logged if logged is not None and _same(shown, logged, spec) else shown


def _same(shown: float, logged: float, spec: str) -> bool:
    return f"{logged:{spec}}" == f"{shown:{spec}}"
