"""Secrets of every kind in a job that runs on another host, looked for in what really arrives elsewhere.

A site, a host with a worker of its own, PostgreSQL, a Redis that writes everything to its disk, and a collector; all
real. Whatever Redis was told, holds and wrote, every row, every request to the collector and every file of the site is
looked through. The one thing that has to travel, the secrets given to the job, does so sealed (decision 0200).
"""

from __future__ import annotations

import base64
import io
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from standins.api_server import api_server, png
from standins.otlp_receiver import OtlpReceiver, attributes
from standins.private_postgres import private_postgres
from standins.private_redis import RedisServer
from standins.redis_watch import RedisWatch
from standins.workbench import PATIENCE_S, eventually
from unit.core.hostile.hostile_kinds import NAMES, SHAPES, STRUCTURES, made_up
from unit.core.secret_corpus import NOTATIONS

_SCRIPT = """
import os, sys
from pathlib import Path
print(Path(sys.argv[1]).read_text(), flush=True)
print("it was given", len(os.environ["PLANTED_TOKEN"]), "characters and", sys.argv[2][:12], len(sys.argv[2]))
raise RuntimeError(f"401 for https://bob:{os.environ['PLANTED_TOKEN']}@hub.example.org/")
"""


@dataclass
class Wire:
    """What was planted, and what came out everywhere.

    Attributes:
        bodies: What may be read nowhere.
        places: What was seen, by where.
    """

    bodies: dict[str, str] = field(default_factory=dict)
    places: dict[str, bytes] = field(default_factory=dict)
    journals: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    lines_taken: int = 0
    caption: str = ""

    def plant(self, where: str, text: str, *bodies: str) -> str:
        for number, body in enumerate(bodies or (text,)):
            self.bodies[f"{where} ({number})"] = body
        return text


def _lines(wire: Wire, known: str) -> list[str]:
    """Lines that a careless training prints: each kind, each notation, and the job's own secret in its spellings."""
    dice = random.Random(known)
    lines = []
    for kind, make in {**SHAPES, **STRUCTURES}.items():
        secret = make(dice)
        lines.append(f"now: {wire.plant(kind, secret.text, *secret.bodies)}\n")
    for number, (notation, write) in enumerate(NOTATIONS.items()):
        value = wire.plant(f"as {notation}", made_up(dice))
        lines.append(write(NAMES[number % len(NAMES)].upper(), value) + "\n")
    for alignment in range(3):
        inside = base64.b64encode(b"u" * (3 + alignment) + known.encode() + b"tail").decode()
        wire.plant(f"known in base64 at {alignment}", inside, inside[8:-12])
        lines.append(f"seen as {inside}\n")
    for spelling, written in {"hex": known.encode().hex(), "url": "".join(f"%{b:02X}" for b in known.encode())}.items():
        lines.append(f"seen as {wire.plant(f'known in {spelling}', written)}\n")
    return lines


