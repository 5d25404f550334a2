"""The rows of the contract, how its conflicts are settled, and single rules that the corpus does not single out."""

from __future__ import annotations

import random

import pytest
from secret_corpus import ALNUM, HEX, draw

from isengard.core.redaction import Redactor

REDACTOR = Redactor()
RNG = random.Random(7)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hf" + "_abc123xyz", "hf_***REDACTED***"),
        ("sk" + "-proj-123", "sk-***REDACTED***"),
        ("password" + "=secret123", "password=***"),
        ("token" + "=abc123", "token=***"),
    ],
)
def test_the_four_rows_of_the_contract_hold_to_the_letter(text: str, expected: str) -> None:
    assert REDACTOR.text(text) == expected
    assert REDACTOR.text(f"before {text} after") == f"before {expected} after"
    assert REDACTOR.text(expected) == expected


@pytest.mark.parametrize("value", ["x", "1", "12345", "True", "None", "abc", "a,b;c", "a%20b", "ü"])
def test_exactly_token_is_masked_whatever_its_value(value: str) -> None:
    assert REDACTOR.text(f"GET /x?token={value}&page=2") == "GET /x?token=***&page=2"


@pytest.mark.parametrize("value", ["True", "false", "None", "null", "512", "0.25", "1e-4", "${HF_TOKEN}", "$HF_TOKEN"])
@pytest.mark.parametrize("name", ["hub_token", "use_auth_token", "MY_TOKEN"])
def test_a_name_that_ends_in_token_keeps_booleans_numbers_null_and_references(name: str, value: str) -> None:
    text = f"{name}={value}"
    assert REDACTOR.text(text) is text


@pytest.mark.parametrize("name", ["pad", "eos", "bos", "unk", "mask", "sep", "cls"])
def test_the_tokens_of_a_tokenizer_stay(name: str) -> None:
    for text in (f'"{name}_token": "something"', f"{name}_token=[X]", f"{name.upper()}_TOKEN='<{name}>'"):
        assert REDACTOR.text(text) is text
    assert REDACTOR.value({f"{name}_token": "something"}) == {f"{name}_token": "something"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("password=ab cd", "password=*** cd"),
        ("password=ab&x=1", "password=***&x=1"),
        ("password=secret", "password=***"),
        ("DB_PASSWORD=Secret", "DB_PASSWORD=***"),
        ('"password=ab"', '"password=***"'),
        ("'password=ab', 'next'", "'password=***', 'next'"),
        ("f(password=ab, n=1)", "f(password=***, n=1)"),
        ("password=ab'cd\"ef", "password=***"),
        ('password="ab cd" n=1', 'password="***" n=1'),
        ('{"password": 123456, "n": 1}', '{"password": "***", "n": 1}'),
    ],
)
def test_a_password_reaches_to_white_space_an_ampersand_or_its_closing_quote(text: str, expected: str) -> None:
    assert REDACTOR.text(text) == expected


@pytest.mark.parametrize("shape", ["{}", "hf_transfer {}", "x\x1b[0m{}", "\\n{}", "sample_{}.png", "[{}]", "%3D{}"])
def test_boundaries_before_a_token(shape: str) -> None:
    secret = "hf" + "_" + draw(RNG, ALNUM, 34)
    assert REDACTOR.text(shape.format(secret)) == shape.format("hf_***REDACTED***")


def test_a_letter_or_digit_before_a_token_is_no_boundary() -> None:
    text = "xhf" + "_" + draw(RNG, ALNUM, 12)
    assert REDACTOR.text(text) is text


def test_the_password_of_a_url_reaches_to_the_last_at_before_the_path() -> None:
    first, second = draw(RNG, ALNUM, 6), draw(RNG, ALNUM, 6)
    assert REDACTOR.text(f"postgres://u:{first}@{second}@h:1/d@e") == "postgres://u:***@h:1/d@e"
    assert REDACTOR.text(f"amqp://u:{first}/{second}@h/v") == "amqp://u:***@h/v"


@pytest.mark.parametrize("place", [11, 18, 40, 80])
def test_a_token_wrapped_by_a_terminal_is_found(place: int) -> None:
    secret = "github_" + "pat_" + draw(RNG, ALNUM, 22) + "_" + draw(RNG, ALNUM, 59)
    head = "export X=" + secret[:place]
    masked = REDACTOR.text(head + "\n" + secret[place:] + "\nnext line")
    assert secret[place:][-12:] not in masked
    assert masked.endswith("\nnext line")


def test_the_word_after_a_whole_token_on_the_next_line_stays() -> None:
    secret = "hf" + "_" + draw(RNG, ALNUM, 34)
    assert REDACTOR.text(f"using {secret}\nInitializing the model") == "using hf_***REDACTED***\nInitializing the model"


def test_a_block_without_an_end_reaches_to_the_end_of_the_text() -> None:
    lines = [draw(RNG, ALNUM + "+/", 64) for _ in range(20)]
    masked = REDACTOR.text("a\n-----BEGIN RSA PRIVATE " + "KEY-----\n" + "\n".join(lines) + "\nthe end")
    assert masked == "a\n-----BEGIN RSA PRIVATE KEY-----***REDACTED***"


def test_after_twenty_lines_without_key_material_a_cut_off_block_is_over() -> None:
    key = draw(RNG, ALNUM + "+/", 64)
    ordinary = [f"step {step} of 100, loss 0.5" for step in range(60)]
    masked = REDACTOR.text("-----BEGIN PRIVATE " + f"KEY-----\n{key}\n" + "\n".join(ordinary))
    assert key not in masked
    assert masked.endswith("\n".join(ordinary[25:]))


