"""What one Isengard holds: viewers, jobs and requests at once, with nothing lost, in bounded memory.

    python bench/load.py                                                    a short bout: 100 viewers, 6 jobs, 20 s
    python bench/load.py --viewers 1000 --jobs 50 --seconds 600             the figures of bench/README.md (15 minutes)

Starts a real API with a token, a real worker, and as many mock trainings as asked for, each with its own runner and
trainer process. Viewers are real connections in a process of their own; each is shown its job from the first line to
the last, and checks that every number came once and in order. Requests are made at a steady rate whether or not the
ones before were answered. Then streams beyond the limit and failed logins show how it refuses, and that the trainings
did not notice. At the end the jobs are cancelled, every stream has to end with the terminal line, and every journal has
to hold every step.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import multiprocessing
import os
import re
import resource
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import psutil
from PIL import Image

from isengard.core.errors import IsengardError

IDS = re.compile(rb"^id: (\d+)$", re.MULTILINE)
PATIENCE_S = 300
TAIL = 64 * 1024


class Viewer(asyncio.Protocol):
    """One stream from its first line on; counts numbers that do not follow the one before."""

    def __init__(self, request: bytes, job_id: str) -> None:
        self._request, self.job_id = request, job_id
        self._tail = b""
        self.status = b""
        self.last = self.broken = 0
        self.answered = asyncio.get_running_loop().create_future()
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        if not self.status:
            self.status = data[9:12]
            self.answered.set_result(None)
        data = self._tail + data
        end = data.rfind(b"\n\n") + 2
        if end < 2:
            self._tail = data
            return
        self._tail = data[end:]
        for text in IDS.findall(data[:end]):
            number = int(text)
            self.broken += number != self.last + 1
            self.last = number
        if b"\n0\r\n" in self._tail or self._tail.endswith(b"0\r\n\r\n"):
            self._end()

    def connection_lost(self, error: Exception | None) -> None:
        self._end()

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


def view(port: int, token: str, jobs: list[str], viewers: int, ready: Any, pipe: Any) -> None:
    """The process of the viewers; sends (job, last number, breaks, status) of each once all streams have ended."""
    import uvloop

    raise_file_limit()

    async def watch() -> list[tuple[str, int, int, bytes]]:
        loop, crowd = asyncio.get_running_loop(), []
        for number in range(viewers):
            job_id = jobs[number % len(jobs)]
            request = (
                f"GET /api/jobs/{job_id}/stream?from=start HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
                f"Authorization: Bearer {token}\r\nAccept: text/event-stream\r\nConnection: close\r\n\r\n"
            )
            viewer = Viewer(request.encode(), job_id)
            await loop.create_connection(lambda viewer=viewer: viewer, "127.0.0.1", port)
            crowd.append(viewer)
        await asyncio.gather(*(viewer.answered for viewer in crowd))
        ready.set()
        await asyncio.to_thread(pipe.recv)  # the jobs have been cancelled: every stream is about to end
        await asyncio.wait([viewer.ended for viewer in crowd], timeout=PATIENCE_S)
        return [(viewer.job_id, viewer.last, viewer.broken, viewer.status) for viewer in crowd]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        pipe.send(runner.run(watch()))


def raise_file_limit() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Served:
    """API and worker on a data folder of their own."""

    def __init__(self, folder: Path, jobs: int, streams: int) -> None:
        self.folder = folder
        self.token = secrets.token_urlsafe(24)
        listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.port = listener.getsockname()[1]
        settings = {
            "MAX_RUNNING_JOBS": str(jobs),
            "MAX_STREAMS": str(streams),
            "LOG_LEVEL": "WARN",
            "TOKEN": self.token,
        }
        env = {**os.environ, **{f"ISENGARD_{name}": value for name, value in settings.items()}}
        place = ["--data-dir", str(folder)]
        python = [sys.executable, "-m", "isengard"]
        door = ["--port", str(self.port), "--fd", str(listener.fileno())]
        self.api = subprocess.Popen([*python, "api", *place, *door], pass_fds=[listener.fileno()], env=env)
        self.worker = subprocess.Popen([*python, "worker", *place], env=env)
        listener.close()
        self.address = f"http://127.0.0.1:{self.port}"
        self.headers = {"Authorization": f"Bearer {self.token}"}
        self.client = httpx.Client(base_url=self.address, timeout=60, headers=self.headers)
        self.client.get("/health").raise_for_status()

    def processes(self) -> dict[str, list[psutil.Process]]:
        """What runs here, by its part."""
        found = {"API": [psutil.Process(self.api.pid)], "worker": [psutil.Process(self.worker.pid)]}
        for process in psutil.Process(self.worker.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                is_runner = "isengard.execution.runner" in process.cmdline()
                found.setdefault("runners" if is_runner else "trainers", []).append(process)
        return found

    def stop(self) -> None:
        for each in (self.api, self.worker):
            each.terminate()
            each.wait(60)
        self.client.close()


def start_jobs(served: Served, options: argparse.Namespace) -> list[str]:
    """Queue the trainings, and wait until all of them train."""
    picture = io.BytesIO()
    Image.new("RGB", (64, 64), (90, 60, 120)).save(picture, "PNG")
    character = served.client.post("/api/characters", json={"name": "Pip", "trigger_word": "pipbot"}).json()["id"]
    files = {"files": ("pip.png", picture.getvalue())}
    served.client.post(f"/api/characters/{character}/images", files=files).raise_for_status()
    most = int(options.rate * (options.seconds + 4 * PATIENCE_S))  # whatever becomes of us, they end
    config = {"steps": most, "step_time_s": 1 / options.rate, "sample_every_n_steps": 0}
    config |= {"checkpoint_every_n_steps": 0, "resolution": 64}
    body = {"character_id": character, "trainer": "mock", "config": config}
    jobs = [served.client.post("/api/training", json=body).raise_for_status().json()["id"] for _ in range(options.jobs)]
    deadline = time.monotonic() + PATIENCE_S
    while any(last_step(served, job) < 3 for job in jobs):
        if time.monotonic() > deadline:
            raise SystemExit(f"not all jobs have begun to train within {PATIENCE_S} s")
        time.sleep(1)
    return jobs


def journal(served: Served, job_id: str) -> Path:
    return served.folder / "logs" / "jobs" / job_id / "events.jsonl"


def last_step(served: Served, job_id: str) -> int:
    """The newest step in the end of a job's journal, 0 for none."""
    with contextlib.suppress(OSError), journal(served, job_id).open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
        steps = re.findall(rb'"step":(\d+)', file.read())
        return int(steps[-1]) if steps else 0
    return 0


