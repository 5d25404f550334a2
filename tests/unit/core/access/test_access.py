"""Tokens, passes and the throttle on guessing."""

import base64
import json
import multiprocessing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isengard.core.access.passes import PassSigner
from isengard.core.access.roles import Actor, Role
from isengard.core.access.throttle import FORGOTTEN_AFTER_S, FREE_FAILURES, LONGEST_WAIT_S, FailureThrottle
from isengard.core.access.tokens import TokenFile
from isengard.core.access.withdrawn import Withdrawn
from isengard.core.errors import Conflict, InvalidInput, NotFound, RateLimited
from isengard.core.paths import DataDir


def token_file(tmp_path: Path) -> TokenFile:
    data = DataDir(tmp_path)
    data.prepare()
    return TokenFile(data)


def test_a_token_is_shown_once_and_kept_as_a_hash_for_the_owner_only(tmp_path: Path) -> None:
    tokens = token_file(tmp_path)
    token = tokens.create("laptop", Role.VIEWER)
    path = tmp_path / "secrets" / "access.json"
    assert token not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    assert tokens.actor(token) == Actor("laptop", Role.VIEWER)
    assert TokenFile(DataDir(tmp_path)).actor(token) == Actor("laptop", Role.VIEWER)
    assert tokens.actor(token[:-1]) is None
    assert tokens.actor("") is None


def test_a_revoked_token_is_refused_by_every_process_at_once(tmp_path: Path) -> None:
    ours, theirs = token_file(tmp_path), token_file(tmp_path)
    token = ours.create("laptop", Role.OPERATOR)
    assert theirs.actor(token) is not None
    ours.revoke("laptop")
    assert theirs.actor(token) is None
    with pytest.raises(NotFound):
        theirs.revoke("laptop")


def test_names_are_checked_and_unique(tmp_path: Path) -> None:
    tokens = token_file(tmp_path)
    tokens.create("a", Role.VIEWER)
    with pytest.raises(Conflict):
        tokens.create("a", Role.VIEWER)
    for name in ("", "a\nb", "x" * 65, "<script>"):
        with pytest.raises(InvalidInput):
            tokens.create(name, Role.VIEWER)


def _create(folder: Path, number: int) -> None:
    TokenFile(DataDir(folder)).create(f"token {number}", Role.VIEWER)


def test_tokens_made_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    token_file(tmp_path)
    makers = [multiprocessing.get_context("spawn").Process(target=_create, args=(tmp_path, n)) for n in range(4)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert {token.name for token in token_file(tmp_path).all()} == {f"token {n}" for n in range(4)}


def test_the_signing_key_stays_the_same(tmp_path: Path) -> None:
    assert token_file(tmp_path).signing_key() == token_file(tmp_path).signing_key()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_pass_says_what_was_signed_until_it_is_over() -> None:
    clock = Clock()
    signer = PassSigner(b"k" * 32, "session", clock)
    text = signer.issue({"name": "laptop"}, 60)
    said = signer.read(text)
    assert said is not None
    assert (said["name"], said["iat"], said["exp"]) == ("laptop", 1000, 1060)
    assert said["id"] != (signer.read(signer.issue({"name": "laptop"}, 60)) or {})["id"]
    clock.now += 60
    assert signer.read(text) is None


def test_a_pass_of_another_kind_or_key_is_worth_nothing() -> None:
    text = PassSigner(b"k" * 32, "share").issue({"job": "train-1"}, 60)
    assert PassSigner(b"k" * 32, "session").read(text) is None
    assert PassSigner(b"x" * 32, "share").read(text) is None


def test_a_changed_claim_is_refused() -> None:
    signer = PassSigner(b"k" * 32, "share")
    version, body, signature = signer.issue({"job": "train-1"}, 60).split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    forged = base64.urlsafe_b64encode(json.dumps({**claims, "job": "train-2"}).encode()).decode().rstrip("=")
    assert signer.read(f"{version}.{forged}.{signature}") is None


@given(st.text(max_size=300))
def test_nonsense_is_no_pass(text: str) -> None:
    assert PassSigner(b"k" * 32, "session").read(text) is None


def test_guessing_gets_slower_and_a_success_clears_it() -> None:
    clock = Clock()
    throttle = FailureThrottle(clock)
    for _ in range(FREE_FAILURES):
        throttle.check("10.0.0.1")
        throttle.failed("10.0.0.1")
    with pytest.raises(RateLimited) as refused:
        throttle.check("10.0.0.1")
    assert refused.value.retry_after_s == 1
    throttle.check("10.0.0.2")
    for _ in range(30):
        throttle.failed("10.0.0.1")
    with pytest.raises(RateLimited) as refused:
        throttle.check("10.0.0.1")
    assert refused.value.retry_after_s == LONGEST_WAIT_S
    clock.now += LONGEST_WAIT_S
    throttle.check("10.0.0.1")
    throttle.succeeded("10.0.0.1")
    throttle.failed("10.0.0.1")
    throttle.check("10.0.0.1")


def test_what_was_taken_back_stays_so_when_the_clock_is_set_back(tmp_path: Path) -> None:
    clock = Clock()
    clock.now = 1e9
    withdrawn = Withdrawn(DataDir(tmp_path), clock)
    signer = PassSigner(b"k" * 32, "share", clock)

    def link() -> dict[str, Any]:
        said = signer.read(signer.issue({"job": "train-1", "round": withdrawn.round("train-1")}, 7200))
        assert said is not None
        return said

    before, session = link(), {"id": "a session", "exp": clock.now + 60}
    withdrawn.take_back(session)
    clock.now -= 3600
    withdrawn.take_back_shares("train-1")
    assert withdrawn.has(before), "made at a later hour than it was taken back"
    after = link()
    assert not withdrawn.has(after)
    clock.now += 7200
    withdrawn.take_back_shares("train-2")  # which forgets what is over
    clock.now -= 7200
    assert withdrawn.has(session), "the hour in which it was good comes again"


def test_links_of_a_version_that_went_by_the_clock_are_over_as_well(tmp_path: Path) -> None:
    withdrawn = Withdrawn(DataDir(tmp_path))
    old = {"id": "x", "job": "train-1", "iat": 1e9}
    place = tmp_path / "secrets" / "withdrawn.json"
    place.parent.mkdir()
    place.write_text(json.dumps({"passes": {}, "shares": {"train-1": 1e9 + 1}}))
    assert withdrawn.has(old)
    assert not withdrawn.has({**old, "iat": 1e9 + 2})
    withdrawn.take_back_shares("train-1")
    assert withdrawn.has({**old, "iat": 1e9 + 2})


def test_failures_of_long_ago_count_no_more() -> None:
    clock = Clock()
    throttle = FailureThrottle(clock)
    for _ in range(FREE_FAILURES):
        throttle.failed("10.0.0.1")
    clock.now += FORGOTTEN_AFTER_S + 1
    throttle.failed("10.0.0.1")
    throttle.check("10.0.0.1")
