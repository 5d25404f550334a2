"""What a training will find: its base model on a hub that answers as the real one does, GPU memory, disk."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from isengard.core.settings import Settings
from isengard.datasets.checks import Finding, Severity
from isengard.diagnostics import hub_access, resources

TOKEN = "hf_" + "k" * 20


@pytest.mark.parametrize(
    "reference", ["../api", "..", "a/..", "./x", "-x/y", "a/b/c", "http://h/x", "a/b?c", "ü/x", "a/b\n"]
)
def test_only_a_model_id_is_asked_for_at_the_hub(reference: str) -> None:
    assert not hub_access.is_hub_model(reference)
    assert hub_access.is_hub_model("people/open")


class _Hub(BaseHTTPRequestHandler):
    """Status and error code by model, as the hub gives them for one of its files."""

    def do_HEAD(self) -> None:
        token = self.headers.get("Authorization")
        owner, name, rest = self.path.strip("/").split("/", 2)
        status, code = {
            "open": (302, ""),
            "gated": (200, "") if token else (401, "GatedRepo"),
            "waiting": (403, "GatedRepo"),
            "private": (401, "RepoNotFound"),
            "nowhere": (404, "RepoNotFound"),
            "single": (404, "EntryNotFound") if rest.endswith("model_index.json") else (200, ""),
            "broken": (503, ""),
        }[name]
        assert owner == "people"
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        if status == 302:
            self.send_header("Location", "https://elsewhere.invalid/file")
        self.end_headers()

    def log_message(self, *_arguments: Any) -> None:
        """Nothing."""


@pytest.fixture
def hub() -> Iterator[dict[str, str]]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Hub) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield {"HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}"}
        server.shutdown()
        thread.join()


def codes(found: Iterator[Finding]) -> list[str]:
    return [finding.code for finding in found]


def ask(environment: dict[str, str], model: str) -> list[str]:
    return codes(resources.base_model({"base_model": f"people/{model}"}, environment))


def test_gated_missing_and_refused_are_told_apart(hub: dict[str, str]) -> None:
    assert ask(hub, "open") == []
    assert ask(hub, "single") == []
    assert ask(hub, "gated") == ["base_model_gated"]
    assert ask({**hub, "HF_TOKEN": TOKEN}, "gated") == []
    assert ask({**hub, "HF_TOKEN": TOKEN}, "waiting") == ["base_model_gated"]
    assert ask({**hub, "HF_TOKEN": TOKEN}, "private") == ["base_model_token_refused"]
    assert ask(hub, "private") == ["base_model_missing"]
    assert ask(hub, "nowhere") == ["base_model_missing"]


def test_a_hub_that_does_not_answer_is_no_reason_to_refuse(hub: dict[str, str]) -> None:
    for environment in (hub, {"HF_ENDPOINT": "http://127.0.0.1:1"}):
        [finding] = resources.base_model({"base_model": "people/broken"}, environment)
        assert (finding.severity, finding.code) == (Severity.WARNING, "base_model_unreachable")


def test_an_address_that_is_no_servers_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "people" / "open" / "resolve" / "main").mkdir(parents=True)
    (tmp_path / "people" / "open" / "resolve" / "main" / "model_index.json").touch()
    assert ask({"HF_ENDPOINT": tmp_path.as_uri()}, "open") == ["base_model_unreachable"]


def test_folders_and_offline_machines_ask_nobody(tmp_path: Path) -> None:
    nobody = {"HF_ENDPOINT": "http://127.0.0.1:1"}
    assert codes(resources.base_model({"base_model": str(tmp_path)}, nobody)) == []
    assert codes(resources.base_model({"base_model": "demo"}, nobody)) == []
    assert codes(resources.base_model({"base_model": str(tmp_path / "gone")}, nobody)) == ["base_model_missing"]
    assert codes(resources.base_model({"base_model": "people/open"}, {"HF_HUB_OFFLINE": "1"})) == []


SDXL = {
    "base_model": "people/sdxl",
    "arch": "sdxl",
    "resolution": 1024,
    "gradient_checkpointing": False,
    "batch_size": 2,
}


def need(config: dict[str, object], capacities_mb: list[float]) -> resources.MemoryNeed:
    found = resources.memory_need(config, capacities_mb)
    assert found is not None
    return found


def test_the_settings_that_would_fit_are_named() -> None:
    tight = need(SDXL, [12_282.0, 24_564.0])
    assert (tight.fits, tight.settings) == (False, {"gradient_checkpointing": True})
    finding = resources.gpu_memory(tight)
    assert finding.severity is Severity.WARNING
    assert "it would fit with gradient_checkpointing true" in finding.message
    assert finding.field == "config.gradient_checkpointing"


def test_what_fits_and_what_nothing_makes_fit_are_told_apart() -> None:
    roomy, hopeless, without = need(SDXL, [81_559.0]), need(SDXL, [512.0]), need(SDXL, [])
    assert [each.fits for each in (roomy, hopeless, without)] == [True, False, None]
    assert [each.settings for each in (roomy, hopeless, without)] == [{}, None, None]
    assert resources.gpu_memory(roomy).severity is Severity.INFO
    assert "no setting makes it fit" in resources.gpu_memory(hopeless).message
    assert "no GPU here" in resources.gpu_memory(without).message


def test_nothing_is_said_of_a_training_on_the_cpu_or_of_an_unknown_model() -> None:
    assert resources.memory_need({**SDXL, "device": "cpu"}, [81_559.0]) is None
    assert resources.memory_need({"base_model": "people/of-nobody"}, [81_559.0]) is None


def test_a_disk_without_room_is_an_error(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, watch_disk_free_mb=0)
    assert codes(resources.disk(settings, {"steps": 10}, 1_000)) == []
    [finding] = resources.disk(settings, {"steps": 10}, 10**15)
    assert (finding.severity, finding.code) == (Severity.ERROR, "disk_space")
