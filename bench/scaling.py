"""Where the next limits of a cluster are: measured costs, then a simulation of 10, 1,000 and 100,000 jobs at a time.

    python bench/scaling.py [--jobs 40] [--lines 60] [--rate 2]

Measured, each on the real parts (a real redis-server, journals on this disk, an SQLite store for what the worker asks):
what one line costs the host that ships it, Redis and the site that copies it; what one job costs the site's worker at
each of its looks; what waiting for the disk costs. The simulation gives every component one core, lets lines arrive at
random (Poisson) at `--rate` a second and job, and says how busy each is and how late a line is at the site. What a
component cannot keep up with is told as the number of jobs at which it is full.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import resource
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from isengard.core.paths import DataDir, JobPaths, new_job_id
from isengard.core.redaction import Redactor
from isengard.core.settings import Settings
from isengard.events import JournalLine, RedisEventBus
from isengard.events.models import EventName
from isengard.events.redis_address import connect
from isengard.execution.cluster import runs
from isengard.execution.cluster.coordinator import Coordinator
from isengard.execution.cluster.messages import Mailbox
from isengard.execution.cluster.run_copy import Post, RunCopy
from isengard.execution.cluster.shipper import Shipper
from isengard.execution.cluster.site_supervisor import SiteJobSupervisor
from isengard.execution.launcher_local import LocalLauncher
from isengard.execution.retries import ByCause
from isengard.execution.worker_lease import WorkerLease
from isengard.jobs.leases import Holder, LeaseObserver
from isengard.jobs.models import Character, Job
from isengard.jobs.store import Store, open_store
from isengard.journal import JournalReader, JournalWriter

SIZES = (10, 1_000, 100_000)
LOOKS_PER_S = 2.0
FULL = 0.7
"""A core that is busier than this makes everybody wait."""
STEP = {"stage": "training", "step": 1234, "steps_total": 2000, "loss": 0.1234, "lr": 1e-4, "attempt": 1}


@dataclass(frozen=True)
class Costs:
    """Seconds of one core each, but for `copy_kib`."""

    ship_line: float
    redis_line: float
    copy_line: float
    office_job: float
    tend_job: float
    sync: float
    copy_kib: float


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[tuple[str, int]]:
    """A server of our own; its address and process id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    argv = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    running = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.02)
        yield f"redis://127.0.0.1:{port}/0", running.pid
    finally:
        running.terminate()
        running.wait()


def cpu_of(pid: int) -> float:
    """Seconds of processor time another process has used."""
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def a_job(character: Character) -> Job:
    return Job(
        id=new_job_id(),
        character_id=character.id,
        trainer="mock",
        config={"steps": 2000},
        correlation_id="corr-bench",
        created_at=datetime.now(UTC),
        total_steps=2000,
    )


