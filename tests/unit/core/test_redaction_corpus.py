"""Thousands of secrets in every context, none survives; thousands of ordinary lines, none is touched."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

import pytest
from ordinary_corpus import GENERATED, HAND_WRITTEN
from secret_corpus import (
    BARE,
    NAMES,
    NOTATIONS,
    STRUCTURED,
    Planted,
    known_contexts,
    known_value,
    password,
    plain_contexts,
    structured_contexts,
    surviving,
)

from isengard.core.redaction import DEFAULT, Redactor
from isengard.core.redaction.rules import Rule, Segment
from isengard.core.redaction.spans import Span

REDACTOR = Redactor()
SEED = 20260102

PLAIN, AROUND, KNOWN = plain_contexts(), structured_contexts(), known_contexts()


def _ways_out(redactor: Redactor, text: str, rng: random.Random) -> list[str]:
    """The text as it leaves by each way: as text, in a JSON line, in a stream split at a random place."""
    data, stream = text.encode(), redactor.stream()
    place = rng.randrange(len(data) + 1)
    streamed = stream.feed(data[:place]) + stream.feed(data[place:]) + stream.flush()
    line = json.loads(redactor.dumps({"msg": text, "fields": {"stack": [text]}}))
    return [redactor.text(text), streamed.decode(), line["msg"], line["fields"]["stack"][0]]


def _check(redactor: Redactor, planted: Planted, text: str, rng: random.Random) -> None:
    for masked in _ways_out(redactor, text, rng):
        assert not surviving(planted, masked), (text, masked)
        assert redactor.text(masked) == masked


def test_the_corpus_has_at_least_sixty_kinds() -> None:
    assert len(BARE) + len(STRUCTURED) + len(KNOWN) >= 60
    assert len(BARE) >= 40


@pytest.mark.parametrize("kind", BARE)
def test_no_token_survives_in_any_context(kind: str) -> None:
    rng = random.Random(f"{SEED}{kind}")
    for context in PLAIN.values():
        for _ in range(2):
            planted = BARE[kind](rng)
            _check(REDACTOR, planted, context(planted.text), rng)


@pytest.mark.parametrize("kind", STRUCTURED)
def test_no_secret_survives_in_its_own_surroundings(kind: str) -> None:
    rng = random.Random(f"{SEED}{kind}")
    for context in AROUND.values():
        for _ in range(2):
            planted = STRUCTURED[kind](rng)
            _check(REDACTOR, planted, context(planted.text), rng)


@pytest.mark.parametrize("notation", NOTATIONS)
def test_no_value_survives_beside_a_secret_name(notation: str) -> None:
    rng = random.Random(f"{SEED}{notation}")
    for name in NAMES:
        value = password(rng)
        _check(REDACTOR, Planted(value, (value,)), NOTATIONS[notation](name, value), rng)


@pytest.mark.parametrize("context", KNOWN)
def test_no_known_value_survives_in_any_encoding(context: str) -> None:
    rng = random.Random(f"{SEED}{context}")
    for _ in range(12):
        value = known_value(rng)
        written = KNOWN[context](value)
        for masked in _ways_out(REDACTOR.with_known(value), written, rng):
            assert not surviving(Planted(value, (value,)), masked), (value, written, masked)
            assert not _shares(written, masked) or context in _CONTEXTS_WITH_MORE, (value, written, masked)


_CONTEXTS_WITH_MORE = {"clear", "file name", "base64 wrapped", "base64 basic"}
"""Contexts in which more than the value is written, so that something stays."""


def _shares(written: str, masked: str) -> bool:
    return any(written[at : at + 12] in masked for at in range(len(written) - 11))


@pytest.mark.parametrize("kind", ["hand-written", *GENERATED])
def test_ordinary_text_survives_byte_for_byte(kind: str) -> None:
    rng = random.Random(f"{SEED}{kind}")
    lines = HAND_WRITTEN if kind == "hand-written" else [GENERATED[kind](rng) for _ in range(60)]
    for line in lines:
        for text in (line, json.dumps({"msg": line}), repr([line]), f"\x1b[32m{line}\x1b[0m", f"a\n{line}\nb"):
            assert REDACTOR.text(text) is text, (text, REDACTOR.text(text))
        value = {"fields": {"message": line, "list": [line, 1, None]}}
        assert REDACTOR.value(value) is value


def test_ordinary_text_survives_as_one_stream() -> None:
    rng = random.Random(SEED)
    lines = [*HAND_WRITTEN, *(make(rng) for make in GENERATED.values() for _ in range(60))]
    rng.shuffle(lines)
    data = "\n".join(lines).encode()
    stream, out, position = REDACTOR.stream(), b"", 0
    while position < len(data):
        size = rng.randrange(1, 5000)
        out += stream.feed(data[position : position + size])
        position += size
    assert out + stream.flush() == data


class _Unreachable:
    """A rule that must not be asked, with the literals of a real one."""

    def __init__(self, rule: Rule) -> None:
        self.literals = rule.literals

    def find(self, segment: Segment) -> Iterator[Span]:
        raise AssertionError(f"the prefilter let through {segment.text!r}")


def test_ordinary_journal_lines_do_not_even_wake_the_rules() -> None:
    rng = random.Random(SEED)
    for _ in range(200):
        line = GENERATED["journal line"](rng)
        assert Redactor(rules=[_Unreachable(rule) for rule in DEFAULT]).text(line) is line
