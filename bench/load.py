"""What one Isengard holds: viewers, jobs and requests at once, with nothing lost, in bounded memory.

    .venv/bin/python bench/load.py                                    a short bout
    .venv/bin/python bench/load.py --seconds 600                      the figures of docs/reliability.md

Starts a real API, a real worker, and as many mock trainings as asked for, each with its own runner and trainer process
(their processor time counts against the machine, not against Isengard's own two services). Viewers are real connections
in a process of their own; each checks that it is shown every line once, in order. Afterwards one stream too many and a
flood of failed logins show how it refuses, and that the trainings did not notice.
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
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
from PIL import Image

IDS = re.compile(rb"^id: (\d+)$", re.MULTILINE)
CHANGE_S = 5.0


@dataclass
class Seen:
    """What the viewers saw, all of them together."""

    frames: int = 0
    broken: int = 0
    dropped: int = 0
    refused: int = 0
    last: dict[str, int] = field(default_factory=dict)


class Viewer(asyncio.Protocol):
    """One stream from its first line on; notes a number that does not follow the one before."""

    def __init__(self, request: bytes, job_id: str, seen: Seen) -> None:
        self._request, self._job_id, self._seen = request, job_id, seen
        self._tail = b""
        self._last = 0
        self._head = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        if self._head:
            self._head = False
            self._seen.refused += not data.startswith(b"HTTP/1.1 200")
        data = self._tail + data
        end = data.rfind(b"\n\n") + 2
        if end < 2:
            self._tail = data
            return
        self._tail = data[end:]
        for text in IDS.findall(data[:end]):
            number = int(text)
            self._seen.broken += number != self._last + 1
            self._last = number
            self._seen.frames += 1
        self._seen.last[self._job_id] = max(self._seen.last.get(self._job_id, 0), self._last)

    def connection_lost(self, error: Exception | None) -> None:
        self._seen.dropped += error is not None


def view(port: int, jobs: list[str], viewers: int, ready: Any, stop: Any, pipe: Any) -> None:
    """The process of the viewers."""
    import uvloop

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    async def watch() -> Seen:
        seen, loop = Seen(), asyncio.get_running_loop()
        for number in range(viewers):
            job_id = jobs[number % len(jobs)]
            path = f"/api/jobs/{job_id}/stream?from=start"
            request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/event-stream\r\n\r\n".encode()
            viewer = Viewer(request, job_id, seen)
            await loop.create_connection(lambda viewer=viewer: viewer, "127.0.0.1", port)
        ready.set()
        await asyncio.to_thread(stop.wait)
        await asyncio.sleep(2)  # what is on its way
        return seen

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        pipe.send(runner.run(watch()))


class Served:
    """API and worker on a data folder of their own."""

    def __init__(self, folder: Path, jobs: int, streams: int) -> None:
        self.folder = folder
        listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.port = listener.getsockname()[1]
        settings = {"MAX_RUNNING_JOBS": str(jobs), "MAX_STREAMS": str(streams), "LOG_LEVEL": "WARN"}
        env = {**os.environ, **{f"ISENGARD_{name}": value for name, value in settings.items()}}
        place = ["--data-dir", str(folder)]
        python = [sys.executable, "-m", "isengard"]
        door = ["--port", str(self.port), "--fd", str(listener.fileno())]
        self.api = subprocess.Popen([*python, "api", *place, *door], pass_fds=[listener.fileno()], env=env)
        self.worker = subprocess.Popen([*python, "worker", *place], env=env)
        listener.close()
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60)
        self.client.get("/health").raise_for_status()

    def memory_mb(self) -> tuple[float, float]:
        """Of API and worker."""
        api, worker = (psutil.Process(each.pid).memory_info().rss / 1e6 for each in (self.api, self.worker))
        return api, worker

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
    config = {"steps": 1_000_000, "step_time_s": 1 / options.rate, "sample_every_n_steps": 0}
    config |= {"checkpoint_every_n_steps": 0, "resolution": 64}
    body = {"character_id": character, "trainer": "mock", "config": config}
    jobs = [served.client.post("/api/training", json=body).raise_for_status().json()["id"] for _ in range(options.jobs)]
    deadline = time.monotonic() + 600
    while any(last_step(served, job) < 3 for job in jobs):
        if time.monotonic() > deadline:
            raise SystemExit("not all jobs have begun to train within ten minutes")
        time.sleep(1)
    return jobs


def lines_of(served: Served, job_id: str) -> list[dict[str, Any]]:
    data = (served.folder / "logs" / "jobs" / job_id / "events.jsonl").read_bytes()
    return [json.loads(line) for line in data[: data.rfind(b"\n") + 1].splitlines()]


def last_step(served: Served, job_id: str) -> int:
    with contextlib.suppress(OSError):
        return max((line["fields"]["step"] for line in lines_of(served, job_id) if "loss" in line["fields"]), default=0)
    return 0


def ask_steadily(served: Served, jobs: list[str], options: argparse.Namespace) -> tuple[list[float], Counter[int]]:
    """Requests at a steady rate for the whole time; their durations in ms and statuses."""
    paths = ["/api/training?limit=50", "/health", *(f"/api/training/{job}" for job in jobs[:8])]
    paths += [f"/api/jobs/{job}/logs/view?limit=100" for job in jobs[:4]]
    begin, durations, statuses = time.monotonic(), [], Counter()
    for number in range(int(options.seconds * options.requests)):
        time.sleep(max(0.0, begin + number / options.requests - time.monotonic()))
        asked = time.monotonic()
        statuses[served.client.get(paths[number % len(paths)]).status_code] += 1
        durations.append((time.monotonic() - asked) * 1e3)
    return durations, statuses


def refusals(served: Served, job_id: str) -> Counter[str]:
    """How the streams beyond the limit are answered, with or without a moment to come back at."""
    answers: Counter[str] = Counter()
    for _ in range(50):
        with served.client.stream("GET", f"/api/jobs/{job_id}/stream") as answer:
            when = answer.headers.get("retry-after")
            answers[f"{answer.status_code}{f' Retry-After: {when}' if when else ''}"] += 1
    return answers


def check_journals(served: Served, jobs: list[str]) -> tuple[int, int]:
    """Lines in all journals, and breaks: a number or a step that does not follow the one before."""
    lines = broken = 0
    for job in jobs:
        found = lines_of(served, job)
        lines += len(found)
        broken += sum(line["seq"] != number for number, line in enumerate(found, 1))
        steps = [line["fields"]["step"] for line in found if line["event"] == "training.step"]
        broken += sum(step != number for number, step in enumerate(steps, 1))
    return lines, broken


def measure(options: argparse.Namespace) -> dict[str, str]:
    """One run; what the table says."""
    with tempfile.TemporaryDirectory() as folder:
        served = Served(Path(folder) / "data", options.jobs, options.viewers)
        try:
            return _measure(served, options)
        finally:
            _end_jobs(served)
            served.stop()


def _measure(served: Served, options: argparse.Namespace) -> dict[str, str]:
    jobs = start_jobs(served, options)
    context = multiprocessing.get_context("spawn")
    ready, stop, (mine, theirs) = context.Event(), context.Event(), context.Pipe()
    viewers = context.Process(target=view, args=(served.port, jobs, options.viewers, ready, stop, theirs))
    viewers.start()
    ready.wait(300)
    memory, steps, begin = served.memory_mb(), sum(last_step(served, job) for job in jobs), time.monotonic()
    cpu = [sum(psutil.Process(each.pid).cpu_times()[:2]) for each in (served.api, served.worker)]
    durations, statuses = ask_steadily(served, jobs, options)
    took = time.monotonic() - begin
    used = [sum(psutil.Process(each.pid).cpu_times()[:2]) for each in (served.api, served.worker)]
    after = served.memory_mb()
    rate = (sum(last_step(served, job) for job in jobs) - steps) / took
    refused = refusals(served, jobs[0])
    steps_then = [last_step(served, job) for job in jobs]
    time.sleep(CHANGE_S)
    undisturbed = sum(last_step(served, job) > before for job, before in zip(jobs, steps_then, strict=True))
    stop.set()
    seen: Seen = mine.recv()
    viewers.join()
    lines, broken = check_journals(served, jobs)
    cuts = statistics.quantiles(durations, n=100)
    return {
        "viewers": f"{options.viewers} ({seen.refused} refused, {seen.dropped} dropped)",
        "trainings": f"{options.jobs}, {rate:.0f} events/s together of {options.jobs * options.rate:.0f} wanted",
        "requests": f"{len(durations)} in {took:.0f} s, {dict(statuses)}",
        "request p50 / p99": f"{cuts[49]:.0f} / {cuts[98]:.0f} ms",
        "frames shown": f"{seen.frames}, {seen.broken} lost or twice",
        "journal lines": f"{lines}, {broken} breaks",
        "memory of the API": f"{memory[0]:.0f} → {after[0]:.0f} MB",
        "memory of the worker": f"{memory[1]:.0f} → {after[1]:.0f} MB",
        "processor, API + worker": f"{(used[0] - cpu[0]) / took:.0%} + {(used[1] - cpu[1]) / took:.0%} of one core",
        "50 streams beyond the limit": ", ".join(f"{count} × {answer}" for answer, count in refused.items()),
        "trainings that went on": f"{undisturbed} of {options.jobs}",
    }


def _end_jobs(served: Served) -> None:
    with contextlib.suppress(httpx.HTTPError):
        for job in served.client.get("/api/training?status=queued,running&limit=1000").json()["jobs"]:
            served.client.post(f"/api/training/{job['id']}/cancel")
        deadline = time.monotonic() + 120
        while (
            served.client.get("/api/training?status=running,cancelling").json()["jobs"] and time.monotonic() < deadline
        ):
            time.sleep(0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--viewers", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=50)
    parser.add_argument("--rate", type=float, default=20, help="events a second of each job")
    parser.add_argument("--requests", type=float, default=20, help="API requests a second")
    parser.add_argument("--seconds", type=float, default=15)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    table = measure(options)
    print(f"\n{options.seconds:g} s on {os.cpu_count()} cores\n")
    print("| what | held |\n|---|---|")
    for name, value in table.items():
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    main()
