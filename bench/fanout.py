"""One job, many live viewers: CPU a delivered event costs the server, and what a viewer that never reads costs it.

    python bench/fanout.py [--clients 1000] [--rate 100] [--seconds 10] [--rounds 3]

A writer process appends steps to a real journal at the given rate; a server process follows it and serves them as
server-sent events; a client process holds the connections, reads everything and checks that every number came once and
in order. Peers serve the same journal from the same follower: `sse-starlette` with a queue a client, and a bare
StreamingResponse with a queue a client. Rounds are interleaved; medians.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import re
import resource
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
    """This file as a server of another make."""

    def __init__(self, name: str) -> None:
        self.name = name

    def command(self, data: Path, port: int, descriptor: int) -> list[str]:
        return [sys.executable, __file__, "--serve", self.name, "--data", str(data), "--fd", str(descriptor)]

    def path(self, job_id: str) -> str:
        return f"/{job_id}"


class QueuePerClient:
    """How most servers fan out: one follower puts each entry into the queue of every client."""

    def __init__(self, data: DataDir) -> None:
        self._data = data
        self._queues: set[asyncio.Queue] = set()
        self._followers: dict[str, asyncio.Task] = {}

    async def frames(self, job_id: str):  # noqa: ANN201 - an async generator of dictionaries
        import orjson

        paths = self._data.job(job_id)
        if job_id not in self._followers:
            self._followers[job_id] = asyncio.create_task(self._follow(paths))
        queue: asyncio.Queue = asyncio.Queue()
        self._queues.add(queue)
        try:
            yield {"id": "2", "event": "snapshot", "data": "{}"}
            while True:
                entry = await queue.get()
                text = orjson.dumps({"job_id": entry["job_id"], "ts": entry["ts"], **entry["fields"]}).decode()
                yield {"id": str(entry["seq"]), "event": "progress", "data": text}
        finally:
            self._queues.discard(queue)

    async def _follow(self, paths: JobPaths) -> None:
        import orjson

        from isengard.journal.follow import follow
        from isengard.journal.reader import JournalReader

        async for lines in follow(paths, after=JournalReader(paths).last_seq()):
            for line in lines:
                entry = orjson.loads(line)
                for queue in self._queues:
                    queue.put_nowait(entry)


def serve_peer(name: str, data: Path, descriptor: int) -> None:
    """Run a peer on a listening socket."""
    import uvicorn
    from sse_starlette import EventSourceResponse
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response, StreamingResponse
    from starlette.routing import Route

    source = QueuePerClient(DataDir(data))

    async def by_sse_starlette(request: Request) -> Response:
        return EventSourceResponse(source.frames(request.path_params["job"]), sep="\n")

    async def by_streaming_response(request: Request) -> Response:
        async def frames():  # noqa: ANN202
            async for each in source.frames(request.path_params["job"]):
                yield f"id: {each['id']}\nevent: {each['event']}\ndata: {each['data']}\n\n".encode()

        return StreamingResponse(frames(), media_type="text/event-stream")

    route = by_sse_starlette if name == "sse-starlette" else by_streaming_response
    app = Starlette(routes=[Route("/{job}", route)])
    listener = socket.socket(fileno=descriptor)
    uvicorn.Server(uvicorn.Config(app, log_level="error", loop="uvloop", http="httptools")).run(sockets=[listener])


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
        with socket.create_connection(("127.0.0.1", self.port)) as knock:
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


def silent_viewer(options: argparse.Namespace) -> str:
    """What a viewer that never reads costs: memory of the server before and after a flood of events."""
    silent, events = 10, 60_000
    with tempfile.TemporaryDirectory() as folder:
        data = DataDir(Path(folder))
        paths = make_job(data)
        running = Running(Isengard(), data)
        try:
            sockets = [_silent(running.port, Isengard().path(paths.job_id)) for _ in range(silent)]
            time.sleep(1)
            write_steps(paths, 1_000_000, 0.002)
            time.sleep(1)
            before = running.watch.memory_info().rss
            with JournalWriter.open(paths, service="runner", redactor=Redactor(), correlation_id="bench") as journal:
                for number in range(events):
                    journal.append(EventName.TRAINING_STEP, "x" * 800, {"step": number, "loss": 0.1})
            time.sleep(3)
            grown = running.watch.memory_info().rss - before
            for each in sockets:
                each.close()
        finally:
            running.stop()
    sent = events * 1000 / 1e6
    return (
        f"{silent} viewers that never read, {sent:.0f} MB of events for each: "
        f"the server grew by {grown / 1e6:.1f} MB in all, {grown / silent / 1e6:.2f} MB a viewer."
    )


def _silent(port: int, path: str) -> socket.socket:
    viewer = socket.create_connection(("127.0.0.1", port))
    viewer.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    return viewer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="one server by name")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--fd", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve_peer(options.serve, options.data, options.fd)
        return
    servers: list[Isengard | Peer] = [Isengard(), Peer("sse-starlette"), Peer("queue a client")]
    servers = [server for server in servers if options.only in (None, server.name)]
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
    if options.only in (None, "isengard"):
        print(f"\n{silent_viewer(options)}")


if __name__ == "__main__":
    main()
