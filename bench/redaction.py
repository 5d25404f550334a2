"""Redaction of clean text: the scan of 200-byte journal lines and of bulk text, beside its peers.

    python bench/redaction.py [--lines 20000] [--rounds 5]

Peers over the same literals and rules: the rules' expressions one after the other (what most projects do), all of them
as one alternation, `google-re2`'s set and, where it is installed (`pip install hyperscan`), hyperscan. Rounds are
interleaved; medians of CPU time. All rules are active, two job secrets are known. Then hostile text, at growing sizes.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import re
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import orjson

from isengard.core.redaction import DEFAULT, Redactor
from isengard.core.redaction.rules import Shape
from isengard.core.redaction.views import CODES

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "unit" / "core"))


def journal_lines(count: int) -> list[bytes]:
    """Lines as a training writes them, 200 bytes each."""
    rng = random.Random(1)
    lines = []
    for step in range(count):
        entry = {"seq": step, "ts": "2026-01-02T03:04:05.678901Z", "level": "INFO", "event": "training.step", "msg": ""}
        entry |= {"service": "runner", "job_id": "train-8s0j1k2m3n4p", "correlation_id": "corr-" + "0" * 8}
        fields = {"step": step, "loss": round(rng.random(), 5), "lr": 1e-4}
        lines.append(orjson.dumps(entry | {"fields": fields})[:199].ljust(199) + b"\n")
    return lines


def literals(redactor: Redactor) -> list[str]:
    """Every literal of every active rule."""
    known = redactor._engine.known
    owners = [*DEFAULT, *([known] if known else [])]
    return sorted({*CODES, *(literal for rule in owners for literal in rule.literals)})


def contenders(redactor: Redactor) -> dict[str, Callable[[bytes], object]]:
    """Each takes one line and says whether any rule could find something in it."""
    words = literals(redactor)
    shapes = [re.compile(rule.pattern.pattern.encode()) for rule in DEFAULT if isinstance(rule, Shape)]
    alternation = re.compile("|".join(map(re.escape, words)).encode(), re.IGNORECASE)
    found: dict[str, Callable[[bytes], object]] = {
        "Isengard (Aho-Corasick)": redactor._engine.is_clean_line,
        f"{len(shapes)} expressions in sequence": lambda line: [shape.search(line) for shape in shapes],
        "one alternation": alternation.search,
        "re2 set": _re2_set(words),
    }
    if importlib.util.find_spec("hyperscan"):
        found["hyperscan"] = _hyperscan(words)
    return found


def _re2_set(words: list[str]) -> Callable[[bytes], object]:
    import re2

    options = re2.Options()
    options.case_sensitive = False
    options.max_mem = 256 << 20
    searched = re2.Set.SearchSet(options)
    for word in words:
        searched.Add(re2.escape(word))
    searched.Compile()
    matching: Callable[[bytes], object] = searched.Match
    return matching


def _hyperscan(words: list[str]) -> Callable[[bytes], object]:
    import hyperscan

    database = hyperscan.Database()
    flags = [hyperscan.HS_FLAG_CASELESS | hyperscan.HS_FLAG_SINGLEMATCH] * len(words)
    database.compile(expressions=[re.escape(word).encode() for word in words], ids=range(len(words)), flags=flags)
    hits: list[int] = []

    def scan(line: bytes) -> object:
        hits.clear()
        database.scan(line, match_event_handler=lambda number, *_: hits.append(number))
        return hits

    return scan


def seconds(work: Callable[[], object]) -> float:
    """CPU time of this thread: other work on the machine then costs little more than its cache."""
    start = time.thread_time()
    work()
    return time.thread_time() - start


def table(title: str, sizes: dict[str, float], times: dict[str, list[float]]) -> None:
    """MB/s of each, and as a multiple of the first."""
    print(f"\n| {title} | MB/s | × |\n|---|---:|---:|")
    rates = {name: sizes[name] / statistics.median(taken) / 1e6 for name, taken in times.items()}
    first = next(iter(rates.values()))
    for name, rate in rates.items():
        print(f"| {name} | {rate:.0f} | {rate / first:.2f} |")


def by_line(redactor: Redactor, lines: list[bytes], rounds: int) -> None:
    scans = contenders(redactor)
    size = sum(map(len, lines))
    times: dict[str, list[float]] = {name: [] for name in scans}
    for _ in range(rounds):
        for name, scan in scans.items():
            times[name].append(seconds(lambda scan=scan: [scan(line) for line in lines]))  # type: ignore[misc]
    table("clean 200-byte lines, one by one", dict.fromkeys(scans, size), times)


def in_bulk(redactor: Redactor, lines: list[bytes], rounds: int) -> None:
    from ordinary_corpus import lines as ordinary

    journal, texts = b"".join(lines), [line.decode() for line in lines]
    mixed = "\n".join(ordinary(random.Random(1), 200)).encode()
    ways: dict[str, Callable[[], object]] = {
        "text(), journal lines, one by one": lambda: [redactor.text(line) for line in texts],
        "text(), journal lines in one": lambda: redactor.text(journal.decode()),
        "stream(), journal lines, 64-KiB writes": lambda: _streamed(redactor, journal),
        "text(), ordinary lines full of near misses": lambda: redactor.text(mixed.decode()),
    }
    sizes = {name: float(len(mixed) if "near" in name else len(journal)) for name in ways}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            times[name].append(seconds(way))
    table("clean text", sizes, times)


def _streamed(redactor: Redactor, data: bytes) -> None:
    stream = redactor.stream()
    for place in range(0, len(data), 65_536):
        stream.feed(data[place : place + 65_536])
    stream.flush()


HOSTILE = (
    *("token=x ", "password==", "eyJa.", "a://b@", "-----BEGIN PRIVATE " + "KEY-----\n", '"api_keys": ["a", '),
    *("%3D", "token%3D", "\\/", "&amp;", "“token”: “", "| token | ", "token\t", "--token \\\n", "hf" + "_", "known-"),
    *('"loc": ["body", "token"], ', "auth=('a', ", "curl -b ", "machine a\n", "Authorization: Digest a=b,"),
)
"""Text that makes many rules look, and look again from the next character."""


def hostile(redactor: Redactor) -> None:
    """CPU time a character; with twice the text all of it may take twice as long, so the last column stays near 2."""
    print("\n| hostile text, µs a character | 64 KB | 128 KB | growth |\n|---|---:|---:|---:|")
    for unit in HOSTILE:
        taken = []
        for size in (65_536, 131_072):
            text = (unit * (size // len(unit) + 1))[:size]
            taken.append(min(seconds(lambda text=text: redactor.text(text)) for _ in range(2)))  # type: ignore[misc]
        cells = [f"{each / size * 1e6:.2f}" for each, size in zip(taken, (65_536, 131_072), strict=True)]
        print(f"| {unit.strip()!r} | {' | '.join(cells)} | {taken[1] / taken[0]:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    rng = random.Random(1)
    redactor = Redactor(["".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=37)) for _ in range(2)])
    lines = journal_lines(options.lines)
    print(f"{len(DEFAULT)} rules, {len(literals(redactor))} literals")
    by_line(redactor, lines, options.rounds)
    in_bulk(redactor, lines, options.rounds)
    hostile(redactor)


if __name__ == "__main__":
    main()
