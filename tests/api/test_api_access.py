"""Tokens, roles, sessions, share links and the audit trail, against a real server that asks for tokens.

Who may ask for which route is walked through in `test_api_rights.py`.
"""

from __future__ import annotations

import io
import json
import secrets
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from isengard.core.access.roles import Role
from isengard.core.access.throttle import FREE_FAILURES
from isengard.core.access.tokens import TokenFile
from isengard.core.paths import DataDir
from standins.api_server import ApiServer, api_server, make_character
from standins.workbench import eventually


@dataclass
class Guarded:
    """A server with an operator's and a viewer's token and one job."""

    server: ApiServer
    operator: str
    viewer: str
    job: str

    def client(self, token: str = "", **options: object) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self.server.client(headers=headers, **options)

    def audit(self) -> list[dict[str, object]]:
        path = self.server.settings.data_dir / "logs" / "audit" / "events.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded") / "data"
    data = DataDir(folder)
    data.prepare()
    tokens = TokenFile(data)
    operator, viewer = tokens.create("boss", Role.OPERATOR), tokens.create("guest", Role.VIEWER)
    with api_server(folder, stream_heartbeat_s=0.2) as server:
        headers = {"Authorization": f"Bearer {operator}"}
        with server.client(headers=headers) as client:
            character = make_character(client)
            body = {"character_id": character["id"], "trainer": "mock"}
            job = client.post("/api/training", json=body).json()["id"]
            other = client.post("/api/training", json=body).json()["id"]
            assert job != other
        yield Guarded(server, operator, viewer, job)


def test_a_wrong_token_is_refused_without_a_hint(guarded: Guarded) -> None:
    with guarded.client(f"isg_{secrets.token_urlsafe(32)}") as client:
        answer = client.get("/api/training")
    assert (answer.status_code, answer.json()) == (401, {"detail": "this token is not valid here"})
    assert answer.headers["www-authenticate"] == "Bearer"
    with guarded.client(guarded.operator) as client:  # which clears the count of failures
        assert client.get("/api/whoami").json() == {"name": "boss", "role": "operator", "job_id": None}


def test_a_viewer_sees_everything_and_changes_nothing(guarded: Guarded) -> None:
    with guarded.client(guarded.viewer) as client:
        assert client.get("/api/training").status_code == 200
        assert client.get(f"/api/jobs/{guarded.job}/logs").status_code == 200
        for method, path in (
            ("POST", "/api/characters"),
            ("POST", f"/api/training/{guarded.job}/cancel"),
            ("DELETE", f"/api/training/{guarded.job}"),
            ("POST", f"/api/jobs/{guarded.job}/share"),
        ):
            answer = client.request(method, path, json={})
            assert answer.status_code == 403, (method, path)
            assert "viewer" in answer.json()["detail"]


def test_a_browser_is_led_to_the_login_and_back(guarded: Guarded) -> None:
    with guarded.client() as browser:
        turned = browser.get(f"/jobs/{guarded.job}?tab=logs", headers={"accept": "text/html"})
        assert turned.status_code == 303
        assert turned.headers["location"] == f"/login?next=%2Fjobs%2F{guarded.job}%3Ftab%3Dlogs"
        assert 'type="password"' in browser.get(turned.headers["location"]).text
        form = {"token": guarded.viewer, "next": f"/jobs/{guarded.job}?tab=logs"}
        entered = browser.post("/login", data=form, headers={"origin": guarded.server.url})
        assert (entered.status_code, entered.headers["location"]) == (303, form["next"])
        cookie = entered.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert guarded.viewer.lower() not in cookie
        assert browser.get("/api/whoami").json()["name"] == "guest"
        browser.post("/logout", headers={"origin": guarded.server.url})
        assert browser.get("/api/whoami").status_code == 401


def test_a_session_cannot_be_used_from_another_site(guarded: Guarded) -> None:
    with guarded.client() as browser:
        browser.post("/login", data={"token": guarded.operator})
        for origin in ("http://evil.example", "null"):
            assert browser.post("/api/characters", json={}, headers={"origin": origin}).status_code == 403
        assert browser.get("/api/training", headers={"host": "evil.example"}).status_code == 403


