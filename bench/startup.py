"""How long `isengard up` takes to answer `/health`, what API and worker weigh when idle, and what the import costs.

    python bench/startup.py [--rounds 7]

Beside it, in the same rounds: the least that a server on the same libraries can do, a FastAPI application with one
route under uvicorn. Each round starts once on a data folder that exists already and once on a new one; the first round
is thrown away. Where Python may not write what it compiles (`PYTHONDONTWRITEBYTECODE`), run `make setup` before.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

_BARE = """
import sys, uvicorn
from fastapi import FastAPI
app = FastAPI()
@app.get("/health")
async def health():
    return {"status": "ok"}
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
"""


@contextlib.contextmanager
def running(argv: Sequence[str], port: int) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """Start `argv`; yields the process and the seconds until `/health` answered on `port`."""
    began = time.perf_counter()
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    try:
        while not answers(port):
            time.sleep(0.005)
        yield process, time.perf_counter() - began
    finally:
        process.terminate()
        process.wait(30)


def answers(port: int) -> bool:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        link.request("GET", "/health")
        return link.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        link.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def memory_mb(process: psutil.Process) -> float:
    """Memory that would be free without it: pages shared with others count by share."""
    return process.memory_full_info().pss / 2**20


def start_isengard(folder: Path) -> dict[str, float]:
    port = free_port()
    argv = [sys.executable, "-m", "isengard", "up", "--port", str(port), "--data-dir", str(folder)]
    with running(argv, port) as (process, seconds):
        time.sleep(3)  # idle: the worker has taken its lease, caches are as they stay
        supervisor = psutil.Process(process.pid)
        weights = {child.cmdline()[4]: memory_mb(child) for child in supervisor.children()}
        return {
            "up: until /health answers, s": seconds,
            "up: API, MiB": weights["api"],
            "up: worker, MiB": weights["worker"],
            "up: API and worker, MiB": sum(weights.values()),
            "up: supervisor, MiB": memory_mb(supervisor),
        }


def start_first() -> dict[str, float]:
    """The first start of all, which makes the tables."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-m", "isengard", "up", "--port", str(port), "--data-dir", folder]
        with running(argv, port) as (_, seconds):
            return {"up, on a new data folder: until /health answers, s": seconds}


def start_bare() -> dict[str, float]:
    port = free_port()
    with running([sys.executable, "-c", _BARE, str(port)], port) as (process, seconds):
        time.sleep(1)
        return {
            "bare FastAPI: until /health answers, s": seconds,
            "bare FastAPI: MiB": memory_mb(psutil.Process(process.pid)),
        }


def time_import(what: str) -> float:
    """Milliseconds that ``import what`` adds to an interpreter that does nothing."""
    code = "import time; began = time.perf_counter(); import {0}; print((time.perf_counter() - began) * 1e3)"
    answer = subprocess.run([sys.executable, "-c", code.format(what)], capture_output=True, text=True, check=True)
    return float(answer.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    figures: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 1):
            measured = {
                **start_isengard(Path(folder)),
                **start_first(),
                **start_bare(),
                "import isengard, ms": time_import("isengard"),
                "import isengard.events, ms": time_import("isengard.events"),
                "import fastapi, ms": time_import("fastapi"),
            }
            for name, value in measured.items() if number else ():
                figures.setdefault(name, []).append(value)
    print("| figure | median | least | most |")
    print("|---|---:|---:|---:|")
    for name, values in figures.items():
        print(f"| {name} | {statistics.median(values):.2f} | {min(values):.2f} | {max(values):.2f} |")


if __name__ == "__main__":
    main()
