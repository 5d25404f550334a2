"""Rules of the user's own, from the setting `ISENGARD_REDACT_PATTERNS`."""

from __future__ import annotations

import pytest

from isengard.core.errors import StartupError
from isengard.core.redaction import Redactor
from isengard.core.settings import load


def configured(patterns: str) -> Redactor:
    return Redactor.configured({}, patterns)


def test_a_pattern_masks_what_it_matches_everywhere() -> None:
    redactor = configured(r"ACME-\d{4,}")
    assert redactor.text("use ACME-12345 now") == "use ***REDACTED*** now"
    assert redactor.value({"a": ["ACME-12345"]}) == {"a": ["***REDACTED***"]}
    assert redactor.dumps({"a": 'x"ACME-12345'}) == b'{"a":"x\\"***REDACTED***"}\n'
    stream = redactor.stream()
    assert stream.feed(b"ACME-1") + stream.feed(b"2345\n") == b"***REDACTED***\n"
    assert redactor.find("ACME-12345")[0].kind == "user-pattern"


def test_the_first_group_is_masked_if_there_is_one() -> None:
    assert configured(r"customer (\w+)").text("customer Miller called") == "customer ***REDACTED*** called"


def test_patterns_stand_one_a_line_or_in_a_json_list() -> None:
    text = "AA11 BB22"
    for setting in ("AA\\d+\n\n  BB\\d+\n", '["AA\\\\d+", "BB\\\\d+"]'):
        assert configured(setting).text(text) == "***REDACTED*** ***REDACTED***"


def test_the_other_rules_and_clean_text_are_as_before() -> None:
    redactor = configured(r"ACME-\d{4,}")
    assert redactor.text("password=" + "abc") == "password=***"
    clean = "an ordinary line"
    assert redactor.text(clean) is clean
    assert redactor.with_known("a known value").text("a known value, ACME-1234") == "***REDACTED***, ***REDACTED***"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("(abc", "pattern 1 is no RE2 expression: missing )"),
        ("ok\\d\n(?<=x)y", "pattern 2 is no RE2 expression"),
        (r"(a)\1", "pattern 1 is no RE2 expression"),
        ("a*", "pattern 1 matches the empty text"),
        ('["a", 1]', "must be a JSON list of strings"),
        ('["a"', "is no valid JSON list"),
        ("a" * 1001, "pattern 1 has 1001 characters; at most 1000 are taken"),
        ("\n".join(f"a{n}" for n in range(101)), "holds 101 patterns; at most 100 are taken"),
    ],
)
def test_a_wrong_pattern_is_refused_at_start_with_its_reason(
    setting: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISENGARD_REDACT_PATTERNS", setting)
    with pytest.raises(StartupError) as refused:
        load()
    assert message in refused.value.detail
    assert refused.value.detail.startswith("ISENGARD_REDACT_PATTERNS: ")
    assert refused.value.field == "redact_patterns"


def test_a_pattern_that_explodes_elsewhere_is_linear_here() -> None:
    text = "a" * 100_000 + "b"
    assert configured(r"(a+)+\$").text(text) is text