def test_a_cookie_that_came_over_tls_never_goes_back_in_the_clear(guarded: Guarded) -> None:
    """Behind a proxy, which the server sees from a header or from the origin of the page."""
    host = guarded.server.url.removeprefix("http://")
    for headers in ({"X-Forwarded-Proto": "https"}, {"Origin": f"https://{host}"}):
        with guarded.client() as browser:
            entered = browser.post("/login", data={"token": guarded.viewer}, headers=headers)
        assert "; secure" in entered.headers["set-cookie"].lower()


@pytest.mark.parametrize("target", ["//evil.example", "http://evil.example/", "/\\evil.example", "javascript:1"])
def test_a_login_leads_nowhere_else(guarded: Guarded, target: str) -> None:
    with guarded.client() as browser:
        entered = browser.post("/login", data={"token": guarded.operator, "next": target})
        assert entered.headers["location"] == "/"


def test_a_revoked_token_ends_its_sessions(guarded: Guarded) -> None:
    tokens = TokenFile(DataDir(guarded.server.settings.data_dir))
    token = tokens.create("for a day", Role.VIEWER)
    with guarded.client() as browser:
        browser.post("/login", data={"token": token})
        assert browser.get("/api/training").status_code == 200
        tokens.revoke("for a day")
        assert browser.get("/api/training").status_code == 401


def test_a_new_token_of_the_same_name_does_not_bring_an_old_session_back(guarded: Guarded) -> None:
    tokens = TokenFile(DataDir(guarded.server.settings.data_dir))
    with guarded.client() as browser:
        browser.post("/login", data={"token": tokens.create("again", Role.VIEWER)})
        tokens.revoke("again")
        tokens.create("again", Role.OPERATOR)
        assert browser.get("/api/whoami").status_code == 401


def test_a_session_that_was_left_is_over_for_whoever_has_its_cookie(guarded: Guarded) -> None:
    with guarded.client() as browser, guarded.client() as thief:
        browser.post("/login", data={"token": guarded.viewer})
        thief.cookies.set("isengard_session", browser.cookies["isengard_session"])
        assert thief.get("/api/whoami").status_code == 200
        browser.post("/logout")
        assert thief.get("/api/whoami").status_code == 401


def test_a_share_link_is_over_when_it_or_the_token_behind_it_is_taken_back(guarded: Guarded) -> None:
    tokens = TokenFile(DataDir(guarded.server.settings.data_dir))
    address = f"/api/jobs/{guarded.job}/share"
    leaving = tokens.create("leaving", Role.OPERATOR)
    with guarded.client(guarded.operator) as client, guarded.client(leaving) as other:
        taken_back, left_behind = client.post(address).json()["url"], other.post(address).json()["url"]
        with guarded.client() as guest, guarded.client() as second:
            assert (guest.get(taken_back).status_code, second.get(left_behind).status_code) == (303, 303)
            with guest.stream("GET", f"/api/jobs/{guarded.job}/stream") as stream:
                lines = stream.iter_lines()
                assert next(lines).startswith("retry")
                tokens.revoke("leaving")
                assert second.get(f"/api/jobs/{guarded.job}/logs").status_code == 401
                assert guest.get(f"/api/jobs/{guarded.job}/logs").status_code == 200
                assert guest.delete(address).status_code == 403
                assert client.delete(address).status_code == 204
                assert sum(1 for _ in lines) < 100, "the open stream goes on"
            assert guest.get(f"/api/jobs/{guarded.job}/logs").status_code == 401
            assert guest.get(taken_back).status_code == 404
            assert guest.get(client.post(address).json()["url"]).status_code == 303


def test_neither_logs_nor_a_bundle_hold_what_opens_a_share_link_or_a_session(guarded: Guarded) -> None:
    with guarded.client(guarded.operator) as client:
        link = client.post(f"/api/jobs/{guarded.job}/share").json()["url"]
        with guarded.client() as guest:
            assert guest.get(link).status_code == 303
            assert guest.get(f"{link}x").status_code == 404
            guest.get(f"/nowhere/{guarded.viewer}")
            guest.post("/login", data={"token": guarded.viewer})
            session = guest.cookies["isengard_session"]
        bundle = zipfile.ZipFile(io.BytesIO(client.get(f"/api/jobs/{guarded.job}/debug-bundle").content))
    kept = [bundle.read(name).decode("utf-8", "replace") for name in bundle.namelist()]
    kept += [path.read_text() for path in (guarded.server.settings.data_dir / "logs").rglob("*") if path.is_file()]
    assert any("/share/v1." in text for text in kept)
    for secret in (link.rpartition(".")[2], session.rpartition(".")[2], guarded.viewer.removeprefix("isg_")):
        assert not any(secret in text for text in kept)


