"""Nested values and the lines made of them."""

from __future__ import annotations

import dataclasses
import random
import traceback
from pathlib import Path

import numpy as np
import orjson
import pytest
from secret_corpus import ALNUM, draw

from isengard.core.redaction import Redactor

REDACTOR = Redactor()
RNG = random.Random(5)


def secret() -> str:
    return draw(RNG, ALNUM, 24)


def test_a_clean_value_comes_back_as_the_same_object() -> None:
    value = {
        "step": 1,
        "loss": 0.5,
        "list": [1, "two", None],
        "nested": {"pair": (1, 2)},
        "password": None,
        "token": "",
    }
    assert REDACTOR.value(value) is value


def test_a_value_is_not_changed_in_place() -> None:
    password = secret()
    value = {"a": [{"password": password}]}
    assert REDACTOR.value(value) == {"a": [{"password": "***"}]}
    assert value == {"a": [{"password": password}]}


@pytest.mark.parametrize("kept", [None, True, False, 0, 3, 0.5, "${HF_TOKEN}", "", "***", "None", "false"])
def test_what_a_secret_name_may_keep(kept: object) -> None:
    value = {"hub_token": kept}
    assert REDACTOR.value(value) is value


def test_what_stands_below_a_secret_name_is_masked_to_the_leaves() -> None:
    value = {
        "secrets": {"A": secret(), "B": [secret()]},
        "api_keys": [secret(), secret()],
        "credentials": (secret(), 1),
    }
    masked = REDACTOR.value(value)
    assert masked == {"secrets": {"A": "***", "B": ["***"]}, "api_keys": ["***", "***"], "credentials": ("***", 1)}


def test_a_name_may_stand_beside_its_value() -> None:
    value = [{"name": "HF_TOKEN", "value": secret()}, {"name": "STEPS", "value": "10"}]
    assert REDACTOR.value(value) == [{"name": "HF_TOKEN", "value": "***"}, {"name": "STEPS", "value": "10"}]


def test_a_numeric_password_is_masked_and_other_numbers_stay() -> None:
    assert REDACTOR.value({"password": 12345678, "max_tokens": 512, "api_token": 7}) == {
        "password": "***",
        "max_tokens": 512,
        "api_token": 7,
    }


def test_a_key_that_holds_a_secret_is_masked_itself() -> None:
    token = "hf" + "_" + secret()
    assert REDACTOR.value({f"cache/{token}/x": 1}) == {"cache/hf_***REDACTED***/x": 1}


def test_the_stack_of_an_exception_is_masked_as_text() -> None:
    token = "hf" + "_" + secret()
    try:
        raise ValueError(f"401 for {token}")
    except ValueError as error:
        stack = traceback.format_exc()
        masked = REDACTOR.value({"error": error, "error_stack": stack})
    assert token not in str(masked["error"])
    assert token not in masked["error_stack"]
    assert masked["error_stack"].startswith("Traceback (most recent call last):")


def test_a_line_ends_with_one_line_feed_and_keeps_the_order_of_its_keys() -> None:
    line = REDACTOR.dumps({"seq": 1, "msg": "a\nb", "fields": {"z": 1, "a": 2}})
    assert line == b'{"seq":1,"msg":"a\\nb","fields":{"z":1,"a":2}}\n'


@dataclasses.dataclass
class _Config:
    steps: int
    api_key: str


def test_a_line_takes_whatever_it_is_given() -> None:
    loop: list[object] = []
    loop.append(loop)
    deep: object = "x"
    for _ in range(400):
        deep = [deep]
    odd = {
        "nan": float("nan"),
        "array": np.arange(3),
        "scalar": np.float32(0.5),
        "path": Path("/a/b"),
        "set": {1},
        "bytes": b"\xff",
        "surrogate": "\ud800",
        "huge": 2**80,
        "loop": loop,
        "deep": deep,
        "exception": ValueError("no"),
    }
    for name, value in odd.items():
        assert isinstance(orjson.loads(REDACTOR.dumps({name: value})), dict)
    assert orjson.loads(REDACTOR.dumps({1: "one", ("a", 2): "two"})) == {"1": "one", "('a', 2)": "two"}
    assert orjson.loads(REDACTOR.dumps({"nan": float("nan")})) == {"nan": None}


def test_secrets_in_strange_values_are_masked_too() -> None:
    token, key = "hf" + "_" + secret(), secret()
    for value in (
        {token},
        token.encode(),
        Path(f"/x/{token}"),
        ValueError(token),
        np.array([token]),
        {1: token},
        2**80,
    ):
        assert token.encode() not in REDACTOR.dumps({"value": value, "other": token})
    assert key.encode() not in REDACTOR.dumps({"config": _Config(1, key)})


def test_a_secret_in_a_value_of_great_depth_is_masked() -> None:
    token = "hf" + "_" + secret()
    value: object = token
    for _ in range(240):
        value = {"a": value}
    assert token not in str(REDACTOR.value(value))
    assert token.encode() not in REDACTOR.dumps(value)
