"""Thousands of secrets in thousands of surroundings: not eight characters in a row of any of them come through.

The generator shares nothing with the one of `test_redaction_corpus`; two people's ideas of a log find more than one's.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterator

import pytest
from hostile_carriers import AROUND_SHAPES, AROUND_STRUCTURES, BESIDE_NAMES
from hostile_kinds import NAMES, SHAPES, STRUCTURES, Rng, Secret, made_up
from hostile_spellings import SPELLINGS, VALUES, block_value, plain_value

from isengard.core.redaction import Redactor

REDACTOR = Redactor()
SEED = "a seed of its own"
WINDOW = 8
"""Characters in a row that may not be read."""


def _readable(body: str, text: str) -> bool:
    """Whether a stretch of `body` stands in `text`, or would if its breaks and gaps were taken out."""
    squeezed = text
    for gap in ("\r", "\n", "\\n", " "):
        squeezed = squeezed.replace(gap, "")
    size = min(WINDOW, len(body))
    stretches = [body[at : at + size] for at in range(len(body) - size + 1)]
    return any(stretch in text or stretch in squeezed for stretch in stretches)


def _assert_masked(secret: Secret, text: str, redactor: Redactor = REDACTOR) -> None:
    masked = redactor.text(text)
    left = [body for body in secret.bodies if _readable(body, masked)]
    assert not left, f"{left}\nin  {text!r}\nout {masked!r}"
    assert redactor.text(masked) == masked, f"not the same again\nin  {text!r}\nout {masked!r}"
    line = redactor.dumps({"msg": text, "fields": {"deep": [{"stack": text}]}}).decode()
    assert not any(_readable(body, line) for body in secret.bodies), f"as a value: {text!r} gave {line!r}"


def test_there_are_at_least_forty_kinds() -> None:
    assert len(SHAPES) >= 40
    assert len(SHAPES) + len(STRUCTURES) >= 60


@pytest.mark.parametrize("kind", SHAPES)
def test_a_token_is_known_wherever_it_stands(kind: str) -> None:
    rng = random.Random(SEED + kind)
    for carrier in AROUND_SHAPES.values():
        secret = SHAPES[kind](rng)
        _assert_masked(secret, carrier(secret.text))


@pytest.mark.parametrize("kind", STRUCTURES)
def test_a_structure_is_known_in_whatever_carries_it(kind: str) -> None:
    rng = random.Random(SEED + kind)
    for carrier in AROUND_STRUCTURES.values():
        for _ in range(2):
            secret = STRUCTURES[kind](rng)
            _assert_masked(secret, carrier(secret.text))


@pytest.mark.parametrize("notation", BESIDE_NAMES)
def test_a_name_gives_its_value_away_in_every_notation(notation: str) -> None:
    rng = random.Random(SEED + notation)
    for name in NAMES:
        for spelt in {name, name.upper(), name.lower(), name.replace("_", "-")}:
            value = made_up(rng)
            _assert_masked(Secret(value, (value,)), BESIDE_NAMES[notation](spelt, value))


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_known_value_is_found_in_every_spelling(spelling: str) -> None:
    """Nothing of what is written may say more than what the spelling of another value says as well."""
    rng = random.Random(SEED + spelling)
    for make in itertools.chain.from_iterable(itertools.repeat(VALUES.values(), 3)):
        value = make(rng)
        written, other = SPELLINGS[spelling](value), SPELLINGS[spelling]("Z" * len(value))
        redactor = REDACTOR.with_known(value)
        masked = redactor.text(written)
        assert redactor.text(masked) == masked
        assert not _readable(value, masked), f"{value!r} as {written!r} left {masked!r}"
        if spelling not in WITH_TEXT_BEHIND:
            plain = masked.replace("'", "").replace('"', "")
            shared = [piece for piece in _windows(written) if piece in plain and piece not in other]
            assert not shared, f"{value!r} as {written!r} left {masked!r}"


WITH_TEXT_BEHIND = {"base64 mail", "base64 lines", "base64 inside", "base64 inside second", "base64 inside third"}
"""Spellings in which what follows the value is moved by its length, so that it cannot be compared."""


def _windows(text: str) -> Iterator[str]:
    return (text[at : at + WINDOW] for at in range(len(text) - WINDOW + 1))


def test_every_line_of_a_known_block_is_known_by_itself() -> None:
    rng = random.Random(SEED)
    for _ in range(30):
        value = block_value(rng)
        lines = value.split("\n")
        redactor = REDACTOR.with_known(value)
        texts = ["\n".join(reversed(lines)), "\n\n".join(f"> {line}" for line in lines), json.dumps(value), repr(lines)]
        for text in texts:
            _assert_masked(Secret(value, tuple(lines)), text, redactor)


def _split_texts(rng: Rng) -> Iterator[tuple[Secret, str, Redactor]]:
    known = plain_value(rng)
    for kind, carrier in (("hugging face", "json"), ("github", "colours"), ("jwt", "prose"), ("slack hook", "query")):
        secret = SHAPES[kind](rng)
        yield secret, AROUND_SHAPES[carrier](secret.text), REDACTOR
    for kind, carrier in (("rsa key", "between lines"), ("bearer", "all windows lines"), ("database url", "json")):
        secret = STRUCTURES[kind](rng)
        yield secret, AROUND_STRUCTURES[carrier](secret.text), REDACTOR
    for notation in ("env file", "yaml literal", "yaml folded keep", "argv indented", "toml multi", "pydantic", "csv"):
        value = made_up(rng)
        yield Secret(value, (value,)), BESIDE_NAMES[notation]("HF_TOKEN", value), REDACTOR
    for spelling in ("clear", "base64 mail", "lines of 16", "url", "chinese", "broken with backslash"):
        yield Secret(known, (known,)), SPELLINGS[spelling](known), REDACTOR.with_known(known)


def test_a_secret_split_over_two_or_three_writes_at_any_place_is_still_one() -> None:
    """Every place for two writes; for three, every place of the first against a drawn second."""
    rng = random.Random(SEED)
    for secret, text, redactor in _split_texts(rng):
        data, whole = text.encode(), redactor.text(text).encode()
        assert not any(_readable(body, whole.decode()) for body in secret.bodies), text
        for first in range(len(data) + 1):
            for second in (len(data), rng.randint(first, len(data))):
                stream = redactor.stream()
                parts = (data[:first], data[first:second], data[second:])
                assert b"".join(map(stream.feed, parts)) + stream.flush() == whole, (text, first, second)


def test_a_document_of_json_stays_one() -> None:
    """With names, tokens, key blocks and known values as strings, numbers, keys and documents within documents."""
    rng = random.Random(SEED)
    known = [make(rng) for make in VALUES.values()]
    redactor = REDACTOR.with_known(*known)
    for _ in range(400):
        document = _document(rng, known, 3)
        for text in (json.dumps(document), json.dumps(document, indent=2), json.dumps({"inner": json.dumps(document)})):
            masked = redactor.text(text)
            read = json.loads(masked)
            if isinstance(read, dict) and set(read) == {"inner"}:
                json.loads(read["inner"])
            assert redactor.text(masked) == masked


def _document(rng: Rng, known: list[str], depth: int) -> object:
    makers: list[Callable[[], object]] = [
        lambda: rng.choice([None, True, False, rng.randrange(10**9), rng.random()]),
        lambda: rng.choice(list(SHAPES.values()))(rng).text,
        lambda: rng.choice(list(STRUCTURES.values()))(rng).text,
        lambda: rng.choice(list(SPELLINGS.values()))(rng.choice(known)),
        lambda: rng.choice(list(BESIDE_NAMES.values()))(rng.choice(NAMES), made_up(rng)),
        lambda: rng.choice(['a "quoted" word', "back\\slash", "tab\tand\nline", "é 密 😀", "<b>&amp;</b>", ""]),
        lambda: json.dumps({rng.choice(NAMES): made_up(rng)}),
    ]
    if depth:
        makers += [lambda: _list(rng, known, depth - 1), lambda: _mapping(rng, known, depth - 1)]
    return rng.choice(makers)()


def _list(rng: Rng, known: list[str], depth: int) -> list[object]:
    return [_document(rng, known, depth) for _ in range(rng.randrange(4))]


def _mapping(rng: Rng, known: list[str], depth: int) -> dict[str, object]:
    names = (*NAMES, "step", "note", rng.choice(known))
    return {rng.choice(names): _document(rng, known, depth) for _ in range(rng.randrange(5))}
