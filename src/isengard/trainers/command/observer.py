"""Follows any training command by its profile: bars, lines and files become reports.

A step is told when the next one shows or a second has passed, because a bar is painted several times for one step and
only the last frame carries that step's own figures.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from isengard.events.models import EventName, Level, TrainingProgressEvent, TrainingStage
from isengard.events.reports import Report
from isengard.trainers import bar, lora_metadata
from isengard.trainers.base import Ending, TrainingJob, Verdict
from isengard.trainers.command.files import Found, OutputFiles, whole
from isengard.trainers.command.profile import Profile
from isengard.trainers.stages import StageTracker, bar_phase
from isengard.trainers.tracebacks import TracebackCollector
from isengard.trainers.weights import copy_whole


@dataclass(slots=True)
class _Step:
    """What is known of a step so far."""

    number: int
    total: int | None
    rate: float | None = None
    figures: dict[str, float] = field(default_factory=dict)
    polls: int = 0


class CommandObserver:
    """The reader of one run.

    Args:
        job: The run.
        profile: How to read it.
        files: What it leaves.
        needs_lora: Whether a run without a readable LoRA is a failure.
    """

    def __init__(self, job: TrainingJob, profile: Profile, files: OutputFiles, *, needs_lora: bool) -> None:
        self._job = job
        self._profile = profile
        self._needs_lora = needs_lora
        self._bar = re.compile(profile.bar)
        self._lines = [re.compile(pattern) for pattern in profile.lines]
        self._stage_lines = [(re.compile(one.line, re.IGNORECASE), one.stage) for one in profile.stages]
        self._files = files
        self._stacks = {"stdout": TracebackCollector(), "stderr": TracebackCollector()}
        self._stages = StageTracker()
        self._pending: _Step | None = None
        self._told = -1
        self._furthest = 0

    # What it prints.

    def line(self, stream: str, text: str) -> Iterable[Report]:
        """Read one line or one redraw of a bar."""
        if self._stacks[stream].feed(text):
            return
        frame = bar.parse(text)
        if frame is not None:
            yield from self._read_bar(stream, frame)
        else:
            yield from self._read_line(stream, text)

    def _read_bar(self, stream: str, frame: bar.Frame) -> Iterator[Report]:
        if frame.n is not None and self._bar.fullmatch(frame.desc):
            number = frame.n - self._profile.first_step
            if number >= 0 and frame.n > 0:
                yield from self._see(stream, _Step(frame.n, frame.total, frame.rate, _numbers(frame.figures)))
        elif self._stages.current is not TrainingStage.TRAINING:
            phase, what = bar_phase(frame.desc, counts_bytes=frame.bytes_done is not None)
            yield from self._stages.progress(phase, what, frame)

    def _read_line(self, stream: str, text: str) -> Iterator[Report]:
        for pattern, stage in self._stage_lines:
            if pattern.search(text):
                yield from self._stages.enter(stage, text.strip()[:200])
                return
        for pattern in self._lines:
            match = pattern.search(text)
            if match:
                groups = {name: value for name, value in match.groupdict().items() if value is not None}
                step, total = whole(groups.pop("step", None)), whole(groups.pop("total", None))
                if step is not None:
                    yield from self._see(stream, _Step(step, total, None, _numbers(groups)))
                return

    def _see(self, stream: str, step: _Step) -> Iterator[Report]:
        yield from self._stages.enter(TrainingStage.TRAINING)
        previous = self._pending
        if previous is not None and previous.number == step.number:
            step.figures = previous.figures | step.figures
        elif previous is not None:
            yield from self._tell(previous)
        if step.number > self._furthest:  # bars that are closed when all is over show numbers that were seen before
            self._furthest = step.number
            self._stacks[stream].worked()
        self._pending = step

    def _tell(self, step: _Step) -> Iterator[Report]:
        if step.number <= self._told:
            return
        self._told = step.number
        loss = _first(step.figures, self._profile.loss)
        broken = (
            loss is not None and loss - loss != 0
        )  # neither NaN nor infinite figures equal themselves less themselves
        named = {*self._profile.loss, *self._profile.lr}
        event = TrainingProgressEvent(
            stage=TrainingStage.TRAINING,
            step=step.number,
            steps_total=step.total or int(self._job.config.get("steps") or 0) or None,
            loss=None if broken else loss,
            lr=_first(step.figures, self._profile.lr),
            it_per_s=step.rate,
            metrics={name: value for name, value in step.figures.items() if name not in named and value - value == 0},
        )
        message = f"the loss of step {step.number} is {loss}" if broken else ""
        yield Report(EventName.TRAINING_STEP, event.to_dict(), message, Level.WARN if broken else Level.INFO)

    # What it leaves on disk.

    def poll(self) -> Iterable[Report]:
        """Look at its files, and tell a step that no newer one has followed for a while."""
        if self._pending is not None:
            self._pending.polls += 1
            if self._pending.polls > 1:
                yield from self._tell(self._pending)
        yield from self._new_files()

    def ended(self) -> Iterable[Report]:
        """The process is gone: its last step and the files it left."""
        if self._pending is not None:
            yield from self._tell(self._pending)
        yield from self._new_files()

    def _new_files(self) -> Iterator[Report]:
        for found in self._files.new_samples():
            yield self._sample(found)
        for found in self._files.new_checkpoints():
            yield self._checkpoint(found)

    def _sample(self, found: Found) -> Report:
        step = found.step if found.step is not None else max(self._told, 0)
        again = f"_a{self._job.attempt}" if self._job.attempt > 1 else ""
        target = self._job.samples / f"step_{step:06d}_{found.index:02d}{again}{found.path.suffix.lower()}"
        if target.exists():
            target = self._job.samples / f"{target.stem}_{found.path.stem[-40:]}{target.suffix}"
        copy_whole(found.path, target)
        prompts = list(self._job.config.get("sample_prompts") or [])
        event = TrainingProgressEvent(
            stage=TrainingStage.SAMPLING,
            step=step,
            sample_path=target.name,
            sample_index=found.index,
            sample_prompt=str(prompts[found.index]) if found.index < len(prompts) else None,
        )
        return Report(EventName.TRAINING_SAMPLE, event.to_dict(), f"sample {found.index} at step {step}")

    def _checkpoint(self, found: Found) -> Report:
        step = found.step if found.step is not None else max(self._told, 0)
        target = self._job.checkpoints / f"step_{step:06d}.safetensors"
        copy_whole(found.path, target)
        event = TrainingProgressEvent(step=step, checkpoint_path=target.name)
        return Report(EventName.TRAINING_CHECKPOINT, event.to_dict(), f"checkpoint at step {step}")

    # How it ended.

    def verdict(self, ending: Ending) -> Verdict:
        """Success needs exit code 0 and, unless the job says otherwise, a LoRA that opens."""
        final = self._files.final()
        if ending.exit_code == 0 and (final is not None or not self._needs_lora) and not ending.stop_requested:
            if final is not None:
                lora_metadata.export(final, self._job)
            return Verdict("completed", leaves_lora=final is not None)
        if ending.stop_requested:
            return Verdict("cancelled")
        if ending.exit_code == 0:
            looked = ", ".join(self._files.final_globs()) or "nothing"
            error = f"the command ended without an error but left no readable LoRA (looked for {looked})"
            return Verdict("failed", error, "MissingOutput")
        return self._failure(ending)

    def _failure(self, ending: Ending) -> Verdict:
        stack = self._stacks["stderr"].last or self._stacks["stdout"].last
        if stack is not None:
            return Verdict("failed", stack.message or stack.error_type, stack.error_type, stack.text)
        if ending.exit_code < 0:
            return Verdict("failed")  # the runner explains signals
        last = next((line for line in reversed(ending.last_lines) if line.strip()), "")
        return Verdict("failed", last or f"the command ended with exit code {ending.exit_code}", "TrainerError")


def _numbers(figures: Mapping[str, str]) -> dict[str, float]:
    """The figures that are some; a pattern of a profile may take anything for one."""
    numbers = {}
    for name, value in figures.items():
        with contextlib.suppress(ValueError):
            numbers[name] = float(value)
    return numbers


def _first(figures: Mapping[str, float], names: Iterable[str]) -> float | None:
    return next((figures[name] for name in names if name in figures), None)
