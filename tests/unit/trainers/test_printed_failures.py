"""From what a failing command prints to the cause that a person is told."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

import pytest

from isengard.events.models import EventName, Level
from isengard.execution import endings
from isengard.execution.failure_fields import failure_fields
from isengard.execution.folding import Piece
from isengard.execution.output_lines import OutputLines
from isengard.trainers.base import Ending, TrainingJob
from isengard.trainers.command.parameters import CommandParameters
from isengard.trainers.command.trainer import CommandTrainer
from isengard.trainers.tracebacks import TracebackCollector
from standins.printed_failures import AT_SHUTDOWN, LAUNCHER, OUT_OF_MEMORY, PRINTED, Printed, by_rank, stack


def fields_of(folder: Path, printed: Printed) -> dict[str, Any]:
    """What the journal says of a command that printed this and ended."""
    for name in ("samples", "checkpoints"):
        (folder / name).mkdir()
    job = TrainingJob(
        job_id="train-1",
        correlation_id="corr-1",
        character_id="char-1",
        character_name="Mizu",
        trigger_word="mizu",
        config=CommandParameters(command=["train"]).model_dump(mode="json"),
        dataset=folder,
        samples=folder / "samples",
        checkpoints=folder / "checkpoints",
        workdir=folder,
        output=folder / "mizu.safetensors",
    )
    observer = CommandTrainer().observer(job)
    lines = printed.text.split("\n")
    for line in lines:
        list(observer.line("stderr", line))
    ending = Ending(printed.exit_code, False, tuple(line for line in lines[-50:]))
    verdict = endings.judge(observer.verdict(ending), ending, failure=None, printed=None, memory_kill=False)
    return failure_fields(verdict, ending.last_lines, job.config)


@pytest.mark.parametrize("case", PRINTED.values(), ids=list(PRINTED))
def test_the_first_cause_is_told_and_not_what_came_of_it(tmp_path: Path, case: Printed) -> None:
    fields = fields_of(tmp_path, case)
    assert fields["cause"]["code"] == case.code
    assert not case.error_type or fields["error_type"] == case.error_type
    assert case.error in fields["error"]
    assert fields["cause"]["advice"]
    assert "{name}" not in str(fields["cause"])


def test_a_chained_stack_is_whole_across_messages_of_several_lines() -> None:
    collector = TracebackCollector()
    for line in PRINTED["an exception made of a plainer one"].text.split("\n"):
        collector.feed(line)
    assert collector.last is not None
    assert collector.last.text.startswith("Traceback")
    assert "GatedRepoError" in collector.last.text
    assert "Cannot access gated repo" in collector.last.text


def test_ranks_that_print_at_the_same_time_are_told_apart() -> None:
    first = by_rank(0, stack("KeyError: 'a'")).split("\n")
    second = by_rank(1, stack("ValueError: b")).split("\n")
    collector = TracebackCollector()
    for lines in zip(first, second, strict=True):
        for line in lines:
            collector.feed(line)
    assert collector.last is not None
    assert (collector.last.error_type, collector.last.message) == ("KeyError", "'a'")
    assert collector.last.text == stack("KeyError: 'a'")


@pytest.mark.parametrize("after", [LAUNCHER, AT_SHUTDOWN])
def test_each_stack_is_a_line_of_its_own_and_the_first_is_the_error(after: str) -> None:
    journal: list[tuple[str, dict[str, Any], Level]] = []
    output = OutputLines("stderr", lambda _event, msg, fields, level: journal.append((msg, fields, level)), deque())
    for line in f"{OUT_OF_MEMORY}\n{after}".split("\n"):
        output.take(Piece(line))
    output.flush()
    stacks = [(fields["error_type"], fields["error_stack"]) for _, fields, level in journal if level is Level.ERROR]
    assert stacks[0] == ("torch.OutOfMemoryError", OUT_OF_MEMORY)
    assert len(stacks) == 2


def test_a_message_of_several_lines_is_told_whole() -> None:
    journal: list[tuple[EventName, str, dict[str, Any]]] = []
    output = OutputLines("stderr", lambda event, msg, fields, _level: journal.append((event, msg, fields)), deque())
    for line in PRINTED["a message of several lines"].text.split("\n"):
        output.take(Piece(line))
    output.flush()
    [(_, _, fields)] = journal
    assert fields["error"].startswith("Error(s) in loading state_dict")
    assert "size mismatch" in fields["error"]
