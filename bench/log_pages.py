"""What a page of a long journal costs, and finding things in it.

    python bench/log_pages.py [--lines 1000000] [--rounds 9] [--journal FILE]

A journal as a long training leaves it: mostly steps, a fifth output lines, some warnings, few errors. Beside our
reader, on the same file and in the same rounds: SQLite with an index over level and event and OFFSET; a scan that
parses every line with orjson; ripgrep where it is installed. A reader is kept, as a server keeps it; "first" is the
first question of its kind, which fills what the later ones use. The building of the index is measured cold, and how
long an event loop beside it had to wait for its turn.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from isengard.core.clock import format_utc
from isengard.core.paths import JobPaths
from isengard.journal import JobFold, JournalReader
from isengard.journal.series import series

JOB = "train-0123456789ab"
NEEDLE = "out of memory"


def make_journal(path: Path, lines: int) -> None:
    """Write a plausible journal, the same each time."""
    from datetime import UTC, datetime

    random.seed(7)
    step = 0
    with path.open("wb") as file:
        for seq in range(1, lines + 1):
            kind = random.random()
            level, msg, fields = "INFO", "", {}
            if kind < 0.75:
                step += 1
                event = "training.step"
                fields = {"stage": "training", "step": step, "steps_total": lines, "loss": random.random(), "lr": 1e-4}
                fields["attempt"] = 1
            elif kind < 0.97:
                event, msg = (
                    "subprocess.stdout",
                    f"caching latents of image {seq % 977}: 100%|████| 8/8 [00:01, 6.1it/s]",
                )
            elif kind < 0.995:
                event, level, msg = "log", "WARN", "the loader waited 0.3 s for an image"
            else:
                event, level = "subprocess.stderr", "ERROR"
                msg = f"CUDA out of memory: tried to allocate {seq} MiB" if kind > 0.998 else "retrying"
            line = {
                "seq": seq,
                "ts": format_utc(datetime.fromtimestamp(1_770_000_000 + seq / 20, UTC)),
                "level": level,
                "event": event,
                "msg": msg,
                "service": "runner",
                "job_id": JOB,
                "correlation_id": "corr-0123456789abcdef0123456789abcdef",
                "fields": fields,
            }
            file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))


class Ours:
    """A kept reader."""

    def __init__(self, paths: JobPaths) -> None:
        self._reader = JournalReader(paths)
        self._reader.last_seq()

    def page(self, levels: list[str], events: list[str], offset: int) -> list[int]:
        return [entry.seq for entry in self._reader.page(levels, events, offset=offset).entries]

    def count(self, level: str) -> int:
        return self._reader.page([level], limit=1).total

    def search(self, text: str) -> int:
        return self._reader.page(search=text, limit=100).total


class Sqlite:
    """A table of the lines with an index over level and one over event."""

    def __init__(self, journal: Path, file: Path) -> None:
        self._database = sqlite3.connect(file)
        self._database.execute(
            "CREATE TABLE lines (seq INTEGER PRIMARY KEY, level TEXT, event TEXT, msg TEXT, line TEXT)"
        )
        with journal.open("rb") as lines:
            rows = ((entry["seq"], entry["level"], entry["event"], entry["msg"], line.decode())
                    for line in lines for entry in (orjson.loads(line),))  # fmt: skip
            self._database.executemany("INSERT INTO lines VALUES (?, ?, ?, ?, ?)", rows)
        self._database.execute("CREATE INDEX by_level ON lines (level, seq)")
        self._database.execute("CREATE INDEX by_event ON lines (event, seq)")
        self._database.commit()

    def page(self, levels: list[str], events: list[str], offset: int) -> list[int]:
        wanted = [(f"{name} IN ({','.join('?' * len(values))})", values)
                  for name, values in (("level", levels), ("event", events)) if values]  # fmt: skip
        where = f"WHERE {' AND '.join(text for text, _ in wanted)}" if wanted else ""
        arguments = [value for _, values in wanted for value in values]
        rows = self._database.execute(
            f"SELECT line FROM lines {where} ORDER BY seq LIMIT 100 OFFSET ?", (*arguments, offset)
        )
        return [orjson.loads(line)["seq"] for (line,) in rows]

    def count(self, level: str) -> int:
        return int(self._database.execute("SELECT count(*) FROM lines WHERE level = ?", (level,)).fetchone()[0])

    def search(self, text: str) -> int:
        return int(self._database.execute("SELECT count(*) FROM lines WHERE line LIKE ?", (f"%{text}%",)).fetchone()[0])


class Scan:
    """No index: every line is parsed."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal

    def _entries(self) -> Any:
        with self._journal.open("rb") as lines:
            yield from map(orjson.loads, lines)

    def page(self, levels: list[str], events: list[str], offset: int) -> list[int]:
        found: list[int] = []
        for entry in self._entries():
            if (not levels or entry["level"] in levels) and (not events or entry["event"] in events):
                found.append(entry["seq"])
                if len(found) == offset + 100:
                    break
        return found[offset:]

    def count(self, level: str) -> int:
        return sum(entry["level"] == level for entry in self._entries())

    def search(self, text: str) -> int:
        return sum(text in entry["msg"].lower() for entry in self._entries())


