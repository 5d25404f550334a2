"""Secrets planted wherever somebody or something can write, then looked for on every way out of a real Isengard.

One API, one worker, one training that prints its environment, and one command followed from a terminal. What may hold
a secret afterwards is the file of the job's secrets, and nothing else.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import secrets
import sqlite3
import string
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from PIL import Image, PngImagePlugin
from websockets.sync.client import connect

from standins.api_server import ApiServer, api_server
from standins.workbench import PATIENCE_S, eventually

_SCRIPT = """
import os, sys
key = os.environ["PLANTED_TOKEN"]
print("using", key[:9], flush=True)
sys.stdout.write("a line with " + key[:12]); sys.stdout.flush()
sys.stdout.write(key[12:] + " split over two writes\\n"); sys.stdout.flush()
print("in base64: " + os.environ["PLANTED_BASE64"], file=sys.stderr)
raise RuntimeError(f"401 for https://bob:{key}@hub.example.org/")
"""


@dataclass
class Scene:
    """What runs, and what was planted in it.

    Attributes:
        plants: The part of each secret that nobody may read, by where it was planted.
        seen: Command lines of our processes while the training ran.
    """

    api: ApiServer
    plants: dict[str, str] = field(default_factory=dict)
    character: dict[str, Any] = field(default_factory=dict)
    job: dict[str, Any] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    def plant(self, where: str, prefix: str = "hf" + "_", size: int = 34) -> str:
        """A new secret, known by its prefix."""
        alphabet = string.ascii_letters + string.digits
        self.plants[where] = "".join(secrets.choice(alphabet) for _ in range(size - 1)) + secrets.choice(string.digits)
        return prefix + self.plants[where]

    def assert_none_in(self, data: bytes | str, what: str) -> None:
        """No plant stands in `data`."""
        raw = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        found = [where for where, body in self.plants.items() if body.encode() in raw]
        assert not found, f"{what} shows what was planted as: {', '.join(found)}"

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """One command on the data folder; both its streams are looked at."""
        argv = [sys.executable, "-m", "isengard", *arguments, "--data-dir", str(self.api.settings.data_dir)]
        done = subprocess.run(argv, capture_output=True, timeout=PATIENCE_S, check=False)
        self.assert_none_in(done.stdout + done.stderr, " ".join(arguments[:2]))
        return done


def _picture(scene: Scene) -> bytes:
    told = PngImagePlugin.PngInfo()
    told.add_text("parameters", f"a castle, {scene.plant('text of an uploaded PNG')}")
    told.add_text("packed", f"a castle, {scene.plant('packed text of an uploaded PNG')}", zip=True)
    told.add_itxt("XML:com.adobe.xmp", f"<x>{scene.plant('XMP of an uploaded PNG')}</x>")
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 40, 90)).save(buffer, "PNG", pnginfo=told)
    return buffer.getvalue()


def _fill(scene: Scene, client: httpx.Client) -> None:
    about = {"name": f"Pip {scene.plant('name of a character')}", "trigger_word": "pipbot"}
    about["description"] = f"password={scene.plant('description of a character', '', 16)}"
    scene.character = client.post("/api/characters", json=about).json()
    files = [
        ("files", (f"pip_{scene.plant('name of an upload')}.png", _picture(scene))),
        ("files", (f"no_{scene.plant('name of a refused upload')}.txt", b"x")),
    ]
    answer = client.post(f"/api/characters/{scene.character['id']}/images", files=files)
    assert len(answer.json()["uploaded"]) == 1
    scene.assert_none_in(answer.content, "the answer to an upload")
    config = {"steps": 40, "step_time_s": 0.02, "sample_every_n_steps": 20, "resolution": 64}
    config |= {"fail_mode": "print_environment", "fail_at_step": 2}
    config["sample_prompts"] = [f"a castle, {scene.plant('sample prompt')}"]
    given = {"PLANTED_TOKEN": scene.plant("secret of the job", "")}
    body = {"character_id": scene.character["id"], "trainer": "mock", "config": config, "secrets": given}
    made = client.post("/api/training", json=body, headers={"X-Correlation-ID": scene.plant("correlation id")})
    assert made.status_code == 201, made.text
    scene.assert_none_in(made.content + str(made.headers).encode(), "the answer to a new training")
    scene.job = made.json()


def _train(scene: Scene, client: httpx.Client) -> None:
    argv = [sys.executable, "-m", "isengard", "worker", "--data-dir", str(scene.api.settings.data_dir)]
    worker = subprocess.Popen(argv, stderr=subprocess.PIPE)

    def over() -> bool:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                scene.seen.add(" ".join(process.cmdline()))
        return client.get(f"/api/training/{scene.job['id']}").json()["status"] == "completed"

    try:
        eventually(over, "the training being over")
    finally:
        worker.terminate()
        _, told = worker.communicate(timeout=PATIENCE_S)
    scene.assert_none_in(told, "stderr of the worker")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with api_server(tmp_path_factory.mktemp("ways") / "data") as api, api.client() as client:
        made = Scene(api)
        _fill(made, client)
        _train(made, client)
        yield made


@pytest.fixture
def client(scene: Scene) -> Iterator[httpx.Client]:
    with scene.api.client() as made:
        yield made


def test_the_trainer_itself_was_given_everything(scene: Scene) -> None:
    """Or else the rest of this file would look for what never was there."""
    kept = json.loads(scene.api.settings.paths.job_secrets(scene.job["id"]).read_text())
    assert kept["PLANTED_TOKEN"] == scene.plants["secret of the job"]
    output = scene.api.settings.paths.job(scene.job["id"]).output.read_text()
    assert "PLANTED_TOKEN=***" in output
    journal = scene.api.settings.paths.job(scene.job["id"]).journal.read_text()
    assert "PLANTED_TOKEN" in journal


ANSWERS = (
    *("/health", "/ready", "/info", "/metrics", "/openapi.json", "/", "/api/characters", "/api/characters/CHAR"),
    *("/api/characters/CHAR/images", "/api/training", "/api/training/JOB", "/api/jobs/JOB/logs"),
    *("/api/jobs/JOB/logs/view?limit=1000", "/api/jobs/JOB/logs/view?search=castle", "/api/jobs/JOB/stream?from=start"),
    *("/api/jobs/JOB/metrics", "/api/jobs/JOB/artifacts", "/api/jobs/JOB/summary"),
)


@pytest.mark.parametrize("address", ANSWERS)
def test_no_answer_shows_one(scene: Scene, client: httpx.Client, address: str) -> None:
    answer = client.get(address.replace("CHAR", scene.character["id"]).replace("JOB", scene.job["id"]))
    assert answer.status_code == 200
    scene.assert_none_in(answer.content + str(answer.headers).encode(), address)


def test_neither_a_websocket_nor_the_stream_of_all_jobs_shows_one(scene: Scene, client: httpx.Client) -> None:
    address = f"{scene.api.url}/api/jobs/{scene.job['id']}/ws?from=start".replace("http:", "ws:")
    with connect(address) as socket:
        frames = [str(frame) for frame in socket]
    assert len(frames) > 40
    scene.assert_none_in("".join(frames), "the WebSocket")
    with client.stream("GET", "/api/stream") as stream:
        first = next(stream.iter_bytes())
    scene.assert_none_in(first, "the stream of all jobs")


def test_images_come_without_their_texts_and_samples_without_their_prompts(scene: Scene, client: httpx.Client) -> None:
    images = client.get(f"/api/characters/{scene.character['id']}/images").json()
    found = images["images"] if isinstance(images, dict) else images
    samples = client.get(f"/api/jobs/{scene.job['id']}/artifacts").json()["artifacts"]
    addresses = [each["url"] for each in [*found, *samples]]
    assert len(addresses) >= 4
    for address in addresses:
        data = client.get(address).content
        scene.assert_none_in(data, address)
        with contextlib.suppress(OSError), Image.open(io.BytesIO(data)) as picture:
            scene.assert_none_in(json.dumps({**picture.info}, default=str), f"the metadata of {address}")


WRONG: dict[str, tuple[str, str, Any]] = {
    "job": ("GET", "/api/training/train-{}", None),
    "job's logs": ("GET", "/api/jobs/{}/logs", None),
    "character": ("GET", "/api/characters/char-{}", None),
    "image": ("GET", "/api/characters/CHAR/images/{}.png", None),
    "sample": ("GET", "/api/jobs/JOB/artifacts/samples/{}.png", None),
    "checkpoint": ("GET", "/api/jobs/JOB/artifacts/checkpoints/{}", None),
    "address": ("GET", "/nowhere/{}", None),
    "level": ("GET", "/api/jobs/JOB/logs/view?level={}", None),
    "event": ("GET", "/api/jobs/JOB/logs/view?event={}&limit=x", None),
    "number": ("GET", "/api/jobs/JOB/logs/view?limit={}", None),
    "status": ("GET", "/api/training?status={}", None),
    "cursor": ("GET", "/api/training?cursor={}", None),
    "position": ("GET", "/api/jobs/JOB/stream?after={}", None),
    "metric": ("GET", "/api/jobs/JOB/metrics?keys={}", None),
    "value of a parameter": ("POST", "/api/training", {"config": {"steps": "{}"}}),
    "name of a parameter": ("POST", "/api/training", {"config": {"{}": 1}}),
    "trainer": ("POST", "/api/training", {"trainer": "{}"}),
    "name of a secret": ("POST", "/api/training", {"secrets": {"-{}": "x"}}),
    "value of a secret": ("POST", "/api/training", {"secrets": {"PATH": "{}"}}),
    "trigger word": ("POST", "/api/characters", {"name": "a", "trigger_word": "a,{}"}),
    "field": ("POST", "/api/characters", {"name": "a", "trigger_word": "b", "{}": "c"}),
    "body": ("POST", "/api/characters", '{"name": "{}'),
    "method": ("PURGE", "/api/training/{}", None),
}


@pytest.mark.parametrize("what", WRONG)
def test_no_refusal_repeats_one(scene: Scene, client: httpx.Client, what: str) -> None:
    method, address, body = WRONG[what]
    planted = scene.plant(f"a wrong {what}")
    address = address.replace("CHAR", scene.character["id"]).replace("JOB", scene.job["id"]).replace("{}", planted)
    if isinstance(body, dict):
        known = {"character_id": scene.character["id"], "trainer": "mock"} if address == "/api/training" else {}
        body = json.dumps({**known, **body})
    content = None if body is None else body.replace("{}", planted)
    answer = client.request(method, address, content=content, headers={"content-type": "application/json"})
    if what != "metric":
        assert answer.status_code >= 400
        assert set(answer.json()) == {"detail"}
    scene.assert_none_in(answer.content + str(answer.headers).encode(), f"the answer to a wrong {what}")


def test_a_correlation_id_that_is_a_secret_is_replaced(scene: Scene, client: httpx.Client) -> None:
    answer = client.get("/health", headers={"X-Correlation-ID": scene.plant("correlation id of a request")})
    scene.assert_none_in(str(answer.headers), "the header")
    assert answer.headers["X-Correlation-ID"].startswith("corr-")


def test_the_bundle_shows_none_in_names_and_contents(scene: Scene, client: httpx.Client) -> None:
    archive = zipfile.ZipFile(io.BytesIO(client.get(f"/api/jobs/{scene.job['id']}/debug-bundle").content))
    names = {name.partition("/")[2] for name in archive.namelist()}
    assert {"README.txt", "metadata.json", "events.jsonl", "environment.json", "report.html"} <= names
    assert "service_logs/worker.log" in names
    for name in archive.namelist():
        scene.assert_none_in(name, "a name in the bundle")
        scene.assert_none_in(archive.read(name), name)


def test_no_row_of_the_database_holds_one(scene: Scene) -> None:
    with contextlib.closing(sqlite3.connect(f"file:{scene.api.settings.paths.database}?mode=ro", uri=True)) as rows:
        dumped = "\n".join(rows.iterdump())
    assert scene.job["id"] in dumped
    scene.assert_none_in(dumped, "the database")


def test_no_file_but_that_of_the_secrets_holds_one_in_name_or_content(scene: Scene) -> None:
    """Journals, spools, service logs, audit trail, raw output, generated configurations, uploads, samples, LoRAs."""
    root, kept = scene.api.settings.data_dir, scene.api.settings.paths.secrets
    files = [path for path in root.rglob("*") if path.is_file() and not path.is_relative_to(kept)]
    assert len(files) > 20
    for path in files:
        scene.assert_none_in(str(path), "a file's name")
        scene.assert_none_in(path.read_bytes(), str(path.relative_to(root)))


def test_no_command_line_showed_one(scene: Scene) -> None:
    ours = [line for line in scene.seen if scene.job["id"] in line]
    assert ours, "the runner was never seen"
    scene.assert_none_in("\n".join(scene.seen), "a command line")


COMMANDS = (
    *(("jobs",), ("jobs", "--json"), ("logs", "JOB")),
    *(("logs", "JOB", "--json"), ("trace", "CORR"), ("trace", "CORR", "--json"), ("doctor", "--json")),
    *(("debug-bundle", "JOB", "--show-error", "--output", "OUT"),),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_prints_one(scene: Scene, tmp_path: Path, command: tuple[str, ...]) -> None:
    places = {"JOB": scene.job["id"], "CORR": scene.job["correlation_id"], "OUT": str(tmp_path / "b.zip")}
    done = scene.cli(*(places.get(word, word) for word in command))
    assert done.returncode in (0, 1), done.stderr
    assert done.stdout


@pytest.mark.parametrize(
    "command", [("logs", "train-{}"), ("cancel", "{}"), ("train", "-c", "{}"), ("trace", "{}"), ("redact", "{}")]
)
def test_no_complaint_of_a_command_repeats_one(scene: Scene, command: tuple[str, ...]) -> None:
    planted = scene.plant(f"argument of {command[0]}")
    argv = [sys.executable, "-m", "isengard", *(word.replace("{}", planted) for word in command)]
    environment = {**os.environ, "ISENGARD_DATA_DIR": str(scene.api.settings.data_dir)}
    done = subprocess.run(argv, capture_output=True, timeout=PATIENCE_S, check=False, env=environment)
    assert done.returncode != 0
    scene.assert_none_in(done.stdout + done.stderr, command[0])


def test_the_doctor_finds_none_and_finds_one_that_is_put_there(scene: Scene) -> None:
    assert scene.cli("doctor", "--secrets").returncode == 0
    left = scene.api.settings.data_dir / "logs" / "left.txt"
    left.write_text(f"step 1\nusing {scene.plant('file for the doctor')}\n")
    try:
        done = scene.cli("doctor", "--secrets", "--json")
        assert done.returncode != 0
        spills = json.loads(done.stdout)["spills"]
        assert [(Path(each["path"]).name, each["line"]) for each in spills] == [("left.txt", 2)]
    finally:
        left.unlink()
        del scene.plants["file for the doctor"]


def test_an_export_to_standard_output_prints_none(scene: Scene) -> None:
    argv = [sys.executable, "-m", "isengard", "export", "--stdout", "--data-dir", str(scene.api.settings.data_dir)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as exporting:
        assert exporting.stdout is not None
        printed = b""
        for line in exporting.stdout:
            printed += line
            if b'"job.completed"' in line:
                break
        exporting.terminate()
        printed += exporting.stdout.read()
    assert b"PLANTED_TOKEN" in printed
    scene.assert_none_in(printed, "isengard export")


def test_a_command_followed_from_a_terminal_prints_and_leaves_none(scene: Scene, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(_SCRIPT)
    key = scene.plant("variable of a command")
    encoded = base64.b64encode(f"bob:{key}".encode()).decode()
    scene.plants["variable of a command, in base64"] = encoded[8:40]
    environment = {**os.environ, "PLANTED_TOKEN": key, "PLANTED_BASE64": encoded}
    argument = f"--hub_token={scene.plant('argument of a command')}"
    argv = [sys.executable, "-m", "isengard", "run", "--data-dir", str(scene.api.settings.data_dir)]
    argv += ["--", sys.executable, str(script), argument]
    done = subprocess.run(argv, capture_output=True, timeout=PATIENCE_S, check=False, env=environment)
    assert done.returncode != 0
    assert b"split over two writes" in done.stdout
    assert b"RuntimeError: 401 for" in done.stderr
    scene.assert_none_in(done.stdout + done.stderr, "isengard run")
    test_no_row_of_the_database_holds_one(scene)
    test_no_file_but_that_of_the_secrets_holds_one_in_name_or_content(scene)
