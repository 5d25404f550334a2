"""Settings: what wins over what, and how a bad value is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from isengard.core.errors import StartupError
from isengard.core.settings import Settings, load


def test_what_the_caller_gives_wins_over_the_environment_and_that_over_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ISENGARD_HOST", "::1")
    monkeypatch.setenv("ISENGARD_PORT", "8123")
    settings = load(port=9000, host=None)
    assert (settings.port, settings.host, settings.max_streams) == (9000, "::1", 2000)


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISENGARD_TOKEN", "")
    monkeypatch.setenv("ISENGARD_PORT", "")
    assert (load().token, load().port) == (None, 8000)


def test_a_default_is_checked_and_completed_like_a_given_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ISENGARD_DATA_DIR", raising=False)
    monkeypatch.setenv("HOME", "/somebody")
    assert Settings().data_dir == Path("/somebody/.isengard")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ISENGARD_PORT", "eighty"),
        ("ISENGARD_MODE", "slow"),
        ("ISENGARD_LEASE_S", "0"),
        ("ISENGARD_OTLP_ENDPOINT", "collector:4318"),
        ("ISENGARD_OTLP_ENDPOINT", "http://"),
    ],
)
def test_a_bad_value_is_told_with_the_name_of_its_variable(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(StartupError, match=f"^{name}: "):
        load()


def test_a_bad_value_of_an_option_is_told_with_the_name_of_the_option() -> None:
    with pytest.raises(StartupError, match=r"^--port: "):
        load(port=99_999)