class Ripgrep:
    """rg over the file; it knows counts and searches, no pages."""

    def __init__(self, program: str, journal: Path) -> None:
        self._program = program
        self._journal = str(journal)

    @staticmethod
    def program() -> str | None:
        """Where it is, if anywhere: beside this Python or on the path."""
        places = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
        return shutil.which("rg", path=places)

    def _rg(self, *arguments: str) -> int:
        done = subprocess.run([self._program, "--count", *arguments, self._journal], capture_output=True, check=False)
        return int(done.stdout or 0)

    def count(self, level: str) -> int:
        return self._rg("--fixed-strings", f'"level":"{level}"')

    def search(self, text: str) -> int:
        return self._rg("--ignore-case", "--fixed-strings", text)


Question = tuple[str, Callable[[Any], Any]]


def questions(lines: int) -> list[Question]:
    deep = lines // 2
    mixed = ["log", "subprocess.stdout"]
    return [
        ("first 100 errors", lambda each: each.page(["ERROR"], [], 0)),
        (f"100 errors from {lines // 250}", lambda each: each.page(["ERROR"], [], lines // 250)),
        (f"100 steps from {deep}", lambda each: each.page([], ["training.step"], deep)),
        (f"100 of output and log from {lines // 8}", lambda each: each.page(["INFO", "WARN"], mixed, lines // 8)),
        (f"any 100 lines from {deep}", lambda each: each.page([], [], deep)),
        ("how many warnings", lambda each: each.count("WARN")),
        ("lines that contain a text", lambda each: each.search(NEEDLE)),
    ]


def took_ms(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    answer = work()
    return (time.perf_counter() - began) * 1e3, answer


def compare(paths: JobPaths, peers: dict[str, Any], lines: int, rounds: int) -> None:
    names = ["isengard, first", "isengard", *peers]
    print(f"\n| ms | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
    kept = Ours(paths)
    for title, ask in questions(lines):
        times: dict[str, list[float]] = {name: [] for name in names}
        answers: dict[str, Any] = {}
        for number in range(rounds):
            fresh = Ours(paths)
            times["isengard, first"].append(took_ms(partial(ask, fresh))[0])
            for name, each in {"isengard": kept, **peers}.items():
                slow = name == "orjson scan" and number >= 3  # seconds each; three tell enough
                if slow or (isinstance(each, Ripgrep) and "page" in ask.__code__.co_names):
                    continue
                elapsed, answers[name] = took_ms(partial(ask, each))
                times[name].append(elapsed)
        assert len({orjson.dumps(answer) for answer in answers.values()}) == 1, (title, answers)
        shown = (f"{statistics.median(times[name]):.2f}" if times[name] else "–" for name in names)
        print(f"| {title} | {' | '.join(shown)} |")


async def cold_build(paths: JobPaths) -> tuple[float, float]:
    """Seconds to read a journal without an index file, and the longest an event loop beside it waited, in ms."""
    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - began - 0.001)

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0.05)
    longest = 0.0
    began = time.perf_counter()
    await asyncio.to_thread(JournalReader(paths).last_seq)
    took = time.perf_counter() - began
    ticking.cancel()
    return took, longest * 1e3


def builds(paths: JobPaths, journal: Path, rounds: int) -> None:
    cold: list[tuple[float, float]] = []
    opened, scanned, folded, charted = [], [], [], []
    for _ in range(min(5, rounds)):
        paths.index.unlink(missing_ok=True)
        cold.append(asyncio.run(cold_build(paths)))
        while not paths.index.exists():  # left by a thread of its own
            time.sleep(0.01)
        opened.append(took_ms(JournalReader(paths).last_seq)[0])
        scanned.append(took_ms(lambda: sum(1 for line in journal.open("rb") if orjson.loads(line)))[0])
        reader = JournalReader(paths)
        reader.page(["ERROR"])
        folded.append(took_ms(partial(JobFold.read, reader))[0])
        series(reader, ["loss"])
        charted.append(took_ms(partial(series, reader, ["loss"]))[0])
    size = paths.index.stat().st_size / 1e6
    print("\n| ms | |\n|---|---|")
    print(f"| index made from nothing ({size:.0f} MB) | {statistics.median(each[0] for each in cold) * 1e3:.0f} |")
    print(f"| longest an event loop beside it waited | {statistics.median(each[1] for each in cold):.1f} |")
    print(f"| parsing every line with orjson, for comparison | {statistics.median(scanned):.0f} |")
    print(f"| opening with an index file | {statistics.median(opened):.0f} |")
    print(f"| the job's state (fold) | {statistics.median(folded):.1f} |")
    print(f"| loss as 1,000 points, the second time | {statistics.median(charted):.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--journal", type=Path, help="use this journal and make none")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-pages-") as root:
        paths = JobPaths(Path(root) / JOB)
        paths.make()
        if options.journal:
            shutil.copyfile(options.journal, paths.journal)
        else:
            make_journal(paths.journal, options.lines)
        lines = paths.journal.read_bytes().count(b"\n")
        print(f"{lines:,} lines, {paths.journal.stat().st_size / 1e6:.0f} MB")
        builds(paths, paths.journal, options.rounds)
        peers: dict[str, Any] = {
            "SQLite": Sqlite(paths.journal, Path(root) / "lines.db"),
            "orjson scan": Scan(paths.journal),
        }
        if (program := Ripgrep.program()) is not None:
            peers["ripgrep"] = Ripgrep(program, paths.journal)
        compare(paths, peers, lines, options.rounds)


if __name__ == "__main__":
    main()