class Bench:
    """A site and a host on this machine."""

    def __init__(self, folder: Path, url: str, redis_pid: int, jobs: int, lines: int) -> None:
        self.settings = Settings(data_dir=folder / "site", redis_url=url, max_running_jobs=1000)
        self.settings.paths.prepare()
        self.host = DataDir(folder / "host")
        self.store: Store = open_store(self.settings)
        now = datetime.now(UTC)
        self.character = self.store.add_character(Character("char-bench", "Pip", "pip", now, now))
        self.url, self.redis_pid, self.lines = url, redis_pid, lines
        self.jobs = [self.store.create_job(a_job(self.character))[0] for _ in range(jobs)]
        self.worker = self.store.register_worker(Holder.here(self.host.root.parent / "host-id"))

    def site_paths(self, job: Job) -> JobPaths:
        return self.settings.paths.job(job.id)

    def prepare(self) -> None:
        """Every job is claimed by another host and has been handed out."""
        for _ in self.jobs:
            self.store.claim(self.worker)
        for job in self.jobs:
            for paths in (self.site_paths(job), self.host.job(job.id)):
                paths.make()
            runs.write(self.site_paths(job), runs.new(job.id, 1, "host"))

    def channel(self, job: Job) -> str:
        return _run(self.site_paths(job)).channel

    async def ship(self) -> float:
        """Ship the journals as they are written, a line at a time; processor seconds, writing them included."""
        client = connect(self.url)
        bus = RedisEventBus(client)
        journals = [self._journal(job) for job in self.jobs]
        shippers = [Shipper(bus, self.host.job(job.id), self.channel(job)) for job in self.jobs]
        tasks = [asyncio.create_task(shipper.run()) for shipper in shippers]
        began = time.process_time()
        for number in range(1, self.lines + 1):
            for journal in journals:
                journal.append(EventName.TRAINING_STEP, "", {**STEP, "step": number})
            while any(shipper.shipped < number for shipper in shippers):  # noqa: ASYNC110 - a bench's own wait
                await asyncio.sleep(0.001)
        used = time.process_time() - began
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await bus.close()
        for journal in journals:
            journal.close()
        return used

    async def copy(self) -> tuple[float, float, float]:
        """Copy them at the site, a line at a time as it comes; processor seconds here and in Redis, KiB a run.

        What publishing costs is measured by itself, on streams that nobody copies, and left out.
        """
        client = connect(self.url)
        bus = RedisEventBus(client)
        post = Post(self.settings, bus, Mailbox(client))
        lines = {job.id: JournalReader(self.host.job(job.id)).lines(limit=self.lines) for job in self.jobs}
        alone = time.process_time()
        for number in range(self.lines):
            for job in self.jobs:
                await bus.publish(JournalLine(f"{job.id}-alone", number + 1, lines[job.id][number]))
        alone = time.process_time() - alone
        for job in self.jobs:
            await bus.rewind(self.channel(job), 0)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        copies = [RunCopy(post, job, _run(self.site_paths(job)), lambda: None) for job in self.jobs]
        here, there = time.process_time(), cpu_of(self.redis_pid)
        for number in range(self.lines):
            for job in self.jobs:
                await bus.publish(JournalLine(self.channel(job), number + 1, lines[job.id][number]))
            while any(copy.last_seq <= number for copy in copies):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.001)
        used = time.process_time() - here - alone, cpu_of(self.redis_pid) - there
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
        for copy in copies:
            await copy.close()
        await bus.close()
        return (*used, grown / len(copies))

    def _journal(self, job: Job) -> JournalWriter:
        paths = self.host.job(job.id)
        return JournalWriter.open(paths, service="runner", redactor=Redactor(), correlation_id="corr-bench")

    async def look(self, rounds: int = 20) -> tuple[float, float]:
        """One look of the coordinator and one turn of the worker; processor seconds a job."""
        client = connect(self.url)
        coordinator = Coordinator(self.settings, self.store, client)
        office_s = [await self._one_round(coordinator) for _ in range(rounds)]
        me = self.store.register_worker(Holder.here(self.settings.data_dir))
        supervisor = SiteJobSupervisor(
            self.settings,
            self.store,
            WorkerLease(me, None),
            LocalLauncher(self.settings),
            ByCause(0),
            coordinator=coordinator,
            observer=LeaseObserver(60),
        )
        supervisor.turn()
        turns = [_timed(supervisor.turn) for _ in range(rounds)]
        await coordinator.close()
        return statistics.median(office_s[1:]) / len(self.jobs), statistics.median(turns) / len(self.jobs)

    async def _one_round(self, coordinator: Coordinator) -> float:
        began = time.process_time()
        await coordinator.round()
        return time.process_time() - began

    def sync(self, rounds: int = 50) -> float:
        """Seconds until this disk confirms a line."""
        path = self.settings.data_dir / "sync"
        times = []
        with path.open("ab") as file:
            for _ in range(rounds):
                file.write(b"x" * 200)
                file.flush()
                began = time.perf_counter()
                os.fdatasync(file.fileno())
                times.append(time.perf_counter() - began)
        return statistics.median(times)


def _run(paths: JobPaths) -> runs.RemoteRun:
    run = runs.read(paths)
    assert run is not None
    return run


def _timed(action: Any) -> float:
    began = time.process_time()
    action()
    return time.process_time() - began


