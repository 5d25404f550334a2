"""The compose file without containers: its commands in its environment, against real services of the test's own.

Of the services only the S3 server is another one (moto's for SeaweedFS); a name of the compose network becomes an
address here, and the data folder another folder.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from isengard.core.settings import Settings
from isengard.execution.artifacts import open_artifacts
from isengard.execution.artifacts.store import job_key
from standins.api_server import make_character
from standins.compose_file import compose_file, health_check, image_environment, needed_variables
from standins.otlp_receiver import OtlpReceiver, attributes
from standins.private_postgres import BINARIES, private_postgres
from standins.private_redis import RedisServer
from standins.private_s3 import S3Server
from standins.workbench import PATIENCE_S, eventually

_SERVICES = ("api", "worker", "export")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def redis_by(command: list[str], folder: Path) -> Iterator[int]:
    """Redis as the compose file starts it; gives its port."""
    port = free_port()
    folder.mkdir()
    argv = [*command, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.kill()
        process.wait()


def healthy(command: list[str], environment: dict[str, str]) -> bool:
    return subprocess.run(command, check=False, env={**os.environ, **environment}, capture_output=True).returncode == 0


@pytest.fixture
def started(tmp_path: Path) -> Iterator[dict[str, Any]]:
    if not (BINARIES.is_dir() and RedisServer.is_installed()):
        pytest.skip("PostgreSQL 15 or Redis is not installed")
    variables = {name: secrets.token_hex(12) for name in needed_variables()}
    services = compose_file(variables)["services"]
    with ExitStack() as stack:
        postgres = stack.enter_context(private_postgres())
        admin = postgres.new_database()
        postgres.execute(admin, "CREATE ROLE isengard LOGIN")
        postgres.execute(admin, "CREATE DATABASE isengard OWNER isengard")
        redis = stack.enter_context(redis_by(services["redis"]["command"], tmp_path / "redis"))
        s3 = S3Server(tmp_path)
        s3.access_key, s3.secret_key = variables["S3_ACCESS_KEY"], variables["S3_SECRET_KEY"]
        stack.callback(s3.stop)
        s3.start()
        s3.make_bucket("isengard")
        collector = OtlpReceiver(tmp_path / "collector")
        stack.callback(collector.kill)
        collector.start()
        port = free_port()
        here = {
            "postgres:5432": f"127.0.0.1:{postgres.port}",
            "redis:6379": f"127.0.0.1:{redis}",
            "s3:8333": f"127.0.0.1:{s3.port}",
            "collector:4318": f"127.0.0.1:{collector.port}",
        }
        probe = ["redis-cli", "-p", str(redis), *services["redis"]["healthcheck"]["test"][2:]]
        eventually(lambda: healthy(probe, services["redis"]["environment"]), "Redis being healthy")
        processes = {}
        for name in _SERVICES:
            environment = {**image_environment(), **services[name]["environment"]}
            for there, address in here.items():
                environment = {key: value.replace(there, address) for key, value in environment.items()}
            environment |= {"ISENGARD_DATA_DIR": str(tmp_path / "data"), "ISENGARD_PORT": str(port)}
            log = stack.enter_context((tmp_path / f"{name}.log").open("wb"))
            argv = [sys.executable, "-m", "isengard", *services[name]["command"]]
            processes[name] = subprocess.Popen(argv, env={**os.environ, **environment}, stdout=log, stderr=log)
        try:
            yield {
                "url": f"http://127.0.0.1:{port}",
                "port": port,
                "variables": variables,
                "processes": processes,
                "collector": collector,
                "folder": tmp_path,
                "artifacts": services["api"]["environment"]["ISENGARD_ARTIFACTS_URL"].replace(
                    "s3:8333", here["s3:8333"]
                ),
            }
        finally:
            for process in processes.values():
                process.kill()
                process.wait()


def test_the_services_of_the_compose_file_work_together(
    started: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    token = started["variables"]["ISENGARD_TOKEN"]
    check = [word.replace(":8000", f":{started['port']}") for word in health_check()]
    eventually(lambda: healthy([sys.executable, *check[1:]], {}), "the image's health check being content")
    with httpx.Client(base_url=started["url"], timeout=PATIENCE_S) as client:
        assert client.get("/ready").status_code == 401
        client.headers["Authorization"] = f"Bearer {token}"
        ready = eventually(lambda: _ready(client), f"readiness: {client.get('/ready').text}")
        assert {check["name"] for check in ready["checks"]} >= {"database", "worker", "redis", "artifacts"}
        config = {"steps": 6, "step_time_s": 0.01, "sample_every_n_steps": 3, "resolution": 64}
        body = {"character_id": make_character(client)["id"], "trainer": "mock", "config": config}
        job = client.post("/api/training", json=body).json()["id"]
        done = eventually(lambda: _ended(client, job), "the training's end")
        assert done["status"] == "completed", done
        records = started["collector"].taken
        eventually(
            lambda: any(attributes(each)["isengard.job_id"] == job for each in records("logs")), "the export of its log"
        )
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", started["variables"]["S3_ACCESS_KEY"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", started["variables"]["S3_SECRET_KEY"])
    store = open_artifacts(Settings(data_dir=started["folder"] / "data", artifacts_url=started["artifacts"]))
    eventually(lambda: list(store.list(job_key(job, "samples"))), "its samples being stored")

    for process in started["processes"].values():
        process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE_S
    for name, process in started["processes"].items():
        assert process.wait(max(1.0, deadline - time.monotonic())) == 0, name
    printed = b"".join((started["folder"] / f"{name}.log").read_bytes() for name in _SERVICES)
    assert b'"service":"worker"' in printed
    for secret in started["variables"].values():
        assert secret.encode() not in printed


def _ready(client: httpx.Client) -> dict[str, Any] | None:
    answer: dict[str, Any] = client.get("/ready").json()
    return answer if answer["status"] == "ready" else None


def _ended(client: httpx.Client, job: str) -> dict[str, Any] | None:
    found: dict[str, Any] = client.get(f"/api/training/{job}").json()
    return found if found["status"] in ("completed", "failed", "cancelled") else None
