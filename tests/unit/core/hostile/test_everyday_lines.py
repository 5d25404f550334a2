"""Thousands of everyday lines, plain and wrapped as loggers wrap them: not one byte of them changes."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

import pytest
from everyday_lines import LINES

from isengard.core.redaction import Redactor

REDACTOR = Redactor()
KNOWING = Redactor(["".join(random.Random(5).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=37))])
OF_EACH = 40

WRAPPINGS: tuple[Callable[[str], str], ...] = (
    lambda line: line,
    lambda line: json.dumps({"msg": line}),
    lambda line: json.dumps(json.dumps([line])),
    lambda line: repr([line]),
    lambda line: f"\x1b[32m{line}\x1b[0m",
    lambda line: f"first\r\n{line}\r\nlast",
    lambda line: f"“{line}”",
    lambda line: f"trainer-1  | {line}",
    lambda line: f"> {line}",
)


@pytest.mark.parametrize("kind", LINES)
def test_an_everyday_line_comes_through_as_it_is(kind: str) -> None:
    rng = random.Random("everyday" + kind)
    for _ in range(OF_EACH):
        line = LINES[kind](rng)
        for wrap in WRAPPINGS:
            text = wrap(line)
            for redactor in (REDACTOR, KNOWING):
                assert redactor.text(text) is text, f"in  {text!r}\nout {redactor.text(text)!r}"
        value = {"msg": line, "fields": {"list": [line]}}
        assert REDACTOR.value(value) is value


def test_a_log_of_all_of_them_comes_through_a_stream_as_it_is() -> None:
    rng = random.Random("stream")
    lines = [make(rng) for make in LINES.values() for _ in range(OF_EACH)]
    rng.shuffle(lines)
    data = "\n".join(lines).encode()
    stream, out, position = KNOWING.stream(), [], 0
    while position < len(data):
        size = rng.randrange(1, 3000)
        out.append(stream.feed(data[position : position + size]))
        position += size
    assert b"".join(out) + stream.flush() == data