def measure(jobs: int, lines: int) -> Costs:
    """All costs, on this machine."""
    with tempfile.TemporaryDirectory() as name, redis(Path(name)) as (url, pid):
        folder = Path(name)
        (folder / "host-id").mkdir()
        bench = Bench(folder, url, pid, jobs, lines)
        bench.prepare()
        total = jobs * lines
        ship_s = asyncio.run(bench.ship())
        copy_s, redis_s, kib = asyncio.run(bench.copy())
        office_s, tend_s = asyncio.run(bench.look())
        sync_s = bench.sync()
        bench.store.close()
        return Costs(ship_s / total, redis_s / total, copy_s / total, office_s, tend_s, sync_s, kib)


def load(costs: Costs, jobs: int, rate: float) -> dict[str, float]:
    """How busy one core of each component is."""
    return {
        "Redis": jobs * rate * costs.redis_line,
        "the site's worker": jobs * (rate * costs.copy_line + LOOKS_PER_S * (costs.office_job + costs.tend_job)),
        "the site's disk": jobs * min(rate, 2.0) * costs.sync,
        "hosts, of 8 jobs each": 8 * rate * costs.ship_line,
    }


def limit(costs: Costs, component: str, rate: float) -> float:
    """At how many jobs a component is full."""
    one = load(costs, 1, rate)[component]
    return FULL / one if not component.startswith("hosts") else float("inf")


def lateness(costs: Costs, jobs: int, rate: float, seconds: float = 20.0, seed: int = 1) -> tuple[float, float] | None:
    """Median and 99th percentile of a line's way through Redis and the site's worker, in ms; None: it never arrives.

    Two servers in a row, each taking one line at a time; what the worker does at its looks comes in between.
    """
    if max(load(costs, jobs, rate)[name] for name in ("Redis", "the site's worker")) >= 1:
        return None
    dice = random.Random(seed)
    look = jobs * (costs.office_job + costs.tend_job)
    now = redis_free = worker_free = 0.0
    next_look, waits = 0.0, []
    while now < seconds:
        now += dice.expovariate(jobs * rate)
        redis_free = max(redis_free, now) + costs.redis_line
        while next_look <= max(redis_free, worker_free):
            worker_free = max(worker_free, next_look) + look
            next_look += 1 / LOOKS_PER_S
        worker_free = max(worker_free, redis_free) + costs.copy_line
        waits.append(worker_free - now)
    waits.sort()
    return waits[len(waits) // 2] * 1e3, waits[int(len(waits) * 0.99)] * 1e3


def report(costs: Costs, rate: float) -> None:
    """Print everything as Markdown."""
    print("| cost | |\n|---|---:|")
    for words, value in (
        ("host: write a line and ship it", f"{costs.ship_line * 1e6:.0f} µs"),
        ("Redis: take a line and give it out", f"{costs.redis_line * 1e6:.0f} µs"),
        ("site's worker: copy a line", f"{costs.copy_line * 1e6:.0f} µs"),
        ("site's worker: look after a job, each half second", f"{(costs.office_job + costs.tend_job) * 1e6:.0f} µs"),
        ("site's disk: confirm lines of a job (at most twice a second)", f"{costs.sync * 1e3:.2f} ms"),
        ("site's worker: memory of a followed run", f"{costs.copy_kib:.0f} KiB"),
    ):
        print(f"| {words} | {value} |")
    names = list(load(costs, 1, rate))
    print(f"\n{rate:g} lines a second and job; each component has one core.\n")
    print("| jobs at a time | " + " | ".join(names) + " | line at the site, p50 / p99 |")
    print("|---:|" + "---:|" * (len(names) + 1))
    for jobs in SIZES:
        busy = load(costs, jobs, rate)
        late = lateness(costs, jobs, rate)
        shown = "falls behind" if late is None else f"{late[0]:.1f} / {late[1]:.1f} ms"
        print(f"| {jobs:,} | " + " | ".join(f"{busy[name] * 100:,.1f} %" for name in names) + f" | {shown} |")
    cells = [f"{found:,.0f} jobs" if (found := limit(costs, name, rate)) < 1e9 else "–" for name in names]
    print("| **full at** | " + " | ".join(cells) + " | |")


def main() -> None:
    """Measure, then simulate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=40)
    parser.add_argument("--lines", type=int, default=60)
    parser.add_argument("--rate", type=float, default=2.0)
    chosen = parser.parse_args()
    report(measure(chosen.jobs, chosen.lines), chosen.rate)


if __name__ == "__main__":
    main()