def test_a_viewers_own_token_gives_no_free_guesses_at_an_operators(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "data")
    data.prepare()
    viewer = TokenFile(data).create("guest", Role.VIEWER)
    operator = TokenFile(data).create("boss", Role.OPERATOR)
    with api_server(tmp_path / "data") as server:

        def ask(token: str) -> int:
            with server.client(headers={"Authorization": f"Bearer {token}"}) as client:
                return client.get("/api/whoami").status_code

        for number in range(FREE_FAILURES - 1):
            assert [ask(f"isg_{number}"), ask(viewer)] == [401, 200]
        assert ask("isg_one-more") == 401
        assert ask(viewer) == 429
        eventually(lambda: ask(operator) == 200, "the wait being over")
        assert ask("isg_again") == 401
        assert ask(viewer) == 200


def test_the_links_to_a_job_are_listed_by_who_made_them_until_they_are_over(guarded: Guarded) -> None:
    tokens = TokenFile(DataDir(guarded.server.settings.data_dir))
    address = f"/api/jobs/{guarded.job}/share"
    passing = tokens.create("passing", Role.OPERATOR)
    with guarded.client(guarded.operator) as client, guarded.client(passing) as other, guarded.client() as guest:
        client.delete(address)
        assert client.get(address).json() == {"job_id": guarded.job, "links": []}
        link = client.post(address, json={"expires_in_s": 60}).json()["url"]
        other.post(address, json={"expires_in_s": 3600})
        links = client.get(address).json()["links"]
        assert [each["made_by"] for each in links] == ["boss", "passing"]
        assert [each["made_at"] < each["expires_at"] for each in links] == [True, True]
        assert link.rpartition("/")[2] not in client.get(address).text  # a list is no way in
        with guarded.client(guarded.viewer) as viewer:
            assert viewer.get(address).json()["links"] == links
        guest.get(link)
        assert guest.get(f"/api/jobs/{guarded.job}/logs").status_code == 200
        assert guest.get(address).status_code == 403
        tokens.revoke("passing")
        assert [each["made_by"] for each in client.get(address).json()["links"]] == ["boss"]
        client.delete(address)
        assert client.get(address).json()["links"] == []
        assert client.get("/api/jobs/train-000000000000/share").status_code == 404


def test_the_bundle_and_the_story_of_a_share_link_tell_of_no_other_job(guarded: Guarded) -> None:
    story = {"X-Correlation-ID": "one-story-of-two-jobs"}
    with guarded.client(guarded.operator) as client:
        body = {"character_id": make_character(client)["id"], "trainer": "mock"}
        shown, hidden = (client.post("/api/training", json=body, headers=story).json()["id"] for _ in range(2))
        client.get(f"/api/jobs/{hidden}/summary")
        link = client.post(f"/api/jobs/{shown}/share").json()["url"]
        assert hidden in client.get(f"/api/jobs/{shown}/trace").text
    with guarded.client() as guest:
        guest.get(link)
        assert hidden not in guest.get(f"/api/jobs/{shown}/trace").text
        with zipfile.ZipFile(io.BytesIO(guest.get(f"/api/jobs/{shown}/debug-bundle").content)) as bundle:
            assert not [name for name in bundle.namelist() if hidden.encode() in bundle.read(name)]
        for path in ("/info", "/openapi.json", "/ready", "/api/queue", "/api/demo"):
            assert guest.get(path).status_code == 403, path
        assert guest.get("/api/whoami").json() == {"name": f"share:{shown}", "role": "viewer", "job_id": shown}


def test_a_share_link_shows_one_job_and_changes_nothing(guarded: Guarded) -> None:
    with guarded.client(guarded.operator) as client:
        link = client.post(f"/api/jobs/{guarded.job}/share", json={"expires_in_s": 60}).json()["url"]
        others = [job["id"] for job in client.get("/api/training").json()["jobs"] if job["id"] != guarded.job]
    with guarded.client() as guest:
        opened = guest.get(link)
        assert (opened.status_code, opened.headers["location"]) == (303, f"/jobs/{guarded.job}")
        assert guest.get(f"/api/jobs/{guarded.job}/logs").status_code == 200
        assert guest.get(f"/api/training/{guarded.job}").status_code == 200
        assert guest.get(f"/api/jobs/{guarded.job}/summary").json()["failed_alike"] is None  # it names other jobs
        for path in ("/api/training", "/api/characters", "/metrics", f"/api/jobs/{others[0]}/logs", "/api/stream"):
            assert guest.get(path).status_code == 403, path
        assert guest.post(f"/api/training/{guarded.job}/cancel").status_code == 403
        assert guest.get("/share/v1.nonsense.nonsense").status_code == 404


