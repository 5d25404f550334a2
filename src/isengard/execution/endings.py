"""How a trainer's process ended, in words, and what that makes of the job. Guesses nothing that it has no sign of."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from isengard.execution.recorder import Failure
from isengard.trainers.base import EXIT_UNKNOWN, Ending, Verdict
from isengard.trainers.tracebacks import Traceback

_VMSTAT = Path("/proc/vmstat")
_CGROUP = Path("/proc/self/cgroup")
_CGROUP_ROOT = Path("/sys/fs/cgroup")

_SIGNALS: dict[int, str] = {
    signal.SIGKILL: "often the kernel's out-of-memory killer, or somebody's kill -9",
    signal.SIGSEGV: "a crash in native code: a driver, a CUDA kernel or a compiled extension",
    signal.SIGBUS: "a crash in native code, or a disk or shared memory that is full",
    signal.SIGABRT: "native code gave up: a failed assertion, often in CUDA or a memory allocator",
    signal.SIGILL: "an instruction that this processor does not have: a package built for another one",
    signal.SIGFPE: "a division by zero in native code",
    signal.SIGTERM: "somebody or the system asked it to end",
    signal.SIGINT: "interrupted from a keyboard or by a script",
    signal.SIGHUP: "its terminal was closed",
    signal.SIGXCPU: "a limit on processor time",
    signal.SIGPIPE: "it wrote to something that was closed",
}
_UNKNOWN = "gone without a word: somebody's kill -9, the kernel's out-of-memory killer, or os._exit"
_UNKNOWN_AT_WORK = "gone without a word while the kernel's out-of-memory killer was at work: memory ran out"
_TYPES: dict[int, str] = {
    signal.SIGKILL: "ProcessKilled",
    signal.SIGSEGV: "SegmentationFault",
    signal.SIGABRT: "ProcessAborted",
    signal.SIGBUS: "BusError",
}


@dataclass(frozen=True, slots=True)
class MemoryKills:
    """How often the kernel has killed a process for memory so far, as far as this process may know.

    Attributes:
        group: In this process's own control group.
        machine: On the whole machine.
    """

    group: int | None
    machine: int | None

    @classmethod
    def now(cls) -> MemoryKills:
        """The counters as they stand."""
        return cls(_group_kills(), _counter(_VMSTAT, "oom_kill"))

    def since(self, earlier: MemoryKills) -> bool:
        """Whether there was one between `earlier` and this."""
        if self.group is not None and earlier.group is not None and self.group > earlier.group:
            return True
        return self.machine is not None and earlier.machine is not None and self.machine > earlier.machine


def describe(exit_code: int, *, memory_kill: bool = False) -> str:
    """What an exit code means: ``exit code 3``, ``killed by signal 9 (SIGKILL): often …``."""
    if exit_code == EXIT_UNKNOWN:
        return _UNKNOWN_AT_WORK if memory_kill else _UNKNOWN
    if exit_code >= 0:
        return _shell_code(exit_code) if exit_code > 128 else f"exit code {exit_code}"
    number = -exit_code
    if number == signal.SIGKILL and memory_kill:
        return "killed by signal 9 (SIGKILL) while the kernel's out-of-memory killer was at work: memory ran out"
    reason = _SIGNALS.get(number)
    return f"killed by signal {number} ({_name(number)})" + (f": {reason}" if reason else "")


def judge(
    verdict: Verdict, ending: Ending, *, failure: Failure | None, printed: Traceback | None, memory_kill: bool
) -> Verdict:
    """Fill a failure's account from the best witness: the trainer's own words, its printed stack, its exit."""
    if verdict.outcome != "failed" or verdict.error:
        return verdict
    if failure is not None and ending.exit_code > 0:
        return Verdict("failed", failure.error, failure.error_type, failure.stack)
    how = f"the trainer was {describe(ending.exit_code, memory_kill=memory_kill)}"
    if ending.exit_code >= 0:
        if printed is not None:
            return Verdict("failed", printed.message or printed.error_type, printed.error_type, printed.text)
        how = f"the trainer ended with {describe(ending.exit_code)}"
    stack = printed.text if printed is not None else None
    return Verdict("failed", _with_last_words(how, ending.last_lines), _type(ending.exit_code, memory_kill), stack)


def _with_last_words(how: str, last_lines: Sequence[str]) -> str:
    last = next((line for line in reversed(last_lines) if line.strip()), "")
    return f"{how}; its last line was: {last[:300]}" if last else how


def _type(exit_code: int, memory_kill: bool) -> str:
    if exit_code >= 0:
        return "ExitCode"
    if exit_code in (-signal.SIGKILL, EXIT_UNKNOWN) and memory_kill:
        return "OutOfMemoryKilled"
    if exit_code == EXIT_UNKNOWN:
        return "ProcessGone"
    return _TYPES.get(-exit_code, "ProcessSignalled")


def _shell_code(exit_code: int) -> str:
    name = _name(exit_code - 128)
    return f"exit code {exit_code}" + (f" (a child ended by {name})" if name != "unknown" else "")


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"


def _group_kills() -> int | None:
    with contextlib.suppress(OSError, IndexError):
        unified = [line for line in _CGROUP.read_text().splitlines() if line.startswith("0::")]
        return _counter(_CGROUP_ROOT / unified[0][3:].lstrip("/") / "memory.events", "oom_kill")
    return None


def _counter(path: Path, name: str) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        for line in path.read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
    return None
