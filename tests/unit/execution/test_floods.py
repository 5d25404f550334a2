"""A child that prints without pause is never held up for long and costs no memory, whatever it prints."""

import asyncio
import os
import subprocess
import sys
from collections import deque
from pathlib import Path

import psutil
import pytest

from isengard.core.redaction import Redactor
from isengard.execution.output_lines import OutputLines
from isengard.execution.output_log import OutputLog
from isengard.execution.streams import StreamReader, pipe, terminal

SIZE = 64_000_000
CHILD = """
import os, sys
block = {"lines": b"epoch 3: loaded an image of the dataset\\n" * 4000, "endless": b"x" * 200_000,
         "no utf-8": b"\\xff\\xfe\\x80" * 60_000,
         "redraws": b"\\rtraining:  25%|###   | 3/9 [00:01<00:03, 9.1it/s]" * 4000}[sys.argv[1]]
left = int(sys.argv[2])
while left > 0:
    left -= os.write(1, block)
os.write(1, b"\\nTraceback (most recent call last):\\nMemoryError: the last word\\n")
"""


def start(shape: str, size: int, writing: int) -> "subprocess.Popen[bytes]":
    child = subprocess.Popen([sys.executable, "-c", CHILD, shape, str(size)], stdout=writing)
    os.close(writing)
    return child


def kept(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.glob("output.log*"), reverse=True))


@pytest.mark.parametrize("shape", ["lines", "endless", "no utf-8", "redraws"])
async def test_a_flood_costs_no_memory_and_its_last_words_are_heard(tmp_path: Path, shape: str) -> None:
    journaled: list[str] = []
    reading, writing = terminal() if shape == "redraws" else pipe()
    lines = OutputLines("stdout", lambda _event, message, _fields, _level: journaled.append(message), deque(maxlen=50))
    log = OutputLog(tmp_path / "output.log")
    reader = StreamReader("stdout", reading, log, lines, lambda _stream, _text: None, Redactor([]).stream())
    before = psutil.Process().memory_info().rss
    size = SIZE // 8 if shape == "redraws" else SIZE
    child = start(shape, size, writing)
    reader.attach()
    most = 0
    while child.poll() is None:
        await asyncio.sleep(0.01)
        most = max(most, psutil.Process().memory_info().rss - before)
    async with asyncio.timeout(120):
        await reader.closed()
    reader.close()
    log.close()

    assert most < 64 * 2**20
    assert "MemoryError: the last word" in journaled
    assert b"MemoryError: the last word" in kept(tmp_path)
    assert len(kept(tmp_path)) < 32 * 2**20