@pytest.mark.parametrize("damage", [b"{", b"[]", b'{"tokens": [{"name": "x"}]}'])
def test_a_damaged_list_of_tokens_lets_nobody_in_and_is_named(guarded: Guarded, damage: bytes) -> None:
    path = guarded.server.settings.data_dir / "secrets" / "access.json"
    whole = path.read_bytes()
    path.write_bytes(damage)
    try:
        with guarded.client(guarded.operator) as client:
            answer = client.get("/api/training")
        assert answer.status_code == 507
        assert "secrets/access.json" in answer.json()["detail"]
    finally:
        path.write_bytes(whole)


def test_guessing_is_slowed_down(guarded: Guarded) -> None:
    with guarded.client() as guesser:
        statuses = [guesser.post("/login", data={"token": str(n)}).status_code for n in range(FREE_FAILURES + 1)]
        assert statuses == [401] * FREE_FAILURES + [429]
        refused = guesser.post("/login", data={"token": guarded.viewer})
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1


def test_the_audit_trail_names_who_changed_what_and_holds_no_token(guarded: Guarded) -> None:
    lines = guarded.audit()
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    fields = [line["fields"] for line in lines]
    assert any(f["actor"] == "boss" and f.get("path") == "/api/training" and f.get("status") == 201 for f in fields)  # type: ignore[index,union-attr]
    assert any(line["event"] == "audit.login" and not line["fields"]["allowed"] for line in lines)  # type: ignore[index]
    text = json.dumps(lines)
    assert guarded.operator not in text
    assert guarded.viewer not in text


def test_a_flood_of_refusals_fills_no_disk_and_is_told_in_numbers(tmp_path: Path) -> None:
    token = secrets.token_urlsafe(24)
    with api_server(tmp_path / "data", token=token) as server, server.client() as stranger:
        for number in range(300):
            assert stranger.post(f"/api/training/{number}").status_code == 401
        trail = tmp_path / "data" / "logs" / "audit" / "events.jsonl"
        noted = len(trail.read_text().splitlines())
        assert 100 <= noted < 250

        def with_the_rest() -> dict[str, object] | None:
            stranger.post("/api/training/once-more")
            fields = dict(json.loads(trail.read_text().splitlines()[-1])["fields"])
            return fields if "withheld" in fields else None

        told = eventually(with_the_rest, "a note with what was left out")
        assert told["actor"] == "unknown"
        known = {"Authorization": f"Bearer {token}"}
        for _ in range(3):
            assert stranger.delete("/api/training/train-000000000000", headers=known).status_code == 404
        actors = [json.loads(line)["fields"]["actor"] for line in trail.read_text().splitlines()]
        assert actors.count("ISENGARD_TOKEN") == 3, "what somebody known does is always noted"


def test_a_server_without_tokens_is_open_on_loopback(api: ApiServer) -> None:
    with api.client() as client:
        assert client.get("/api/whoami").json() == {"name": "local", "role": "operator", "job_id": None}


def test_another_token_in_the_settings_ends_the_sessions_of_the_one_before(tmp_path: Path) -> None:
    before, after = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    with api_server(tmp_path / "data", token=before) as server, server.client() as browser:
        browser.post("/login", data={"token": before})
        assert browser.get("/api/whoami").status_code == 200
        cookies = browser.cookies
    with api_server(tmp_path / "data", token=after) as server, server.client(cookies=cookies) as browser:
        assert browser.get("/api/whoami").status_code == 401


def test_the_token_of_the_settings_is_an_operators(tmp_path: Path) -> None:
    token = secrets.token_urlsafe(24)
    with api_server(tmp_path / "data", token=token) as server, server.client() as client:
        assert client.get("/api/training").status_code == 401
        answer = client.get("/api/whoami", headers={"Authorization": f"Bearer {token}"})
        assert answer.json()["role"] == "operator"
