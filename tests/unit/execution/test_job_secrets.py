"""Secrets given to a job."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from isengard.core.errors import InvalidInput, StorageError
from isengard.execution import job_secrets


def test_they_are_kept_for_their_owner_only_and_read_back(tmp_path: Path) -> None:
    path, given = tmp_path / "secrets" / "train-a.json", {"HF_TOKEN": secrets.token_hex(16), "X": "ü\n'\""}

    job_secrets.write(path, given)

    assert job_secrets.read(path) == given
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_none_are_none_and_unreadable_ones_are_an_error(tmp_path: Path) -> None:
    assert job_secrets.read(tmp_path / "none.json") == {}
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(StorageError):
        job_secrets.read(tmp_path / "bad.json")


def test_a_link_put_in_their_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "train-a.json").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(StorageError):
        job_secrets.write(tmp_path / "train-a.json", {"A": "b"})

    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    "name",
    [
        *("", "A B", "A=B", "1A", "LD_PRELOAD", "ld_library_path", "PYTHONPATH", "PATH", "ISENGARD_RUN", "A\0"),
        *("GIT_SSH_COMMAND", "GIT_CONFIG_COUNT", "OPENSSL_CONF", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "GCONV_PATH"),
        *(
            "NODE_OPTIONS",
            "PERL5OPT",
            "JAVA_TOOL_OPTIONS",
            "CC",
            "TRITON_CACHE_DIR",
            "HF_ENDPOINT",
            "TMPDIR",
            "CUDA_VISIBLE_DEVICES",
        ),
    ],
)
def test_a_name_that_is_none_or_steers_processes_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        job_secrets.check({name: "value"})

    assert caught.value.field == f"secrets.{name}"


@pytest.mark.parametrize(
    "name", ["HF_TOKEN", "WANDB_API_KEY", "GIT_TOKEN", "GIT_PASSWORD", "HTTPS_PROXY", "AWS_SECRET_ACCESS_KEY", "CCX"]
)
def test_what_authenticates_is_taken(name: str) -> None:
    assert job_secrets.check({name: "value"}) == {name: "value"}


@pytest.mark.parametrize("value", ["", "a\0b", "x" * 65_537, 5, None])
def test_a_value_that_no_environment_can_hold_is_refused_without_being_shown(value: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        job_secrets.check({"A": value})  # type: ignore[dict-item]

    assert "xxx" not in caught.value.detail


def test_there_is_a_limit_to_their_number() -> None:
    with pytest.raises(InvalidInput, match="at most 64"):
        job_secrets.check({f"A{number}": "b" for number in range(65)})


def test_there_is_a_limit_to_all_of_them_together() -> None:
    assert job_secrets.check({"A": "x" * 65_536, "B": "x" * 65_536})
    with pytest.raises(InvalidInput, match="131072 characters together") as caught:
        job_secrets.check({"A": "x" * 65_536, "B": "x" * 65_536, "C": "x"})
    assert caught.value.field == "secrets"
