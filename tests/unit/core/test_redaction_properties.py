"""Properties that hold for every text and every value."""

# ruff: noqa: E501 - one kind, one line
from __future__ import annotations

import base64
import json
import random
from urllib.parse import quote

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from secret_corpus import BARE, NAMES, NOTATIONS, STRUCTURED, password

from isengard.core.redaction import Redactor
from isengard.core.redaction.spans import MARK

KNOWN_VALUE = "".join(random.Random(3).sample("abcdefghijklmnop/+\"' &0123456789", 24))
REDACTOR = Redactor()
KNOWING = REDACTOR.with_known(KNOWN_VALUE)

_FRAGMENTS = st.sampled_from(
    [
        *("token", "password", "=", ": ", ":", '"', "'", "\\", '\\"', "\\n", "\n", "\r\n", "\r", " ", "  ", "--token", ",", "{", "}", "[", "]"),
        *("***", MARK, "hf_", "sk-", "ghp_", "eyJ", ".", "://", "@", "&", "%3D", "%26", "|", ">", "<", "Bearer ", "Authorization: ", "Cookie: a=b"),
        *("-----BEGIN PRIVATE " + "KEY-----", "-----END PRIVATE " + "KEY-----", "api_key", "secrets", "name", "value", "\x1b[32m", "&quot;", "\\u0022"),
        *("abc123", "A" * 40, "1" * 20, "é", "😀", "İ", "\x00", "login ", "machine ", "x", "aB3" * 12, "step 1", KNOWN_VALUE[:5], KNOWN_VALUE[5:], KNOWN_VALUE),
    ]
)  # fmt: skip


def _planted(seed: int) -> str:
    rng = random.Random(seed)
    kind = rng.randrange(3)
    if kind == 0:
        return rng.choice(list(BARE.values()))(rng).text
    if kind == 1:
        return rng.choice(list(STRUCTURED.values()))(rng).text
    return rng.choice(list(NOTATIONS.values()))(rng.choice(NAMES), password(rng))


TEXTS = st.lists(st.one_of(_FRAGMENTS, st.text(max_size=12), st.integers(0, 10**6).map(_planted)), max_size=14).map(
    "".join
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(NAMES), TEXTS), inner, max_size=4),
        st.tuples(inner, inner),
    ),
    max_leaves=12,
)


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_redacting_twice_gives_what_redacting_once_gave(text: str) -> None:
    for redactor in (REDACTOR, KNOWING):
        once = redactor.text(text)
        assert redactor.text(once) == once


@settings(max_examples=400, deadline=None)
@given(TEXTS, st.lists(st.integers(0, 4000), max_size=8))
def test_a_stream_comes_out_as_the_whole_text_would(text: str, places: list[int]) -> None:
    data = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").encode()
    for redactor in (REDACTOR, KNOWING):
        stream, out, last = redactor.stream(), b"", 0
        for place in sorted(min(place, len(data)) for place in places):
            out += stream.feed(data[last:place])
            last = place
        out += stream.feed(data[last:]) + stream.flush()
        assert out.decode() == redactor.text(data.decode())


SEVERAL = [
    "Zq7#kd93;Lw",
    "Zq7#kd93;Lw-longer+/tail",  # begins as another one does
    "first-line-of-key\nsecond-line-here\nthird-one-is-it",
    "pässwörtchen€12",
    "a" * 70 + "Q1w2e3r4",
]
KNOWING_SEVERAL = REDACTOR.with_known(*SEVERAL)


def _spelled(value: str) -> list[str]:
    data = value.encode()
    encoded = [quote(value, safe=""), data.hex(), base64.b64encode(data).decode(), base64.encodebytes(data).decode()]
    return [
        value,
        *encoded,
        value.replace("\n", "\r\n"),
        repr(value),
        value[: len(value) // 2],
        value[len(value) // 2 :],
    ]


_SPELLED = st.sampled_from([text for value in SEVERAL for text in _spelled(value)])


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.one_of(_SPELLED, _FRAGMENTS, st.text(max_size=5)), max_size=20).map("".join),
    st.lists(st.integers(0, 3000), max_size=12),
)
def test_a_stream_with_several_known_values_comes_out_as_the_whole_text_would(text: str, places: list[int]) -> None:
    data = text.encode("utf-8", "replace")
    stream, out, last = KNOWING_SEVERAL.stream(), b"", 0
    for place in [*sorted(min(place, len(data)) for place in places), len(data)]:
        out += stream.feed(data[last:place])
        last = place
    out += stream.flush()
    assert out.decode() == KNOWING_SEVERAL.text(data.decode())
    assert not any(value in out.decode() for value in SEVERAL if "\n" not in value)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 300))
def test_bytes_that_are_no_text_pass_a_stream_unharmed(data: bytes, place: int) -> None:
    stream = REDACTOR.stream()
    out = stream.feed(data[:place]) + stream.feed(data[place:]) + stream.flush()
    text = data.decode("utf-8", "surrogateescape")
    assert out == REDACTOR.text(text).encode("utf-8", "surrogateescape")


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_a_mask_never_makes_a_text_much_longer(text: str) -> None:
    masked = KNOWING.text(text)
    assert len(masked) <= len(text) + (len(MARK) + 2) * max(
        1, len(REDACTOR.find(text)) + len(KNOWING.find(text)) + text.count("=")
    )


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_a_value_always_becomes_one_line_of_json(value: object) -> None:
    line = KNOWING.dumps({"value": value})
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert isinstance(orjson.loads(line), dict)


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_a_clean_value_comes_back_as_the_same_object_and_a_masked_one_is_clean(value: object) -> None:
    masked = KNOWING.value(value)
    again = KNOWING.value(masked)
    assert again is masked or again == masked or masked != masked  # noqa: PLR0124 - NaN


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_random_text_without_separators_is_left_alone(text: str) -> None:
    plain = "".join(character for character in text if character.isalpha() and character.isascii())
    if not plain.startswith("eyJ"):
        assert REDACTOR.text(plain) is plain


@settings(max_examples=150, deadline=None)
@given(VALUES)
def test_a_line_says_of_a_secret_what_its_value_does(value: object) -> None:
    """The prefilter over the serialised line never lets through what redacting the value would have masked."""
    plain = (
        json.loads(orjson.dumps(KNOWING.value({"v": value}), default=str, option=orjson.OPT_NON_STR_KEYS))
        if _fits(value)
        else None
    )
    if plain is not None:
        assert json.loads(KNOWING.dumps({"v": value})) == plain


def _fits(value: object) -> bool:
    try:
        orjson.dumps(value)
    except (TypeError, ValueError):
        return False
    return True