def test_a_mentioned_marker_is_no_block() -> None:
    text = "could not find -----BEGIN PRIVATE " + "KEY----- in x.pem\nloading\nloading more\nstep 1\nstep 2"
    assert REDACTOR.text(text) is text


@pytest.mark.parametrize("case", [str.upper, str.lower, str.title, str.swapcase])
@pytest.mark.parametrize("name", ["api_key", "Client_Secret", "dbPassword", "x-api-key"])
def test_names_are_known_in_any_letter_case(name: str, case: object) -> None:
    value = draw(RNG, HEX, 20)
    assert value not in REDACTOR.text(f'"{case(name)}": "{value}"')  # type: ignore[operator]


def test_findings_say_what_and_where_but_not_the_secret() -> None:
    secret = draw(RNG, ALNUM, 34)
    text = f"first line\nusing hf_{secret} and\n\npassword={secret}\n"
    findings = REDACTOR.find(text)
    assert [finding.kind for finding in findings] == ["huggingface-token", "name"]
    assert [text[finding.start : finding.end] for finding in findings] == [secret, secret]
    assert secret not in repr(findings)


def test_findings_of_a_masked_text_are_none() -> None:
    text = "token=***, hf_***REDACTED***, postgres://u:***@h/d"
    assert REDACTOR.find(text) == []


def test_file_names_keep_their_suffix_and_take_no_characters_that_a_zip_cannot_hold() -> None:
    secret = draw(RNG, ALNUM, 34)
    assert REDACTOR.filename(f"samples/out_hf_{secret}.png") == "samples/out_hf_REDACTED.png"
    assert REDACTOR.filename(f"token={secret}.safetensors") == "token=REDACTED.safetensors"
    name = "samples/step_000100_00.png"
    assert REDACTOR.filename(name) is name


def test_an_environment_keeps_its_ordinary_variables() -> None:
    secret = draw(RNG, ALNUM, 20)
    environment = {
        "HF_TOKEN": secret,
        "PWD": "/root/x",
        "HOME": "/root",
        "URL": f"redis://:{secret}@h",
        "EMPTY_TOKEN": "",
    }
    assert REDACTOR.environment(environment) == {
        "HF_TOKEN": "***",
        "PWD": "/root/x",
        "HOME": "/root",
        "URL": "redis://:***@h",
        "EMPTY_TOKEN": "",
    }


@pytest.mark.parametrize("before", ["WARNING:root:", "worker.py:12:", "note:"])
@pytest.mark.parametrize("name", ["password", "hub_token", "X-Api-Key"])
def test_a_name_behind_a_loggers_colon_is_still_a_name(before: str, name: str) -> None:
    value = draw(RNG, ALNUM, 24)
    assert value not in REDACTOR.text(f"{before}{name}: {value}")
    arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:train-x7Ab"
    assert REDACTOR.text(arn) is arn


@pytest.mark.parametrize("before", ["x\\n", "x\\r", "C:\\tmp\\", "x\x1b[1m", "x\x1b[0;31m", "x%20"])
@pytest.mark.parametrize(
    ("start", "size"),
    [("Authorization: Token ", 40), ("Cookie: session=", 32), ("sig=", 44), ("np" + "m_", 36), ("r8" + "_", 37)],
)
def test_what_stands_right_before_it_does_not_hide_it(before: str, start: str, size: int) -> None:
    value = draw(RNG, ALNUM, size - 1) + "7"
    assert value not in REDACTOR.text(f"{before}{start}{value}")


@pytest.mark.parametrize("text", ["otp={}", "OTP: {}", '"otp": "{}"', '"totp": {}', "--otp {}", "MFA_OTP={}"])
def test_a_one_time_password_of_six_to_eight_digits_is_masked_under_its_name(text: str) -> None:
    for size in (6, 8):
        code = "".join(RNG.choices("123456789", k=size))
        masked = REDACTOR.text(text.format(code))
        assert code not in masked
        assert "***" in masked
    for other in ("26", "12345", "123456789", "0.123456"):
        assert REDACTOR.text(text.format(other)) == text.format(other)


@pytest.mark.parametrize(
    "text", ["session_id={}", "SESSION-ID: {}", '"sessionId": "{}"', "Mcp-Session-Id: {}", "--session-id {}"]
)
def test_a_session_is_masked_where_its_id_is_a_long_random_run(text: str) -> None:
    for secret in (draw(RNG, HEX, 32), draw(RNG, ALNUM, 20), f"s.{draw(RNG, ALNUM, 18)}"):
        assert secret not in REDACTOR.text(text.format(secret))
    for other in ("17", "c2", "3419871263", "20260102_030405-8x1k2m3n", "2026-01-02T03:04:05-run7"):
        assert REDACTOR.text(text.format(other)) == text.format(other)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SENTRY_DSN=https://{}@o1.ingest.sentry.io/42", "SENTRY_DSN=https://***@o1.ingest.sentry.io/42"),
        ("init(dsn='https://{}@sentry.example.org/1')", "init(dsn='https://***@sentry.example.org/1')"),
        ("DSN=root:{}@tcp(db:3306)/app", "DSN=root:***@tcp(db:3306)/app"),
        ("opening root:{}@unix(/run/my.sock)/app", "opening root:***@unix(/run/my.sock)/app"),
        ("dsn: bob:p@{}@db/app", "dsn: bob:***@db/app"),
        ("ORACLE_DSN=scott/{}@db", "ORACLE_DSN=scott/***@db"),
    ],
)
def test_a_data_source_keeps_everything_but_its_credentials(text: str, expected: str) -> None:
    assert REDACTOR.text(text.format(draw(RNG, ALNUM, 9))) == expected
    assert REDACTOR.text(expected) is expected
