"""How an ending reads."""

from __future__ import annotations

import pytest

from isengard.execution.endings import MemoryKills, describe, judge
from isengard.execution.recorder import Failure
from isengard.trainers.base import Ending, Verdict
from isengard.trainers.tracebacks import Traceback

FAILED = Verdict("failed")


@pytest.mark.parametrize(
    ("exit_code", "words"),
    [
        (0, "exit code 0"),
        (3, "exit code 3"),
        (137, "exit code 137 (a child ended by SIGKILL)"),
        (-9, "killed by signal 9 (SIGKILL): often the kernel's out-of-memory killer"),
        (-11, "killed by signal 11 (SIGSEGV): a crash in native code"),
        (-64, "killed by signal 64"),
    ],
)
def test_an_exit_is_put_into_words(exit_code: int, words: str) -> None:
    assert describe(exit_code).startswith(words)


def test_a_sign_of_the_memory_killer_is_named_and_its_absence_is_not_guessed_away() -> None:
    before, same, group, machine = MemoryKills(1, 5), MemoryKills(1, 5), MemoryKills(2, 5), MemoryKills(None, 6)

    assert not same.since(before)
    assert group.since(before)
    assert machine.since(before)
    assert not MemoryKills(None, None).since(before)
    assert "memory ran out" in describe(-9, memory_kill=True)


def test_the_trainers_own_words_come_before_what_it_printed_and_before_the_exit_code() -> None:
    own, printed = Failure("boom", "ValueError", "stack"), Traceback("KeyError", "'x'", "printed stack")
    ending = Ending(1, stop_requested=False, last_lines=("bye", ""))

    def judged(failure: Failure | None, stack: Traceback | None, how: Ending = ending) -> Verdict:
        return judge(FAILED, how, failure=failure, printed=stack, memory_kill=False)

    assert judged(own, printed) == Verdict("failed", "boom", "ValueError", "stack")
    assert judged(None, printed) == Verdict("failed", "'x'", "KeyError", "printed stack")
    assert judged(None, None) == Verdict(
        "failed", "the trainer ended with exit code 1; its last line was: bye", "ExitCode"
    )
    killed = judged(own, None, Ending(-9, stop_requested=False))
    assert killed.error_type == "ProcessKilled", "what was said long before the kill is not its cause"


def test_a_verdict_that_says_why_and_one_that_is_no_failure_stay_as_they_are() -> None:
    ending = Ending(1, stop_requested=True)
    for verdict in (Verdict("cancelled"), Verdict("completed"), Verdict("failed", "why", "Type")):
        assert judge(verdict, ending, failure=Failure("x", "Y"), printed=None, memory_kill=True) == verdict
