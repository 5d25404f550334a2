"""Processes below a runner: started so that they die with it, found again wherever they hide, ended without survivors.

A trainer's processes are known by three signs: the process group of the direct child, the ``ISENGARD_RUN`` mark in
their environment, and descent, which on Linux survives double forks because the runner adopts orphans (subreaper).
Never signals by name.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from isengard.events.reports import ENV_RUN

_LINUX = sys.platform == "linux"
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_ROUND_S = 0.02


def mark(job_id: str, attempt: int) -> str:
    """The value of ``ISENGARD_RUN`` in every process of one run."""
    return f"{job_id}/{attempt}"


def become_subreaper() -> None:
    """Make this process the new parent of orphaned descendants, where the system can do that (Linux)."""
    if _LINUX:
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def start(
    argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, stdout: int, stderr: int
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own that is killed when this process dies (Linux).

    Raises:
        RuntimeError: Called from another thread than the main one: the kernel sends the parent-death signal when the
            *thread* that forked ends, which would kill the program in the middle of its work.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("a process that is to die with this one must be started from its main thread")
    return subprocess.Popen(
        argv,
        env=dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        preexec_fn=die_with_parent() if _LINUX else None,  # noqa: PLW1509 - one system call, bound before the fork
    )


def die_with_parent() -> Callable[[], None]:
    """For a `preexec_fn`: the new process is killed when the thread that starts it ends (Linux)."""
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def bind() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before the line above
            os.kill(os.getpid(), signal.SIGKILL)

    return bind


def signal_group(leader: int, number: signal.Signals) -> bool:
    """Send `number` to the process group of `leader`; whether anything was left of it."""
    try:
        os.killpg(leader, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS says so for a group of zombies
        return False
    return True


def marked(run_mark: str) -> list[int]:
    """The living processes of this user that carry `run_mark`, this one excluded."""
    wanted = f"{ENV_RUN}={run_mark}".encode()
    find = _marked_linux if _LINUX else _marked_elsewhere
    return [pid for pid in find(wanted) if pid != os.getpid()]


def descendants(ancestor: int) -> list[int]:
    """The living processes below `ancestor`, zombies excluded."""
    children: dict[int, list[int]] = {}
    for pid, (parent, is_dead) in _process_table().items():
        if not is_dead:
            children.setdefault(parent, []).append(pid)
    found: list[int] = []
    below = list(children.get(ancestor, ()))
    while below:
        pid = below.pop()
        found.append(pid)
        below.extend(children.get(pid, ()))
    return found


def kill_all(
    find: Callable[[], Iterable[int]], *, signalled: Iterable[int] = (), patience_s: float = 5.0
) -> tuple[int, list[int]]:
    """SIGKILL whatever `find` finds, again and again until it finds nothing, and collect those that were ours.

    `signalled` are processes that were sent their SIGKILL already and are to be counted and collected as well: a
    dead child that nobody asks about stays in the process table for as long as this process lives.

    Returns:
        How many processes were killed, and those still there after `patience_s` (stuck in the kernel).
    """
    deadline = time.monotonic() + patience_s
    killed = set(signalled)
    waiting = set(killed)
    while True:
        found = list(find())
        fresh = {pid for pid in found if _kill(pid)}
        killed |= fresh
        waiting |= fresh
        gone = {pid for pid in waiting if _is_gone(pid)}
        waiting -= gone
        if not (found or gone or waiting) or time.monotonic() > deadline:
            return len(killed), found
        time.sleep(_ROUND_S)


def _is_gone(pid: int) -> bool:
    """Whether killed `pid` has ended, collecting it if it is ours.

    The dead child of another process below this one comes to us when that one ends: until then it is not gone.
    """
    try:
        return os.waitpid(pid, os.WNOHANG) != (0, 0)
    except ChildProcessError:  # collected, or never ours
        return not _will_be_ours(pid)


def _will_be_ours(pid: int) -> bool:
    table = _process_table()
    if pid not in table:
        return False
    parent, is_dead = table[pid]
    while parent in table and parent != os.getpid():
        parent = table[parent][0]
    return parent == os.getpid() or not is_dead


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _marked_linux(wanted: bytes) -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and _carries(name, wanted)]


def _carries(name: str, wanted: bytes) -> bool:
    """A zombie's environment is empty, so it carries nothing."""
    try:
        with open(f"/proc/{name}/environ", "rb") as file:
            return wanted in file.read().split(b"\0")
    except OSError:
        return False


def _process_table() -> dict[int, tuple[int, bool]]:
    """The parent of every process, and whether it is dead and merely not collected yet."""
    return _table_linux() if _LINUX else _table_elsewhere()


def _table_linux() -> dict[int, tuple[int, bool]]:
    """Read here and not by psutil, which tells processes by the wall clock."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        with contextlib.suppress(OSError):
            # The second field, the program's name, may hold anything: count from the last parenthesis.
            state, parent = Path(f"/proc/{name}/stat").read_bytes().rpartition(b")")[2].split()[:2]
            found[int(name)] = (int(parent), state in (b"Z", b"X"))
    return found


def _table_elsewhere() -> dict[int, tuple[int, bool]]:
    import psutil  # noqa: PLC0415 - Linux does not need it here

    found = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            found[process.pid] = (process.ppid(), process.status() == psutil.STATUS_ZOMBIE)
    return found


def _marked_elsewhere(wanted: bytes) -> list[int]:
    import psutil  # noqa: PLC0415 - as above

    name, _, value = wanted.decode().partition("=")
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(name) == value:
                found.append(process.pid)
    return found
