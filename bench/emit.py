"""What one step costs: until the call returns, and until its line is in the file.

    python bench/emit.py [--rounds 7] [--steps 4000]

Ours is redacted, numbered and indexed. Beside it, in the same rounds: `orjson` and `os.write` of the same line and
nothing else, the bare floor; structlog with orjson into a file; TensorBoard's, tensorboardX's and (offline) wandb's
ways of logging the same figures. Each gets a fresh log each round; what it costs to close, for ours a sync with the
disk, is counted into "in the file". Those that write before the call returns do `QUICK` times as many steps.

A second table takes ours apart (what the index and redaction add), a third says what waiting for the disk would cost.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

import orjson

from isengard.core.redaction import Redactor
from isengard.journal import TrainingJobLogger

JOB = "train-0123456789ab"
CORRELATION = "corr-0123456789abcdef0123456789abcdef"


QUICK = 10


class Log(Protocol):
    """A fresh log in a folder of its own."""

    def step(self, step: int, loss: float, lr: float) -> None: ...

    def close(self) -> None: ...


class Raw:
    """The line as ours has it, made and written without any care."""

    def __init__(self, folder: Path) -> None:
        self._fd = os.open(folder / "raw.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def step(self, step: int, loss: float, lr: float) -> None:
        fields = {"stage": "training", "step": step, "loss": loss, "lr": lr, "attempt": 1}
        line = {
            "seq": step,
            "ts": "2026-01-02T03:04:05.678901Z",
            "level": "INFO",
            "event": "training.step",
            "msg": "",
            "service": "trainer",
            "job_id": JOB,
            "correlation_id": CORRELATION,
            "fields": fields,
        }
        os.write(self._fd, orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def close(self) -> None:
        os.close(self._fd)


class Ours:
    """The journal as a training uses it."""

    def __init__(self, folder: Path, redactor: Redactor | None = None) -> None:
        self._logger = TrainingJobLogger(folder, JOB, CORRELATION, redactor=redactor)

    def step(self, step: int, loss: float, lr: float) -> None:
        self._logger.step(step, loss=loss, lr=lr)

    def close(self) -> None:
        self._logger.close()


class Unindexed(Ours):
    """The journal without its index file."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._logger._writer._file._index.catch_up = lambda seq, size: None


class Unredacted(Ours):
    """The journal with a redactor that only serialises."""

    def __init__(self, folder: Path) -> None:
        class Nothing(Redactor):
            def dumps(self, obj: Any) -> bytes:
                return orjson.dumps(obj, option=orjson.OPT_APPEND_NEWLINE)

        super().__init__(folder, Nothing())


class SyncedEachLine(Ours):
    """The journal if every line waited for the disk."""

    def step(self, step: int, loss: float, lr: float) -> None:
        super().step(step, loss, lr)
        self._logger.sync()


class Structlog:
    """structlog, rendered by orjson, into a file."""

    def __init__(self, folder: Path) -> None:
        import structlog

        self._file = (folder / "structlog.jsonl").open("ab", buffering=0)
        self._log = structlog.wrap_logger(
            structlog.BytesLogger(self._file),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(serializer=orjson.dumps),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(0),
            context_class=dict,
            cache_logger_on_first_use=True,
        ).bind(service="trainer", job_id=JOB, correlation_id=CORRELATION)

    def step(self, step: int, loss: float, lr: float) -> None:
        self._log.info("training.step", stage="training", step=step, loss=loss, lr=lr, attempt=1)

    def close(self) -> None:
        self._file.close()


class TensorBoard:
    """torch's SummaryWriter, one scalar each for loss and learning rate."""

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder / "tb"))

    def step(self, step: int, loss: float, lr: float) -> None:
        self._writer.add_scalar("loss", loss, step)
        self._writer.add_scalar("lr", lr, step)

    def close(self) -> None:
        self._writer.close()


class TensorBoardX(TensorBoard):
    """tensorboardX, the same."""

    def __init__(self, folder: Path) -> None:
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter(str(folder / "tbx"))


class Wandb:
    """wandb, offline."""

    def __init__(self, folder: Path) -> None:
        import wandb

        os.environ["WANDB_SILENT"] = "true"
        self._run = wandb.init(mode="offline", dir=str(folder), project="bench", reinit="finish_previous")

    def step(self, step: int, loss: float, lr: float) -> None:
        self._run.log({"loss": loss, "lr": lr}, step=step)

    def close(self) -> None:
        self._run.finish()


PEERS: dict[str, tuple[Callable[[Path], Log], tuple[str, ...]]] = {
    "orjson + os.write, nothing else": (Raw, ()),
    "**isengard `logger.step`**": (Ours, ()),
    "structlog + orjson": (Structlog, ("structlog",)),
    "tensorboardX": (TensorBoardX, ("tensorboardX",)),
    "TensorBoard (torch)": (TensorBoard, ("torch", "tensorboard")),
    "wandb, offline": (Wandb, ("wandb",)),
}
PARTS: dict[str, Callable[[Path], Log]] = {
    "orjson + os.write, nothing else": Raw,
    "**isengard `logger.step`**": Ours,
    "without the index file": Unindexed,
    "without looking for secrets": Unredacted,
}
WAITS: dict[str, Callable[[Path], Log]] = {
    "**synced from a thread, once a second**": Ours,
    "waiting for the disk at every line": SyncedEachLine,
}


def measure(make: Callable[[Path], Log], folder: Path, steps: int) -> tuple[float, float]:
    """Microseconds a step: median of the call, and mean until everything is in the file."""
    folder.mkdir()
    log = make(folder)
    clock = time.perf_counter_ns
    calls = []
    began = clock()
    for step in range(1, steps + 1):
        start = clock()
        log.step(step, 1.0 / step, 1e-4)
        calls.append(clock() - start)
    log.close()
    return statistics.median(calls) / 1e3, (clock() - began) / steps / 1e3


def table(title: str, makers: dict[str, Callable[[Path], Log]], rounds: int, steps: int) -> None:
    """Interleaved rounds; medians, and each beside the first row."""
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in makers}
    with tempfile.TemporaryDirectory(prefix="bench-emit-") as root:
        for number in range(rounds + 1):
            for place, (name, make) in enumerate(makers.items()):
                more = QUICK if make in (Raw, Ours, Structlog, Unindexed, Unredacted) else 1
                figures = measure(make, Path(root) / f"{number}-{place}", steps * more)
                if number:  # the first round warms up
                    results[name].append(figures)
    base = next(iter(results.values()))
    print(f"\n{title}\n\n| µs per step | call, median | in the file | beside the first row |\n|---|---|---|---|")
    for name, figures in results.items():
        call, file = (statistics.median(column) for column in zip(*figures, strict=True))
        ratio = statistics.median(mine[1] / its[1] for mine, its in zip(figures, base, strict=True))
        print(f"| {name} | {call:.1f} | {file:.1f} | {ratio:.2f} × |")


def installed(modules: Iterable[str]) -> bool:
    return all(importlib.util.find_spec(module) for module in modules)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=4000)
    options = parser.parse_args()
    missing = [name for name, (_, modules) in PEERS.items() if not installed(modules)]
    if missing:
        print(f"not installed, left out: {', '.join(missing)}")
    peers = {name: make for name, (make, _) in PEERS.items() if name not in missing}
    table("Beside peers", peers, options.rounds, options.steps)
    table("Taken apart", PARTS, options.rounds, options.steps)
    table("Waiting for the disk", WAITS, options.rounds, options.steps // 10)


if __name__ == "__main__":
    main()