@dataclass
class Asked:
    """What the requests came to."""

    durations_ms: list[float] = field(default_factory=list)
    statuses: Counter[Any] = field(default_factory=Counter)


async def ask_steadily(served: Served, jobs: list[str], options: argparse.Namespace, memory: dict[str, list]) -> Asked:
    """Requests at a steady rate for the whole time, and the memory of both services every few seconds meanwhile."""
    paths = ["/api/training?limit=50", "/health", *(f"/api/training/{job}" for job in jobs[:8])]
    paths += [f"/api/jobs/{job}/logs/view?limit=100" for job in jobs[:4]]
    paths += [f"/api/jobs/{job}/metrics" for job in jobs[:2]]
    asked, running, begin = Asked(), set(), time.monotonic()

    async def ask(client: httpx.AsyncClient, path: str) -> None:
        started = time.monotonic()
        try:
            asked.statuses[(await client.get(path)).status_code] += 1
        except httpx.HTTPError as error:
            asked.statuses[type(error).__name__] += 1
        asked.durations_ms.append((time.monotonic() - started) * 1e3)

    async with httpx.AsyncClient(base_url=served.address, headers=served.headers, timeout=60) as client:
        for number in range(int(options.seconds * options.requests)):
            await asyncio.sleep(max(0.0, begin + number / options.requests - time.monotonic()))
            task = asyncio.create_task(ask(client, paths[number % len(paths)]))
            running.add(task)
            task.add_done_callback(running.discard)
            if number % int(options.requests * max(1, options.seconds / 60)) == 0:
                for name, process in (("API", served.api), ("worker", served.worker)):
                    memory[name].append(psutil.Process(process.pid).memory_info().rss / 1e6)
        await asyncio.gather(*running)
    return asked


def refusals(served: Served, job_id: str) -> tuple[Counter[str], Counter[str]]:
    """How streams beyond the limit and failed logins are answered, with or without a moment to come back at."""
    streams: Counter[str] = Counter()
    logins: Counter[str] = Counter()
    wrong = {"Authorization": f"Bearer {secrets.token_urlsafe(24)}"}
    for answers, path, headers in ((streams, f"/api/jobs/{job_id}/stream", None), (logins, "/api/training", wrong)):
        for _ in range(50):
            with served.client.stream("GET", path, headers=headers) as answer:
                has_when = "retry-after" in answer.headers
                answers[f"{answer.status_code}{' with Retry-After' if has_when else ''}"] += 1
    return streams, logins


@dataclass
class Ledger:
    """What the journals hold, read when all is over.

    Attributes:
        breaks: Numbers or steps that do not follow the one before.
        pauses_s: The longest pause between two steps of each job.
    """

    lines: dict[str, int] = field(default_factory=dict)
    breaks: int = 0
    pauses_s: list[float] = field(default_factory=list)


def read_journals(served: Served, jobs: list[str]) -> Ledger:
    ledger = Ledger()
    for job in jobs:
        lines = [json.loads(line) for line in journal(served, job).read_bytes().splitlines()]
        ledger.lines[job] = len(lines)
        ledger.breaks += sum(line["seq"] != number for number, line in enumerate(lines, 1))
        steps = [line for line in lines if line["event"] == "training.step"]
        ledger.breaks += sum(line["fields"]["step"] != number for number, line in enumerate(steps, 1))
        times = [datetime.fromisoformat(line["ts"]).timestamp() for line in steps]
        ledger.pauses_s.append(max((later - earlier for earlier, later in pairwise(times)), default=0.0))
    return ledger


