"""What looks after the pinned lists: the audit, against advisories served on this machine, and the lists of parts."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def advisories(answers: dict[str, Any]) -> Iterator[str]:
    """A server that answers a POST to an address of `answers` with its JSON, and any other with 405."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            found = answers.get(self.path)
            body = json.dumps(found).encode()
            self.send_response(405 if found is None else 200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing to say."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


_WEAKNESS = {
    "id": "OSV-2026-1",
    "summary": "made up",
    "details": "made up",
    "published": "2026-01-01T00:00:00Z",
    "affected": [{"package": {"name": "uv", "ecosystem": "PyPI"}, "ranges": [{"type": "ECOSYSTEM", "events": []}]}],
}


@pytest.mark.parametrize(("answer", "known"), [({"vulns": [_WEAKNESS]}, 1), ({}, 0)])
def test_a_known_weakness_of_a_python_package_is_found(
    answer: dict[str, Any], known: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_AUDIT_VULNERABILITY_SERVICE", "osv")
    with advisories({"/v1/query": answer}) as url:
        monkeypatch.setenv("PIP_AUDIT_OSV_URL", f"{url}/v1/query")
        outcome = script("audit").audit_python(["installer"])
    assert (outcome.asked, len(outcome.known), outcome.silent) == (1, known, "")
    assert all(re.match(r"uv \S+: OSV-2026-1", line) for line in outcome.known)


def test_a_source_that_refuses_is_told_and_is_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_AUDIT_VULNERABILITY_SERVICE", "osv")
    with advisories({}) as url:
        monkeypatch.setenv("PIP_AUDIT_OSV_URL", f"{url}/v1/query")
        monkeypatch.setenv("npm_config_registry", url)
        outcomes = [script("audit").audit_python(["installer"]), script("audit").audit_page()]
    for outcome in outcomes:
        assert (outcome.asked, outcome.known) == (0, [])
        assert outcome.silent


def test_a_known_weakness_of_the_page_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    weakness = {"id": 1, "url": "", "title": "made up", "severity": "high", "vulnerable_versions": "*"}
    with advisories({"/-/npm/v1/security/advisories/bulk": {"uplot": [weakness]}}) as url:
        monkeypatch.setenv("npm_config_registry", url)
        outcome = script("audit").audit_page()
    assert outcome.known == ["uplot: high: made up"]
    assert outcome.asked > 100


@pytest.mark.parametrize("name", ["server", "page"])
def test_the_list_of_parts_is_valid_whole_and_without_addresses(name: str) -> None:
    sbom = script("sbom")
    document = sbom.of_page() if name == "page" else sbom.of_list(name)
    text = sbom.check(name, document)
    addresses = set(re.findall(r'"https?://[^"]*"', text))
    assert addresses == {f'"http://cyclonedx.org/schema/bom-{document["specVersion"]}.schema.json"'}
    hashed = [each for each in document["components"] if each.get("hashes")]
    assert len(hashed) > 0.9 * len(document["components"])
    left_out = {**document, "components": document["components"][1:]}
    left_out.pop("dependencies", None)
    with pytest.raises(ValueError, match="not complete"):
        sbom.check(name, left_out)
    document["components"][0].pop("name")
    with pytest.raises(ValueError, match="not valid"):
        sbom.check(name, document)


def test_no_list_names_an_address() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        assert "://" not in path.read_text(), f"{path.name} says where packages come from"
    locked = json.loads((ROOT / "web" / "package-lock.json").read_text())
    assert not any("resolved" in each for each in locked["packages"].values())
