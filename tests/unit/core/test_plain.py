"""What a script hands over, as JSON can hold it."""

from __future__ import annotations

import json
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from isengard.core.plain import plain

_LEAVES = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
_TEXT = st.text(st.characters(exclude_categories=["Cs"]))


class Unspeakable:
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError("no")


@given(st.recursive(_LEAVES | _TEXT, lambda inner: st.lists(inner) | st.dictionaries(_TEXT, inner), max_leaves=20))
def test_what_json_holds_already_is_left_as_it_is(value: Any) -> None:
    deep = json.dumps(value).count("[") + json.dumps(value).count("{") > 8
    assert deep or plain(value) == value


def test_what_no_number_of_json_can_be_is_told_in_words() -> None:
    told = plain({"nan": math.nan, "endless": -math.inf, "large": 10**20, "half": "\ud800", "dumb": Unspeakable()})
    assert told == {"nan": "nan", "endless": "-inf", "large": str(10**20), "half": "?", "dumb": "<Unspeakable>"}
    json.dumps(told, allow_nan=False)


def test_names_become_text_and_collections_lists() -> None:
    assert plain({1: (2, 3), None: frozenset({4}), ("a", 1): []}) == {"1": [2, 3], "None": [4], "('a', 1)": []}


def test_a_mapping_that_holds_itself_many_times_ends() -> None:
    knot: dict[str, Any] = {}
    knot.update({str(number): knot for number in range(50)})
    assert len(json.dumps(plain(knot))) < 1_000_000
