"""What a trainer prints is redacted before it is cut into lines: some secrets are none any more once they are."""

from __future__ import annotations

import asyncio
import os
import random
import string
from collections import deque
from pathlib import Path
from typing import Any

from isengard.core.redaction import Redactor
from isengard.events.models import EventName, Level
from isengard.execution.output_lines import OutputLines
from isengard.execution.output_log import OutputLog
from isengard.execution.streams import StreamReader, pipe


async def _printed(writes: list[bytes], redactor: Redactor, folder: Path) -> tuple[list[str], bytes]:
    """The messages of the journal lines and the raw log after a program wrote `writes`."""
    messages: list[str] = []

    def append(_event: EventName, message: str, _fields: dict[str, Any], _level: Level) -> None:
        messages.append(message)

    reading, writing = pipe()
    log = OutputLog(folder / "output.log")
    lines = OutputLines("stdout", append, deque(maxlen=50))
    reader = StreamReader("stdout", reading, log, lines, lambda _stream, _text: None, redactor.stream())
    reader.attach()
    for data in writes:
        os.write(writing, data)
        await asyncio.sleep(0)
    os.close(writing)
    await reader.closed()
    reader.close()
    log.close()
    return messages, (folder / "output.log").read_bytes()


def _body(rng: random.Random) -> list[str]:
    return ["".join(rng.choices(string.ascii_letters + string.digits + "+/", k=64)) for _ in range(8)]


async def test_a_key_printed_over_many_lines_reaches_no_journal_line(tmp_path: Path) -> None:
    body = _body(random.Random(1))
    text = ["loading", "-----BEGIN PRIVATE " + "KEY-----", *body, "-----END PRIVATE " + "KEY-----", "step 1"]
    messages, log = await _printed([f"{line}\n".encode() for line in text], Redactor(), tmp_path)
    shown = "\n".join(messages) + log.decode()
    assert not [line for line in body if line in shown]
    assert messages[0] == "loading"
    assert messages[-1] == "step 1"


async def test_a_secret_of_the_job_broken_over_two_lines_reaches_no_journal_line(tmp_path: Path) -> None:
    value = "".join(random.Random(2).choices(string.ascii_letters + string.digits, k=40))
    writes = [f"key {value[:10]}".encode(), f"{value[10:17]}\n{value[17:30]}".encode(), f"{value[30:]} ok\n".encode()]
    messages, log = await _printed(writes, Redactor([value]), tmp_path)
    assert messages == ["key ***REDACTED*** ok"]
    assert log == b"key ***REDACTED*** ok\n"


async def test_ordinary_lines_and_frames_of_a_bar_come_through(tmp_path: Path) -> None:
    writes = [b"step 1\nst", b"ep 2\n", b" 10%|#\r 20%|##", b"\r100%|####\n", b"no line feed"]
    messages, log = await _printed(writes, Redactor(), tmp_path)
    assert [message for message in messages if "%" not in message] == ["step 1", "step 2", "no line feed"]
    assert "100%|####" in messages
    assert log == b"".join(writes)
