"""Who holds a job: workers, and when another may take over from one that fell silent.

Nothing here compares wall clocks. A worker's row carries a counter that it advances; an observer calls a worker lost
only after it has itself seen that counter stand still for a whole lease on its own monotonic clock. Knows no database.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from isengard.core.paths import DataDir


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that wants to be the worker of a data folder.

    Attributes:
        id: Unique for this start of the process.
        folder: Identity of the data folder (`folder_identity`).
        host: Host name, for people.
        machine: Tells apart machines, boots and process-id namespaces: only within one do pids mean the same.
        pid: Process id in that namespace.
        process_started: When the kernel started it (`process_start`), to tell it from a later one with its pid.
    """

    id: str
    folder: str
    host: str
    machine: str
    pid: int
    process_started: float

    @classmethod
    def here(cls, data_dir: Path) -> Holder:
        """This process, working on `data_dir`."""
        started = process_start(os.getpid())
        return cls(
            id=f"worker-{secrets.token_hex(8)}",
            folder=folder_identity(data_dir),
            host=socket.gethostname(),
            machine=machine_identity(),
            pid=os.getpid(),
            process_started=started if started is not None else 0.0,
        )


@dataclass(frozen=True, slots=True)
class Worker(Holder):
    """A registered worker as the store holds it.

    Attributes:
        beat: Advanced by every sign of life; only whether it changed means anything.
        fence: Token of this registration; higher than every token given before it.
        beat_at: The worker's own clock at its last beat, for people.
    """

    beat: int
    fence: int
    registered_at: datetime
    beat_at: datetime


def folder_identity(data_dir: Path) -> str:
    """The identity of a data folder: a random text in its file ``folder.id``, made at the first call."""
    path = DataDir(data_dir).identity
    if not path.exists():
        candidate = data_dir / f".folder.id-{secrets.token_hex(8)}"
        with open(candidate, "x", encoding="ascii") as file:
            file.write(f"folder-{secrets.token_hex(16)}\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(candidate, path)  # atomic, and the first of two processes wins
        except FileExistsError:
            pass
        finally:
            candidate.unlink()
    return path.read_text(encoding="ascii").strip()


def machine_identity() -> str:
    """A text that is the same for two processes only if a pid means the same to both."""
    parts = [socket.gethostname()]
    for path, read in (("/proc/sys/kernel/random/boot_id", _read), ("/proc/self/ns/pid", os.readlink)):
        try:
            parts.append(read(path))
        except OSError:  # not Linux: the host name alone decides
            continue
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def is_dead(worker: Worker) -> bool:
    """Whether the worker's process is known to be gone. False also means "cannot be known from here"."""
    return worker.machine == machine_identity() and process_start(worker.pid) != worker.process_started


def end_stopped(worker: Worker) -> bool:
    """Kill the worker's process if it is on this machine and stopped (SIGSTOP); whether that was done.

    For a lost worker that was stopped with a lock in its hands. One that is not stopped may be waiting for that lock
    itself, so it is left alone. Runners are no children that die with it; a database survives a kill at any moment.
    """
    if worker.machine != machine_identity() or process_start(worker.pid) != worker.process_started:
        return False
    if not _is_stopped(worker.pid):
        return False
    try:
        os.kill(worker.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def process_start(pid: int) -> float | None:
    """When process `pid` started, in the kernel's own unit; None if there is none or it has ended and is a zombie.

    On Linux these are clock ticks since boot: seconds since the epoch would move whenever somebody sets the clock.
    """
    stat = Path(f"/proc/{pid}/stat")
    if stat.parent.parent.joinpath("self").exists():
        return _linux_start(stat)
    return _other_start(pid)


@dataclass(slots=True)
class _Sight:
    beat: int
    at: float
    silent_s: float = 0.0


@dataclass(slots=True)
class LeaseObserver:
    """Watches other workers' beats and tells which of them have been silent for a whole lease.

    Silence is summed over the gaps between looks, and no gap counts for more than a quarter of the lease. An observer
    that was itself suspended for an hour therefore still gives the others most of a lease to show a beat.

    Args:
        lease_s: Seconds of silence after which a worker is lost.
        clock: A clock that never goes back, in seconds.
    """

    lease_s: float
    clock: Callable[[], float] = time.monotonic
    _sights: dict[str, _Sight] = field(default_factory=dict)

    def look(self, workers: Iterable[Worker]) -> list[Worker]:
        """Take note of `workers` as they stand now; return those lost. Call it at least four times a lease."""
        now = self.clock()
        present = {worker.id: worker for worker in workers}
        self._sights = {key: sight for key, sight in self._sights.items() if key in present}
        return [worker for worker in present.values() if self._is_lost(worker, now)]

    def silent_s(self, worker: Worker) -> float:
        """Seconds for which `worker` has been seen silent."""
        sight = self._sights.get(worker.id)
        return sight.silent_s if sight else 0.0

    def _is_lost(self, worker: Worker, now: float) -> bool:
        sight = self._sights.get(worker.id)
        if sight is None or sight.beat != worker.beat:
            self._sights[worker.id] = _Sight(worker.beat, now)
            return is_dead(worker)
        sight.silent_s += min(now - sight.at, self.lease_s / 4)
        sight.at = now
        return sight.silent_s >= self.lease_s or is_dead(worker)


def _read(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read().strip()


def _linux_start(stat: Path) -> float | None:
    try:
        # The second field, the program's name, may hold spaces and parentheses: count from the last parenthesis.
        fields = stat.read_bytes().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in (b"Z", b"X") else float(fields[19])


def _is_stopped(pid: int) -> bool:
    import psutil  # noqa: PLC0415 - needed in this one rare case

    try:
        return bool(psutil.Process(pid).status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP))
    except psutil.Error:
        return False


def _other_start(pid: int) -> float | None:
    import psutil  # noqa: PLC0415 - a compiled module that Linux does not need here

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None
