"""One run of a training from its dataset to its last word: the stages, the trainer's process, cancels and the verdict.

    prepare dataset ── launch ── follow ── exit ── kill the rest ── drain ── verdict ── export ── terminal line
      └─ a cancel ends it here    └─ stop marker ─ grace ─ SIGTERM ─ grace ─ SIGKILL

Opens no journal and holds no lock (`runner.py` does); never touches the store.
"""

from __future__ import annotations

import asyncio
import os
import traceback
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace

from isengard.core.correlation import Correlation
from isengard.core.errors import IsengardError, TrainingFailed
from isengard.core.paths import JobPaths
from isengard.core.redaction import Redactor
from isengard.core.settings import Settings
from isengard.core.tracing import trainer_span
from isengard.events.models import EventName, Level, TrainingStage
from isengard.events.reports import ENV_REPORTS, ENV_REQUESTS
from isengard.execution import attachment, child, endings, export, markers, process
from isengard.execution.attached import Attached
from isengard.execution.child import Child
from isengard.execution.dataset_stage import PreparationStopped, prepare_dataset
from isengard.execution.echo import Echoing, RawLog
from isengard.execution.endings import MemoryKills
from isengard.execution.failure_fields import failure_fields
from isengard.execution.followers import TICK_S, Followers, Nudges
from isengard.execution.inbox import Command, InboxCommand
from isengard.execution.output_lines import LAST_LINES, OutputLines
from isengard.execution.output_log import OutputLog
from isengard.execution.recorder import Recorder
from isengard.execution.run_monitor import RunMonitor
from isengard.execution.spec import RunSpec
from isengard.execution.spool import SpoolReader
from isengard.execution.streams import StreamReader
from isengard.trainers import registry
from isengard.trainers.base import Attach, Ending, Launch, Observer, Trainer, TrainingJob, Verdict


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run happens and what it works with.

    Attributes:
        echo: Pipes into which the trainer's output is copied as it comes, for stdout and stderr.
    """

    settings: Settings
    spec: RunSpec
    paths: JobPaths
    redactor: Redactor
    secrets: Mapping[str, str]
    echo: tuple[int, ...] = ()


class Run:
    """One run.

    Args:
        place: Where it happens.
        recorder: Writes its journal lines.
        nudges: Given whenever the inbox or the spool may hold something new.
        spool: Where the trainer's reports are read, from the first that is not in the journal yet.
    """

    def __init__(self, place: Place, recorder: Recorder, nudges: Nudges, spool: SpoolReader) -> None:
        self._place = place
        self._spec = place.spec
        self._paths = place.paths
        self._recorder = recorder
        self._followers = Followers(place.paths, recorder, nudges, self._obey, spool)
        self._last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self._child: Child | Attached | None = None
        self._ending: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._stopped_by: str | None = None

    async def go(self) -> None:
        """Run to the end and write the terminal line, whatever happens on the way."""
        ancestor = attachment.followed(self._paths)
        run_monitor = RunMonitor.of(self._place.settings, self._recorder.outbox, self._paths, ancestor=ancestor)
        self._recorder.run_monitor = run_monitor
        beside = [asyncio.create_task(self._followers.run()), asyncio.create_task(run_monitor.run())]
        try:
            verdict = await self._train()
        except PreparationStopped:
            verdict = Verdict("cancelled")
        except TrainingFailed as error:
            verdict = Verdict("failed", error.detail, error.error_type, error.stack)
        except IsengardError as error:
            verdict = Verdict("failed", error.detail, type(error).__name__)
        except Exception as error:  # a fault of a plugin or of ours: the job must still end, with the stack
            verdict = Verdict("failed", str(error) or repr(error), type(error).__name__, traceback.format_exc())
        finally:
            await _cancel(*beside)
            await self._leave_nothing_alive()
        await self._conclude(verdict)

    def cancel(self, reason: str, correlation_id: str | None = None) -> None:
        """Begin to stop: ask the trainer, then insist. Safe to call again.

        Args:
            correlation_id: The request that wants it.
        """
        if self._stop.is_set():
            return
        self._stop.set()
        self._stopped_by = correlation_id
        self._recorder.status = "cancelling"
        self._recorder.job(EventName.JOB_STAGE, reason, correlation_id=correlation_id)
        self._insist()

    async def _train(self) -> Verdict:
        trainer = self._trainer()
        job = await self._with_dataset()
        observer = trainer.observer(job)
        self._followers.observe_with(observer)
        launch = trainer.launch(job, self._place.settings)
        if self._stop.is_set():
            raise PreparationStopped
        kills = MemoryKills.now()
        running = self._start(launch, job)
        exit_code = await running.wait()
        await self._after_exit(running, exit_code)
        exit_code = running.final_code(exit_code)
        memory_kill = MemoryKills.now().since(kills)
        verdict = self._judge(running, observer, exit_code, memory_kill=memory_kill)
        if verdict.outcome == "completed" and verdict.leaves_lora:
            await self._export(job)
        return verdict

    def _trainer(self) -> Trainer:
        """The job's trainer; one that starts by itself could not be asked for, and is here all the same."""
        if self._spec.is_attended:
            return registry.load(self._spec.trainer)
        return registry.load_usable(self._spec.trainer, self._place.settings)

    async def _with_dataset(self) -> TrainingJob:
        folder = await prepare_dataset(
            self._place.settings, self._spec, self._paths.dataset, self._recorder, self._stop
        )
        return replace(self._spec.job, dataset=folder)

    def _start(self, launch: Launch | Attach, job: TrainingJob) -> Child | Attached:
        if isinstance(launch, Attach):
            self._child = Attached(launch, self._recorder)
            return self._child
        try:
            popen, ends = child.start(launch, {**self._environment(), **launch.env}, job.workdir, self._mark)
        except OSError as error:
            raise TrainingFailed(_not_started(launch, error), error_type="LaunchFailed") from error
        log: RawLog = OutputLog(self._paths.output)
        if self._place.echo:
            log = Echoing(log, self._place.echo, self._place.redactor)
        readers = [self._reader(name, end, log) for name, end in ends.items()]
        started = self._child = Child(popen, readers, log, self._mark)
        fields = {"pid": popen.pid, "argv": list(launch.argv), "cwd": str(launch.cwd or job.workdir)}
        self._recorder.outbox.put(
            EventName.SUBPROCESS_START, f"{self._spec.trainer} started", {**fields, "attempt": job.attempt}
        )
        self._followers.listen_to(readers)
        return started

    def _reader(self, name: str, end: int, log: RawLog) -> StreamReader:
        lines = OutputLines(name, self._recorder.outbox.put, self._last_lines)
        return StreamReader(name, end, log, lines, self._followers.line, self._place.redactor.stream())

    async def _after_exit(self, running: Child | Attached, exit_code: int) -> None:
        """End what the trainer left behind, then read the last of what it said."""
        await _cancel(self._ending)
        killed, stuck = await running.kill()
        await running.finish_output()
        await self._followers.finish()
        if killed and not self._stop.is_set():
            words = "a process" if killed == 1 else f"{killed} processes"
            self._recorder.log(f"{words} that the trainer left behind had to be killed", Level.WARN, killed=killed)
        if stuck:
            self._recorder.log("processes of this run cannot be killed", Level.ERROR, pids=stuck)
        running.tell_exit(self._recorder, exit_code)

    def _judge(self, running: Child | Attached, observer: Observer, exit_code: int, *, memory_kill: bool) -> Verdict:
        ending = Ending(exit_code, self._stop.is_set(), tuple(self._last_lines))
        return endings.judge(
            observer.verdict(ending),
            ending,
            failure=self._recorder.failure,
            printed=running.printed_stack,
            memory_kill=memory_kill,
        )

    async def _export(self, job: TrainingJob) -> None:
        tensors = export.check(job.output)
        self._recorder.enter(TrainingStage.EXPORTING, "keeping the LoRA")
        await asyncio.to_thread(export.publish, job.output, self._spec.lora)
        self._recorder.log(f"{self._spec.lora.name} is whole", tensors=tensors)

    def _obey(self, message: InboxCommand) -> None:
        if message.command is Command.CANCEL:
            self.cancel(f"cancel requested through {message.sender}", message.correlation_id)
        elif message.command is Command.ADOPT:
            self._recorder.job(EventName.JOB_ADOPTED, f"adopted by {message.sender}", worker=message.sender)
        elif message.command is Command.KILL:
            self._strike(message)
        else:
            asked, story = message.command.value, message.correlation_id
            self._recorder.log(f"a {asked} was requested", correlation_id=story, request=asked)
            markers.ask(self._paths, message.command.value)

    def _insist(self) -> None:
        markers.ask(self._paths, "stop")
        if self._child is not None and not self._child.has_ended and self._ending is None:
            self._ending = asyncio.create_task(self._child.end(self._recorder, self._spec.grace_period_s))

    def _strike(self, message: InboxCommand) -> None:
        """End the trainer now, without another word to it."""
        self.cancel(f"an end at once was requested through {message.sender}", message.correlation_id)
        if self._child is not None and not self._child.has_ended:
            if self._ending is not None:
                self._ending.cancel()
            self._ending = asyncio.create_task(self._child.strike())

    async def _leave_nothing_alive(self) -> None:
        await _cancel(self._ending)
        if self._child is not None:
            await self._child.kill()

    async def _conclude(self, verdict: Verdict) -> None:
        self._write_last_line(verdict)
        while not self._recorder.outbox.flush():  # noqa: ASYNC110 - a disk does not tell when it has room again
            await asyncio.sleep(TICK_S)
        self._recorder.outbox.sync()
        markers.clear(self._paths)

    def _write_last_line(self, verdict: Verdict) -> None:
        recorder = self._recorder
        recorder.status = recorder.stage = verdict.outcome
        if verdict.outcome == "failed":
            goes_on = not self._spec.is_attended and registry.can_resume(self._spec.trainer)
            fields = failure_fields(verdict, self._last_lines, self._spec.job.config, can_resume=goes_on)
            recorder.job(EventName.JOB_FAILED, fields["error"], Level.ERROR, **fields)
        elif verdict.outcome == "cancelled":
            of = f" of {recorder.steps_total}" if recorder.steps_total else ""
            message = f"cancelled at step {recorder.step}{of}"
            recorder.job(EventName.JOB_CANCELLED, message, correlation_id=self._stopped_by)
        elif not verdict.leaves_lora:
            recorder.job(EventName.JOB_COMPLETED, "completed; no LoRA was expected of it", progress_pct=100.0)
        else:
            message = f"completed; the LoRA is {self._spec.lora.name}"
            recorder.job(EventName.JOB_COMPLETED, message, progress_pct=100.0, output_path=str(self._spec.lora))

    @property
    def _mark(self) -> str:
        return process.mark(self._spec.job.job_id, self._spec.job.attempt)

    def _environment(self) -> dict[str, str]:
        story = Correlation(self._spec.job.correlation_id, self._spec.traceparent)
        return {
            **os.environ,
            **story.below(trainer_span(self._spec.job.job_id, self._spec.job.attempt)).environment(),
            ENV_REPORTS: str(self._paths.reports),
            ENV_REQUESTS: str(self._paths.requests),
            "PYTHONUNBUFFERED": "1",
            **self._place.secrets,
        }


async def _cancel(*tasks: asyncio.Task[None] | None) -> None:
    """End tasks; what they may have raised must not keep the run from its end, and is told on stderr."""
    living = [task for task in tasks if task is not None]
    for task in living:
        task.cancel()
    for outcome in await asyncio.gather(*living, return_exceptions=True):
        if isinstance(outcome, Exception):
            traceback.print_exception(outcome)


def _not_started(launch: Launch, error: OSError) -> str:
    """Why a program cannot be started; the system says the same of a folder that is not there as of a program."""
    if launch.cwd is not None and not launch.cwd.is_dir():
        return f"{launch.argv[0]} cannot be started: the folder to run it in is not there: {launch.cwd}"
    return f"{launch.argv[0]} cannot be started: {error.strerror}"