def cpu_s(parts: dict[str, list[psutil.Process]]) -> dict[str, float]:
    return {name: sum(sum(each.cpu_times()[:2]) for each in processes) for name, processes in parts.items()}


def cancel_jobs(served: Served) -> None:
    """Cancel what runs past the API, which may still hold this address off for its failed logins; wait for the ends."""
    from isengard.core.settings import load
    from isengard.execution import control
    from isengard.jobs.models import ACTIVE
    from isengard.jobs.store import open_store

    settings = load(data_dir=served.folder)
    with contextlib.closing(open_store(settings)) as store:
        running = [job.id for job in store.list_jobs(status=ACTIVE, limit=1000).jobs]
        for job in running:
            with contextlib.suppress(IsengardError):  # it has ended by itself
                control.cancel(settings, store, job)
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and not all(b'"job.cancelled"' in end_of(served, job) for job in running):
            time.sleep(0.5)


def end_of(served: Served, job_id: str) -> bytes:
    with journal(served, job_id).open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
        return file.read()


def measure(options: argparse.Namespace) -> dict[str, str]:
    """One run; what the table says."""
    with tempfile.TemporaryDirectory() as folder:
        served = Served(Path(folder) / "data", options.jobs, options.viewers)
        try:
            return _measure(served, start_jobs(served, options), options)
        finally:
            cancel_jobs(served)
            served.stop()


def _measure(served: Served, jobs: list[str], options: argparse.Namespace) -> dict[str, str]:
    context = multiprocessing.get_context("spawn")
    ready, (mine, theirs) = context.Event(), context.Pipe()
    viewers = context.Process(target=view, args=(served.port, served.token, jobs, options.viewers, ready, theirs))
    viewers.start()
    if not ready.wait(PATIENCE_S):
        raise SystemExit(f"not all viewers were answered within {PATIENCE_S} s")
    parts, memory = served.processes(), {"API": [], "worker": []}
    pss = {name: statistics.median(each.memory_full_info().pss / 2**20 for each in parts[name]) for name in parts}
    before, steps, begin = cpu_s(parts), sum(last_step(served, job) for job in jobs), time.monotonic()
    asked = asyncio.run(ask_steadily(served, jobs, options, memory))
    took = time.monotonic() - begin
    made = sum(last_step(served, job) for job in jobs) - steps
    used = {name: value - before[name] for name, value in cpu_s(parts).items()}
    streams, logins = refusals(served, jobs[0])
    steps_then = [last_step(served, job) for job in jobs]
    time.sleep(5)
    went_on = sum(last_step(served, job) > step for job, step in zip(jobs, steps_then, strict=True))
    cancel_jobs(served)
    mine.send("over")
    seen: list[tuple[str, int, int, bytes]] = mine.recv()
    viewers.join()
    ledger = read_journals(served, jobs)
    complete = sum(last == ledger.lines[job] for job, last, _, _ in seen)
    cuts = statistics.quantiles(asked.durations_ms, n=100)
    busy = [f"{name} {value / took:.0%}" for name, value in used.items()]
    return {
        "viewers": f"{options.viewers}; {sum(status != b'200' for *_, status in seen)} refused; "
        f"{complete} saw their job to its last line",
        "trainings": f"{options.jobs}, {made / took:.0f} steps/s together of {options.jobs * options.rate:.0f} wanted",
        "requests": f"{len(asked.durations_ms)} in {took:.0f} s; statuses {dict(asked.statuses)}",
        "request, median / 99 of 100": f"{cuts[49]:.0f} / {cuts[98]:.0f} ms",
        "frames shown": f"{sum(last for _, last, *_ in seen):,}, {sum(each[2] for each in seen)} lost or twice",
        "journal lines": f"{sum(ledger.lines.values()):,}, {ledger.breaks} breaks",
        "longest pause between two steps, median / worst job": f"{statistics.median(ledger.pauses_s):.2f} / "
        f"{max(ledger.pauses_s):.2f} s",
        "memory of the API, first / most / last": _span(memory["API"]),
        "memory of the worker, first / most / last": _span(memory["worker"]),
        "memory of one runner, one trainer (PSS)": f"{pss['runners']:.0f}, {pss['trainers']:.0f} MiB",
        "of one core": ", ".join(busy),
        "a step costs runner + trainer": f"{(used['runners'] + used['trainers']) / max(1, made) * 1e6:.0f} µs",
        "50 streams beyond the limit": _told(streams),
        "50 requests with a wrong token": _told(logins),
        "trainings that went on meanwhile": f"{went_on} of {options.jobs}",
    }


def _span(values: list[float]) -> str:
    return f"{values[0]:.0f} / {max(values):.0f} / {values[-1]:.0f} MB"


def _told(answers: Counter[str]) -> str:
    return ", ".join(f"{count} × {answer}" for answer, count in answers.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viewers", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=6)
    parser.add_argument("--rate", type=float, default=20, help="events a second of each job")
    parser.add_argument("--requests", type=float, default=20, help="API requests a second")
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    raise_file_limit()
    table = measure(options)
    print(f"\n{options.seconds:g} s on {os.cpu_count()} cores\n")
    print("| what | held |\n|---|---|")
    for name, value in table.items():
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    main()
