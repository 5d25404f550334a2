"""Known values: where they come from, how short they may be, and how they break."""

from __future__ import annotations

import base64
import json
import quopri
import random
import string

import pytest
from secret_corpus import ALNUM, BASE64, draw, known_value

from isengard.core.redaction import Redactor, known_from_environment
from isengard.core.redaction.known import KnownValues

RNG = random.Random(11)
MARK = "***REDACTED***"


def test_a_value_of_seven_characters_is_left_alone_and_one_of_eight_is_not() -> None:
    seven, eight = draw(RNG, ALNUM, 7), draw(RNG, ALNUM, 8)
    assert Redactor([seven]).text(f"x {seven} y") == f"x {seven} y"
    assert Redactor([eight]).text(f"x {eight} y") == f"x {MARK} y"


def test_with_known_adds_and_leaves_the_old_redactor_as_it_was() -> None:
    first, second = draw(RNG, ALNUM, 12), draw(RNG, ALNUM, 12)
    one = Redactor([first])
    both = one.with_known(second)
    assert both.text(f"{first} {second}") == f"{MARK} {MARK}"
    assert one.text(f"{first} {second}") == f"{MARK} {second}"


def test_a_value_of_several_lines_is_known_line_by_line() -> None:
    lines = [draw(RNG, BASE64, 40) for _ in range(5)]
    redactor = Redactor(["\n".join(lines)])
    for line in lines:
        assert redactor.text(f"log: {line}.") == f"log: {MARK}."
    assert not any(line in redactor.text("\n".join(lines)) for line in lines)


def test_overlapping_values_are_both_masked() -> None:
    text = draw(RNG, ALNUM, 30)
    redactor = Redactor([text[:20], text[12:]])
    assert redactor.text(f"<{text}>") == f"<{MARK}>"


def test_a_very_long_value_is_masked_to_its_last_character() -> None:
    value = draw(RNG, ALNUM, 5_000)
    redactor = Redactor([value])
    assert redactor.text(f"a {value} b") == f"a {MARK} b"
    encoded = redactor.text(base64.b64encode(value.encode()).decode())
    assert len(encoded.replace(MARK, "")) <= 3 * (len(value) // 512 + 2)


def test_a_known_value_is_found_whatever_surrounds_it() -> None:
    value = draw(RNG, ALNUM, 16)
    redactor = Redactor([value])
    assert redactor.text(f"abc{value}def") == f"abc{MARK}def"


def test_a_known_value_that_is_a_vendors_token_keeps_its_prefix() -> None:
    value = "hf" + "_" + draw(RNG, ALNUM, 34)
    assert Redactor([value]).text(f"use {value}") in (f"use {MARK}", f"use hf_{MARK}")


def test_a_known_number_is_masked_in_values_too() -> None:
    number = RNG.randrange(10**11, 10**12)
    redactor = Redactor([str(number)])
    assert redactor.value({"id": number, "n": 5}) == {"id": MARK, "n": 5}


def test_a_known_value_in_a_key_is_masked_and_no_entry_is_lost() -> None:
    value = draw(RNG, ALNUM, 16)
    masked = Redactor([value]).value({value: 1, f"{value}\n": 2, "x": 3})
    assert list(masked.values()) == [1, 2, 3]
    assert value not in repr(masked)


@pytest.mark.parametrize("spelling", ["REDACTED", "***REDACTED***", "********", "", "       "])
def test_a_value_that_reads_like_a_mask_or_nothing_is_no_secret(spelling: str) -> None:
    redactor = Redactor([spelling])
    text = f"token=*** and hf_{MARK} and {spelling}"
    assert redactor.text(redactor.text(text)) == redactor.text(text)


def test_secrets_of_an_environment_are_known_by_name_and_by_url() -> None:
    token, password, url_password = (draw(RNG, ALNUM, 20) for _ in range(3))
    environment = {
        "HF_TOKEN": token,
        "DB_PASSWORD": password,
        "DATABASE_URL": f"postgresql://u:{url_password}@h/d",
        "MAX_TOKENS": "12345678",
        "USE_AUTH_TOKEN": "true",
        "GOOGLE_APPLICATION_CREDENTIALS": "/etc/gcp/account.json",
        "PWD": "/root/some/long/path",
        "HOME": "/root/of/a/user",
        "SHORT_TOKEN": "abc",
        "OTHER_TOKEN": "${HF_TOKEN}",
    }
    assert known_from_environment(environment) == [token, password, url_password]


def test_many_known_values_are_searched_for_at_once() -> None:
    values = [known_value(RNG) for _ in range(100)]
    redactor = Redactor(values)
    for value in values:
        assert value not in redactor.text(f"a {value} b")


def test_rarer_spellings_of_a_known_value_are_masked_as_well() -> None:
    value = draw(RNG, ALNUM, 20) + "/4é"
    redactor = Redactor([value])
    raw = value.encode()
    for shown in (
        value.upper(),
        value.lower(),
        "".join(f"&#x{ord(character):x};" for character in value),
        "".join(f"\\{byte:03o}" for byte in raw),
        base64.b32encode(raw).decode().rstrip("=")[:-1],
        quopri.encodestring(raw).decode(),
    ):
        assert redactor.text(f"got {shown} back") == f"got {MARK} back"
    word = Redactor(["Isengard"])
    assert word.text("isengard") == "isengard", "a plain word is known as it was given"


def test_much_that_is_known_is_still_found_as_programs_write_it_and_takes_bounded_memory() -> None:
    rng = random.Random(11)
    long = ["".join(rng.choices(string.ascii_letters + string.digits, k=60_000)) for _ in range(2)]
    short = "".join(rng.choices(string.ascii_letters + string.digits, k=40))
    redactor = Redactor().with_known(*long, short)
    few = KnownValues([text[:8_000] for text in long])
    assert len(KnownValues([*long, short]).literals) < 4 * len(few.literals), (
        "it grew with all of fifteen times the text"
    )
    for value in long:
        for text in (value, json.dumps({"x": value}), value.encode().hex(), base64.b64encode(value.encode()).decode()):
            masked = redactor.text(f"seen: {text}")
            assert not any(text[at : at + 24] in masked for at in range(0, len(text) - 24, 511))
    spelt = "".join(f"&#{ord(character)};" for character in short)
    assert spelt[:30] not in redactor.text(f"seen: {spelt}"), "the short ones come first"
