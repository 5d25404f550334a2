"""From `append` in one process to a client's hands in another, by way of a third: the delay of the live stream.

    python bench/latency.py [--events 500] [--rate 50] [--clients 1,10,100] [--rounds 3]

A writer process appends a step with the moment of its writing to a real journal; `isengard api` follows the journal and
serves it; another process holds the clients. The clock is CLOCK_MONOTONIC, which is the same in every process. Beside
it, in the same rounds, peers of `fanout.py`: sse-starlette behind the same follower, and a loop in C.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
from pathlib import Path

from fanout import Isengard, Loop, Peer, Running, make_job, run_viewers, write_steps
from isengard.core.paths import DataDir


def measure(server: Isengard | Peer, clients: int, options: argparse.Namespace) -> list[float]:
    """The delays of one round in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        data = DataDir(Path(folder))
        paths = make_job(data)
        running = Running(server, data)
        context = multiprocessing.get_context("spawn")
        ready, (mine, theirs) = context.Event(), context.Pipe()
        path = server.path(paths.job_id)
        args = (running.port, path, clients, 3, 2 + options.events, options.events / options.rate + 60)
        viewers = context.Process(target=run_viewers, args=(theirs, ready, *args))
        viewers.start()
        try:
            ready.wait(120)
            write_steps(paths, options.rate, options.events / options.rate)
            delivered, broken, delays = mine.recv()
            wanted = options.events * clients
            assert (delivered, broken) == (wanted, 0), f"{server.name}: {delivered} of {wanted} lines, {broken} breaks"
            return delays
        finally:
            viewers.join(10)
            running.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=500)
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--clients", default="1,10,100")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    counts = [int(text) for text in options.clients.split(",")]
    delays: dict[tuple[str, int], list[list[float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        servers = [Isengard(), *Loop.built(Path(folder)), Peer("sse-starlette")]
        for _ in range(options.rounds):
            for count in counts:
                for server in servers:
                    delays.setdefault((server.name, count), []).append(measure(server, count, options))
    print(f"\n{options.events} events at {options.rate:g} a second, {options.rounds} rounds, medians of the rounds\n")
    print("| server | clients | p50 ms | p99 ms | worst ms |")
    print("|---|---|---|---|---|")
    for (name, count), rounds in sorted(delays.items()):
        cuts = [statistics.quantiles(each, n=100) for each in rounds]
        p50, p99 = (statistics.median(cut[at] for cut in cuts) for at in (49, 98))
        worst = statistics.median(max(each) for each in rounds)
        print(f"| {name} | {count} | {p50:.2f} | {p99:.2f} | {worst:.2f} |")


if __name__ == "__main__":
    main()
