"""Streams: hold-back, bounded memory, blocks over many writes, long lines."""

from __future__ import annotations

import random

import pytest
from secret_corpus import ALNUM, BARE, BASE64, NOTATIONS, STRUCTURED, draw, password, surviving

from isengard.core.redaction import Redactor
from isengard.core.redaction.scanner import CAP

REDACTOR = Redactor()


def by_pieces(redactor: Redactor, data: bytes, size: int) -> bytes:
    stream = redactor.stream()
    out = [stream.feed(data[at : at + size]) for at in range(0, len(data), size)]
    return b"".join(out) + stream.flush()


@pytest.mark.parametrize("kind", ["huggingface", "jwt", "slack", "openai project"])
def test_a_token_split_at_any_place_is_one_token(kind: str) -> None:
    planted = BARE[kind](random.Random(kind))
    data = f"loading with {planted.text} now\n".encode()
    whole = REDACTOR.text(data.decode())
    for place in range(len(data) + 1):
        stream = REDACTOR.stream()
        out = stream.feed(data[:place]) + stream.feed(data[place:]) + stream.flush()
        assert out.decode() == whole
        assert not surviving(planted, out.decode())


@pytest.mark.parametrize("size", [1, 2, 7, 64, 4096])
def test_any_size_of_write_gives_the_same_output(size: int) -> None:
    rng = random.Random(size)
    parts = [
        make(rng).text for make in (*BARE.values(), *STRUCTURED.values()) if make is not STRUCTURED["pem without end"]
    ]
    parts += [write("api_key", password(rng)) for write in NOTATIONS.values()]
    text = "\n".join(f"{part}\nstep {step} loss 0.1\n" for step, part in enumerate(parts))
    assert by_pieces(REDACTOR, text.encode(), size).decode() == REDACTOR.text(text)


def test_a_whole_line_comes_out_at_once() -> None:
    stream = REDACTOR.stream()
    assert stream.feed(b"step 1 loss 0.5\nstep 2") == b"step 1 loss 0.5\n"
    assert stream.feed(b" loss 0.4\r") == b""
    assert stream.feed(b"step 3") == b"step 2 loss 0.4\r"
    assert stream.flush() == b"step 3"


def test_a_stream_may_go_on_after_a_flush() -> None:
    stream = REDACTOR.stream()
    assert stream.feed(b"password=" + b"abc") + stream.flush() == b"password=***"
    assert stream.feed(b"password=" + b"abc\n") == b"password=***\n"


def test_a_key_block_over_many_writes_leaves_one_mark() -> None:
    rng = random.Random(1)
    lines = [draw(rng, BASE64, 64) for _ in range(40)]
    block = "-----BEGIN PRIVATE " + "KEY-----\n" + "\n".join(lines) + "\n-----END PRIVATE KEY-----\n"
    stream = REDACTOR.stream()
    out = b"".join(stream.feed(line.encode()) for line in ("before\n" + block + "after\n").splitlines(keepends=True))
    assert (
        out + stream.flush() == b"before\n-----BEGIN PRIVATE KEY-----***REDACTED***-----END PRIVATE KEY-----\nafter\n"
    )


def test_a_known_value_split_and_wrapped_is_found() -> None:
    value = draw(random.Random(2), ALNUM, 48)
    data = f"x {value[:20]}\n{value[20:]} y\n".encode()
    for size in (1, 5, 30):
        assert by_pieces(Redactor([value]), data, size) == b"x ***REDACTED*** y\n"


@pytest.mark.parametrize(
    "chunk",
    [b"x" * 1000, b"token=", b"a b ", b"-----BEGIN PRIVATE " + b"KEY-----\n", b"MIIEabcd1234EFGH", b"\\n", b"(" * 10],
)
def test_memory_is_bounded_whatever_comes(chunk: bytes) -> None:
    stream = REDACTOR.stream()
    for _ in range(CAP // len(chunk) * 5 // 4 + 1):
        stream.feed(chunk)
        assert len(stream._scanner._held) <= CAP


def test_a_line_of_megabytes_keeps_its_ordinary_text_and_loses_its_secrets() -> None:
    rng = random.Random(3)
    pieces, secrets = [], []
    for number in range(80):
        pieces.append(f"value {number} " + "lorem ipsum " * 200)
        secrets.append(draw(rng, ALNUM, 34))
        pieces.append(
            rng.choice(["hf_{}", 'api_key="{}"', "--token {}", "password={}", "Authorization: Bearer {}"]).format(
                secrets[-1]
            )
        )
    text = " ".join(pieces)
    assert len(text) > 2 * CAP
    masked = REDACTOR.text(text)
    assert not [secret for secret in secrets if secret in masked]
    assert masked.count("lorem ipsum") == text.count("lorem ipsum")
    assert by_pieces(REDACTOR, text.encode(), 10_007).decode() == masked


def test_a_secret_longer_than_the_window_is_masked_whole() -> None:
    value = draw(random.Random(4), ALNUM, 2 * CAP)
    text = f"before password={value} after"
    assert REDACTOR.text(text) == "before password=*** after"
    assert by_pieces(REDACTOR, text.encode(), 4096) == b"before password=*** after"


def test_findings_in_a_long_line_are_where_they_stand() -> None:
    value = draw(random.Random(5), ALNUM, 3 * CAP)
    text = "a " * CAP + f"password={value} then hf" + "_" + value[:34]
    found = [text[finding.start : finding.end] for finding in REDACTOR.find(text)]
    assert found == [value, value[:34]]


def test_invalid_utf8_passes_unharmed_even_beside_a_secret() -> None:
    data = b"\xff\xfe caf\xe9 password=" + b"abc123 \xf0\x9f\x98 end\n"
    for size in (1, 3, 100):
        assert by_pieces(REDACTOR, data, size) == b"\xff\xfe caf\xe9 password=*** \xf0\x9f\x98 end\n"
