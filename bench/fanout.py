"""One job, many live viewers: CPU a delivered event costs the server, and what a viewer that never reads costs it.

    python bench/fanout.py [--clients 1000] [--rate 100] [--seconds 10] [--rounds 3]

A writer process appends steps to a real journal at the given rate; a server process follows it and serves them as
server-sent events; a client process holds the connections, reads everything and checks that every number came once and
in order. Peers serve the same journal: `sse-starlette` and a bare StreamingResponse, each with a queue a client, and a
loop in C that knows nothing but to write (`peers/`). Rounds are interleaved; medians. Then viewers that never read, and
what the server's memory comes to, with as many that do for comparison.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from isengard.core.paths import DataDir, JobPaths
from isengard.core.redaction import Redactor
from isengard.events.models import EventName
from isengard.journal import JournalWriter

PEERS = Path(__file__).parent / "peers"
IDS = re.compile(rb"^id: (\d+)$", re.MULTILINE)


@dataclass
class Outcome:
    """One round of one server."""

    delivered: int
    expected: int
    broken: int
    cpu_us: float
    p50_ms: float
    p99_ms: float


def make_job(data: DataDir) -> JobPaths:
    """A queued job in store and journal, as the API makes one."""
    from isengard.core.settings import load
    from isengard.execution import demo
    from isengard.jobs.store import open_store

    settings = load(data_dir=data.root)
    data.prepare()
    store = open_store(settings)
    _, job = demo.start(settings, store)
    store.close()
    return data.job(job.id)


def write_steps(paths: JobPaths, rate: float, seconds: float) -> None:
    """Append steps with the moment of their writing at a steady rate."""
    with JournalWriter.open(paths, service="runner", redactor=Redactor(), correlation_id="bench") as journal:
        begin = time.monotonic()
        for number in range(int(rate * seconds)):
            time.sleep(max(0.0, begin + number / rate - time.monotonic()))
            fields = {"step": number, "steps_total": 100_000, "loss": 0.3, "lr": 1e-4, "at_ns": time.monotonic_ns()}
            journal.append(EventName.TRAINING_STEP, "", fields)


class Crowd:
    """What all viewers have in common."""

    def __init__(self, size: int, last: int) -> None:
        self.last = last
        self.delays: list[float] = []
        self._unanswered = self._unfinished = size
        self.answered = asyncio.Event()
        self.finished = asyncio.Event()

    def note_answer(self) -> None:
        self._unanswered -= 1
        if self._unanswered == 0:
            self.answered.set()

    def note_end(self) -> None:
        self._unfinished -= 1
        if self._unfinished == 0:
            self.finished.set()


class Viewer(asyncio.Protocol):
    """One connection; checks the numbers, and where it is timed notes delays."""

    def __init__(self, crowd: Crowd, request: bytes, first: int, timed: bool) -> None:
        self._crowd = crowd
        self._request = request
        self._timed = timed
        self._tail = b""
        self._answered = False
        self.next = first
        self.count = 0
        self.broken = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        if not self._answered:
            self._answered = True
            self._crowd.note_answer()
        data = self._tail + data
        end = data.rfind(b"\n\n") + 2
        if end < 2:
            self._tail = data
            return
        self._tail, data = data[end:], data[:end]
        if self._timed:
            now = time.monotonic_ns()
            self._crowd.delays += [(now - int(at)) / 1e6 for at in re.findall(rb'"at_ns":(\d+)', data)]
        for text in IDS.findall(data):
            self._take(int(text))

    def _take(self, number: int) -> None:
        if number < self.next:
            self.broken += self.count > 0  # the snapshot's own id comes before the first new one
            return
        self.broken += number != self.next
        self.next = number + 1
        self.count += 1
        if number == self._crowd.last:
            self._crowd.note_end()


async def view(port: int, path: str, clients: int, first: int, last: int, ready: object, patience_s: float) -> tuple:
    """Hold `clients` connections until each has line `last`; counts, broken sequences, delays of a few."""
    loop = asyncio.get_running_loop()
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/event-stream\r\n\r\n".encode()
    crowd = Crowd(clients, last)
    viewers = [Viewer(crowd, request, first, number % 50 == 0) for number in range(clients)]
    for viewer in viewers:
        await loop.create_connection(lambda viewer=viewer: viewer, "127.0.0.1", port)
    await crowd.answered.wait()
    ready.set()  # type: ignore[attr-defined]
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(crowd.finished.wait(), patience_s)
    return sum(viewer.count for viewer in viewers), sum(viewer.broken for viewer in viewers), crowd.delays


def run_viewers(pipe: object, ready: object, *args: object) -> None:
    """The client process."""
    import uvloop

    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        pipe.send(runner.run(view(*args[:5], ready, args[5])))  # type: ignore[attr-defined, arg-type]


class Isengard:
    """The product, as it is started by `isengard up`."""

    name = "isengard"

    def command(self, data: Path, port: int, descriptor: int) -> list[str]:
        place = ["--data-dir", str(data), "--port", str(port), "--fd", str(descriptor)]
        return [sys.executable, "-m", "isengard", "api", *place]

    def path(self, job_id: str) -> str:
        return f"/api/jobs/{job_id}/stream"


class Peer:
    """Another server of the same lines: `peers/sse_queues.py` under one of its two names."""

    def __init__(self, name: str) -> None:
        self.name = name

    def command(self, data: Path, port: int, descriptor: int) -> list[str]:
        return [sys.executable, str(PEERS / "sse_queues.py"), self.name, str(data), str(descriptor)]

    def path(self, job_id: str) -> str:
        return f"/{job_id}"


class Loop(Peer):
    """`peers/sse_loop.c`: what the kernel takes and hardly more."""

    def __init__(self, program: Path) -> None:
        super().__init__("a loop in C")
        self._program = program

    @classmethod
    def built(cls, folder: Path) -> list[Peer]:
        """It, where there is a compiler."""
        program, compiler = folder / "sse_loop", shutil.which("cc")
        if compiler is None:
            return []
        subprocess.run([compiler, "-O2", "-o", str(program), str(PEERS / "sse_loop.c")], check=True)
        return [cls(program)]

    def command(self, data: Path, port: int, descriptor: int) -> list[str]:
        (journal,) = DataDir(data).jobs.glob("*/events.jsonl")
        return [str(self._program), str(descriptor), str(journal)]


class Running:
    """A server process on a free port."""

    def __init__(self, server: Isengard | Peer, data: DataDir) -> None:
        listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        os.set_inheritable(listener.fileno(), True)
        self.port = listener.getsockname()[1]
        command = server.command(data.root, self.port, listener.fileno())
        quiet = {**os.environ, "ISENGARD_LOG_LEVEL": "WARN"}
        self.process = subprocess.Popen(command, pass_fds=[listener.fileno()], env=quiet)
        listener.close()
        self.watch = psutil.Process(self.process.pid)
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as knock:
            knock.sendall(b"GET /health HTTP/1.0\r\n\r\n")
            knock.recv(1)

    def cpu_s(self) -> float:
        """Processor seconds so far."""
        times = self.watch.cpu_times()
        return times.user + times.system

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


def measure(server: Isengard | Peer, options: argparse.Namespace) -> Outcome:
    """One round."""
    with tempfile.TemporaryDirectory() as folder:
        data = DataDir(Path(folder))
        paths = make_job(data)
        running = Running(server, data)
        try:
            return _measure(running, server, paths, options)
        finally:
            running.stop()


def _measure(running: Running, server: Isengard | Peer, paths: JobPaths, options: argparse.Namespace) -> Outcome:
    events = int(options.rate * options.seconds)
    context = multiprocessing.get_context("spawn")
    ready, (mine, theirs) = context.Event(), context.Pipe()
    args = (running.port, server.path(paths.job_id), options.clients, 3, 2 + events, options.seconds + 60)
    viewers = context.Process(target=run_viewers, args=(theirs, ready, *args))
    viewers.start()
    ready.wait(120)
    before = running.cpu_s()
    write_steps(paths, options.rate, options.seconds)
    delivered, broken, delays = mine.recv()
    cpu = running.cpu_s() - before
    viewers.join()
    cuts = statistics.quantiles(delays, n=100) if len(delays) > 1 else [0.0] * 99
    return Outcome(delivered, events * options.clients, broken, cpu / max(1, delivered) * 1e6, cuts[49], cuts[98])


def silent_viewers(readers: int, silent: int, events: int = 40_000) -> float:
    """Megabytes by which a flood of 1 KB events makes the server grow, with so many viewers of each kind."""
    with tempfile.TemporaryDirectory() as folder:
        data = DataDir(Path(folder))
        paths = make_job(data)
        running = Running(Isengard(), data)
        context = multiprocessing.get_context("spawn")
        ready, (mine, theirs) = context.Event(), context.Pipe()
        path = Isengard().path(paths.job_id)
        args = (running.port, path, readers, 3, 2 + events, 120)
        viewers = context.Process(target=run_viewers, args=(theirs, ready, *args))
        viewers.start()
        try:
            ready.wait(120)
            held = [_silent(running.port, path) for _ in range(silent)]
            before = running.watch.memory_info().rss
            with JournalWriter.open(paths, service="runner", redactor=Redactor(), correlation_id="bench") as journal:
                for number in range(events):
                    journal.append(EventName.TRAINING_STEP, "x" * 800, {"step": number, "loss": 0.1, "at_ns": 0})
            delivered, broken, _ = mine.recv()
            assert (delivered, broken) == (events * readers, 0), "a viewer that reads suffered from those that do not"
            grown = running.watch.memory_info().rss - before
            for each in held:
                each.close()
            return grown / 1e6
        finally:
            viewers.join(10)
            running.stop()


def _silent(port: int, path: str) -> socket.socket:
    viewer = socket.create_connection(("127.0.0.1", port))
    viewer.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    viewer.recv(1)  # its stream has begun; from here on it reads no more
    return viewer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="one server by name")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        servers: list[Isengard | Peer] = [Isengard(), *Loop.built(Path(folder)), Peer("sse-starlette")]
        servers.append(Peer("queue a client"))
        compare([server for server in servers if options.only in (None, server.name)], options)
    if options.only in (None, "isengard"):
        grown = {silent: silent_viewers(5, silent) for silent in (0, 100)}
        print(
            f"\n40 MB of events to 5 viewers that read made the server grow by {grown[0]:.1f} MB; with 100 beside them "
            f"that never read by {grown[100]:.1f} MB: {(grown[100] - grown[0]) / 100 * 1e3:.0f} kB a silent viewer."
        )


def compare(servers: list[Isengard | Peer], options: argparse.Namespace) -> None:
    """All rounds of all servers, as a table."""
    outcomes: dict[str, list[Outcome]] = {server.name: [] for server in servers}
    for _ in range(options.rounds):
        for server in servers:
            outcomes[server.name].append(measure(server, options))
    print(
        f"\n{options.clients} clients, {options.rate:g} events/s for {options.seconds:g} s, {options.rounds} rounds\n"
    )
    print("| server | CPU µs a delivery | ratio | delivered | lost or twice | p50 ms | p99 ms |")
    print("|---|---|---|---|---|---|---|")
    first = statistics.median(outcome.cpu_us for outcome in outcomes[servers[0].name])
    for name, rounds in outcomes.items():
        cpu = statistics.median(outcome.cpu_us for outcome in rounds)
        done = sum(outcome.delivered for outcome in rounds) / sum(outcome.expected for outcome in rounds)
        broken = sum(outcome.broken for outcome in rounds)
        p50 = statistics.median(outcome.p50_ms for outcome in rounds)
        p99 = statistics.median(outcome.p99_ms for outcome in rounds)
        print(f"| {name} | {cpu:.1f} | {cpu / first:.1f} | {done:.1%} | {broken} | {p50:.1f} | {p99:.1f} |")


if __name__ == "__main__":
    main()
