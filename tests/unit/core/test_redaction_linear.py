"""Hostile text cannot make redaction slow: the work grows with the text and no faster.

The calls of Python functions and built-ins are counted; the steps of a regular expression, which no profile sees, show
in the processor time of the thread, taken as a ratio between two sizes with a wide margin.
"""

# ruff: noqa: E501 - units that belong together stand on one line
from __future__ import annotations

import random
import string
import sys
import time

import pytest

from isengard.core.redaction import Redactor
from isengard.core.redaction.scanner import CAP

HOSTILE = (
    *("a", " ", "\n", "\\", '"', "\\n", '\\"', "\x1b[1m", "%3D", "&quot;", "é", "İ", "\x00", "=", ":", "@", ".", "-"),
    *("token=", "token=x ", 'token="', "token='x\"", "token: ", "token:\n", "--token ", "--token \\\n", '"token",\n', "tokentoken", "token=None,"),
    *("password==", "password::", "password: |\n ", "password:\n  ", "api_keys:\n- a\n", '"api_keys": ["a", ', '"secrets": {"a": "b", '),
    *("eyJ", "eyJ-", "eyJa.", "_eyJaaaaaa", "://", "a://b:", "a://b:c/", "a://b@", "hf_", "sk-a-", "ghp_abc\n", "SG." + "a" * 20, "xoxb-"),
    *("-----BEGIN PRIVATE " + "KEY-----", "-----BEGIN PRIVATE " + "KEY-----\n", "-----BEGIN PRIVATE " + "KEY-----\\n", "MIIEpAIBAAKCAQEA"),
    *("Authorization: ", "Authorization: Digest a=b,", "authorization=", "Bearer ", "Basic dXNlcjpwYXNz ", "Cookie: a=", "&key=", "sig="),
    *("name: HF_TOKEN value ", "curl -u a:", "mysql -", "docker login x ", "login a password ", "machine a\n", "A_" * 20 + "KEY", "<password>", "token is "),
    *("%3D", "token%3D", "\\/", "\\u003d", "&amp;", "“", "“token”: “", 'token = """', "token\uff1a", "| token | ", "token  ", "token\t", "\u00a0"),
    *('"loc": ["body", "token"], ', '"loc": ["a" ', "token\n  [type=", "auth=('a', ", "curl -b ", "set -x ", "set -x TOKEN ", "<key>token</key>", "login(key="),
    *("dsn=", "dsn=a:", "a:@tcp(", "a:b@tcp", "@unix(", "otp=123456 ", "otp: ", "session_id=a1b2 ", "session-id: ", "isg_", "v1.eyJa."),
    *("known-value-", "known-value-known\n", "known-\n"),
)  # fmt: skip
REDACTOR = Redactor(["known-value-known-value", "another \"known\" 'value' & <more>"])


def _calls(text: str) -> int:
    """How many calls, of Python and of C, one redaction of `text` takes."""
    count = 0

    def count_call(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(count_call)
    try:
        REDACTOR.text(text)
    finally:
        sys.setprofile(None)
    return count


def _repeat(unit: str, length: int) -> str:
    return (unit * (length // len(unit) + 1))[:length]


@pytest.mark.parametrize("unit", HOSTILE, ids=ascii)
def test_eight_times_the_text_takes_no_more_than_about_eight_times_the_work(unit: str) -> None:
    """With margins; a quadratic rule would take sixty-four times the work."""
    short, long = _repeat(unit, 2_000), _repeat(unit, 16_000)
    assert _calls(long) <= 14 * _calls(short) + 2_000
    assert _thread_time(long) <= 32 * max(_thread_time(short), 0.0005)


def test_beyond_the_window_the_work_is_that_of_one_window_after_the_other() -> None:
    for unit in ("lorem " * 40 + "password=abc&", "eyJa.", '"api_keys": ["a", '):  # the last hangs together throughout
        calls = [_calls(_repeat(unit, windows * CAP)) for windows in (1, 2)]
        assert calls[1] <= 3 * calls[0]


def _thread_time(text: str) -> float:
    best = float("inf")
    for _ in range(2):
        start = time.thread_time()
        REDACTOR.text(text)
        best = min(best, time.thread_time() - start)
    return best


@pytest.mark.parametrize("unit", ["a", "ab", "aaaaaaab", "x\n", "\\", "é", "=\n"])
def test_a_known_value_that_repeats_itself_costs_no_more_than_another(unit: str) -> None:
    def built(value: str) -> float:
        start = time.thread_time()
        Redactor().with_known(value)
        return time.thread_time() - start

    other = "".join(random.Random(unit).choices(string.ascii_letters, k=4_000))
    assert built(_repeat(unit, 4_000)) <= 8 * max(built(other), 0.05)