@contextmanager
def _running(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    argv = [sys.executable, "-m", "isengard", *arguments]
    process = subprocess.Popen(argv, env={**os.environ, **environment}, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def _train(wire: Wire, client: httpx.Client, folder: Path, host: Path) -> None:
    dice = random.Random(os.urandom(16))
    known = wire.plant("the job's secret", f"{made_up(dice)}/{made_up(dice)}")
    about = {"name": f"Pip {wire.plant('name', SHAPES['hugging face'](dice).text)}", "trigger_word": "pipbot"}
    character = client.post("/api/characters", json=about).json()
    wire.caption = made_up(dice)
    files = [
        ("files", ("pip.png", png())),
        ("files", ("pip.txt", io.BytesIO(f"pipbot password={wire.caption}".encode()))),
    ]
    assert client.post(f"/api/characters/{character['id']}/images", files=files).json()["total_images"] == 1
    script, printed = folder / "train.py", folder / "printed.txt"
    script.write_text(_SCRIPT)
    printed.write_text("\n".join(_lines(wire, known)))
    flag = f"--hub_token={wire.plant('argument', made_up(dice))}"
    mine = {"command": [sys.executable, str(script), str(printed), flag], "expect_lora": False, "steps": 3}
    prompt = wire.plant("prompt", SHAPES["github"](dice).text)
    mock = {"steps": 10, "step_time_s": 0.01, "sample_every_n_steps": 5, "sample_prompts": [f"a castle, {prompt}"]}
    mock |= {"resolution": 64, "fail_mode": "print_environment", "fail_at_step": 2}
    key = wire.plant("idempotency key", SHAPES["hugging face"](dice).text)
    given = {"PLANTED_TOKEN": known, "SECOND": wire.plant("second", 'two words; "quotes", a % and a +')}
    for trainer, config in (("command", mine), ("mock", mock)):
        body = {"character_id": character["id"], "trainer": trainer, "config": config, "secrets": given}
        made = client.post("/api/training", json=body, headers={"Idempotency-Key": key + trainer})
        assert made.status_code == 201, made.text
        job_id = made.json()["id"]
        over = {"command": "failed", "mock": "completed"}[trainer]
        eventually(lambda i=job_id, o=over: client.get(f"/api/training/{i}").json()["status"] == o, f"{trainer} {over}")  # type: ignore[misc]
        eventually(lambda i=job_id: not (host / "logs" / "jobs" / i).exists(), "the host letting go")  # type: ignore[misc]
        assert not (host / "secrets" / f"{job_id}.json").exists()
        wire.journals[trainer] = [json.loads(line) for line in client.get(f"/api/jobs/{job_id}/logs").iter_lines()]


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Wire:
    folder = tmp_path_factory.mktemp("wire")
    made, site, host, kept = Wire(), folder / "site", folder / "host", folder / "redis"
    kept.mkdir()
    with ExitStack() as stack:
        redis = RedisServer(kept, persistent=True)
        redis.start()
        stack.callback(redis.stop)
        watch = RedisWatch(redis)
        postgres = stack.enter_context(private_postgres())
        receiver = OtlpReceiver(folder / "collector")
        receiver.start()
        stack.callback(receiver.kill)
        shared = {"database_url": postgres.new_database(), "redis_url": redis.url, "lease_s": "5"}
        env = {f"ISENGARD_{name.upper()}": value for name, value in shared.items()}
        api = stack.enter_context(api_server(site, **shared, launcher="none"))
        here = ("--data-dir", str(site))
        stack.enter_context(_running("worker", *here, **env, ISENGARD_LAUNCHER="none"))
        stack.enter_context(_running("worker", "--data-dir", str(host), **env, ISENGARD_REMOTE="true"))
        stack.enter_context(_running("export", *here, **env, ISENGARD_OTLP_ENDPOINT=receiver.endpoint))
        with api.client() as client:
            _train(made, client, folder, host)
        wanted = sum(len(lines) for lines in made.journals.values())
        eventually(lambda: len(receiver.taken("logs")) == wanted, "every line at the collector")
        eventually(lambda: len({each["traceId"] for each in receiver.taken("traces")}) == 2, "both traces")
        made.lines_taken = len(
            {(a["isengard.job_id"], a["isengard.seq"]) for a in map(attributes, receiver.taken("logs"))}
        )
        made.places["what Redis was told"] = watch.stop()
        made.places["what Redis holds and wrote"] = watch.kept(kept)
        made.places["what the collector was sent"] = b"\n".join(p.read_bytes() for p in receiver.folder.glob("*.pb"))
        made.places["PostgreSQL"] = _rows(shared["database_url"])
        files = [path for path in site.rglob("*") if path.is_file() and path.parent.name != "secrets"]
        made.places["files of the site"] = b"\n".join(
            str(path).encode() + path.read_bytes() for path in files if path.suffix != ".txt"
        )
        made.places["files of the host"] = b"\n".join(p.read_bytes() for p in host.rglob("*") if p.is_file())
    return made


def _rows(url: str) -> bytes:
    import psycopg

    tables = "select tablename from pg_tables where schemaname = 'public'"
    with psycopg.connect(url) as connection:
        names = [name for (name,) in connection.execute(tables).fetchall()]
        rows = [connection.execute(f'select t::text from "{name}" t').fetchall() for name in names]  # type: ignore[call-overload]
    return repr(rows).encode()


def test_what_was_planted_was_there_to_be_found(wire: Wire) -> None:
    """Or else the rest of this file would look for what never was there."""
    said = [line["msg"] for line in wire.journals["command"]]
    assert sum("now: " in text for text in said) > 40
    length = len(wire.bodies["the job's secret (0)"])
    assert any(text.startswith(f"it was given {length} characters and --hub_token=") for text in said), said[-5:]
    assert any("PLANTED_TOKEN=***" in line["msg"] for line in wire.journals["mock"])
    assert wire.lines_taken == sum(len(lines) for lines in wire.journals.values())
    for place in ("what Redis was told", "what the collector was sent", "files of the site"):
        assert b"it was given" in wire.places[place], place
    assert len(wire.bodies) > 150


PLACES = ("what Redis was told", "what Redis holds and wrote", "what the collector was sent", "PostgreSQL")


@pytest.mark.parametrize("place", [*PLACES, "files of the site", "files of the host"])
def test_nothing_that_was_planted_arrives(wire: Wire, place: str) -> None:
    data = wire.places[place]
    found = [where for where, body in wire.bodies.items() if body.encode() in data]
    assert not found, f"{place}: {', '.join(found)}"


def test_captions_travel_as_they_are_and_to_the_host_alone(wire: Wire) -> None:
    """They are training data, which is never changed: docs/redaction.md says so."""
    shown = [place for place, data in wire.places.items() if wire.caption.encode() in data]
    assert set(shown) <= {"what Redis was told", "what Redis holds and wrote"}
