"""Bouts of fuzzing: FUZZ_SECONDS for each target and role, new inputs each time; else a short and repeatable one.

Every target is one of `targets.py`, driven by atheris; every operation of the API is asked by schemathesis, as an
operator, as a viewer and without a token, against a real server with a worker. `make fuzz` is the long bout.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from isengard.core.access.roles import Role
from isengard.core.access.tokens import TokenFile
from standins.api_server import ApiServer, api_server
from standins.workbench import Workbench, workbench

HERE = Path(__file__).parent
SECONDS = os.environ.get("FUZZ_SECONDS", "")
FINDINGS = HERE.parents[1] / "build" / "fuzz"
DOCUMENT = HERE.parents[1] / "web" / "openapi.json"


@pytest.mark.parametrize("targets", ["all"] if sys.platform == "linux" else [])  # atheris has no other build
def test_no_input_breaks_what_a_target_promises(
    targets: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    findings = FINDINGS if SECONDS else tmp_path
    done = _run([sys.executable, str(HERE / "drive.py"), SECONDS or "1", str(findings)], tmp_path, {})
    with capfd.disabled():
        print("\n" + "".join(re.findall(r"^\w+ +\d+ inputs.*\n", done.stdout, re.MULTILINE)), end="")
    assert done.returncode == 0, done.stdout


@dataclass
class Site:
    """A server that asks for tokens, with a worker, a character with images, and trainings that are over."""

    server: ApiServer
    things: dict[str, list[str]]
    tokens: dict[str, str]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("fuzzed") / "data"
    with ExitStack() as stack:
        bench = stack.enter_context(workbench(folder, max_running_jobs=2))
        stack.callback(lambda: bench.jobs.extend(path.name for path in bench.settings.paths.jobs.glob("train-*")))
        bench.start_worker()
        settings = {"sample_every_n_steps": 5, "checkpoint_every_n_steps": 5, "steps": 10}
        jobs = [bench.submit(**settings), bench.submit(**settings, fail_mode="oom", fail_at_step=7)]
        for job in jobs:
            bench.finish(job)
        tokens = TokenFile(bench.settings.paths)
        known = {role: tokens.create(role, Role(role)) for role in ("operator", "viewer")}
        server = stack.enter_context(api_server(folder))
        yield Site(server, _things(bench, [job.id for job in jobs]), {**known, "nobody": ""})


def _things(bench: Workbench, jobs: list[str]) -> dict[str, list[str]]:
    paths = bench.settings.paths
    job = paths.job(jobs[0])
    files = [*job.samples.iterdir(), *job.checkpoints.iterdir(), *paths.uploads(bench.character.id).glob("*.png")]
    return {"job_id": jobs, "character_id": [bench.character.id], "filename": [path.name for path in files]}


@pytest.mark.parametrize("role", ["operator", "viewer", "nobody"])
def test_the_api_does_what_its_schema_says(
    site: Site, role: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """No answer is a server error, each is as the document says; bad data and strangers are refused."""
    argv = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml"), "run"]
    argv += [str(DOCUMENT), "--url", site.server.url, "--continue-on-failure", "--no-color", "--checks", "all"]
    argv += ["--exclude-checks", "positive_data_acceptance"]  # no schema says that one of two parameters is needed
    if site.tokens[role]:
        argv += ["--header", f"Authorization: Bearer {site.tokens[role]}"]
    if SECONDS:
        argv += ["--max-time", SECONDS]
    else:
        argv += ["--phases", "coverage", "--generation-deterministic"]
        argv += [] if role == "operator" else ["--mode", "positive"]
    environment = {"FUZZ_ROLE": role, "FUZZ_THINGS": json.dumps(site.things), "PYTHONPATH": str(HERE.parent)}
    done = _run(argv, tmp_path, environment)
    tried = re.search(r"(\d+) generated", done.stdout)
    operations = re.search(r"Tested: (\d+)", done.stdout)
    assert tried is not None, done.stdout
    assert operations is not None, done.stdout
    with capfd.disabled():
        print(f"\n{role:<16} {tried[1]} requests to {operations[1]} operations")
    assert done.returncode == 0, done.stdout
    with site.server.client() as client:
        assert client.get("/health").status_code == 200


def _run(argv: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    out = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.run(argv, check=False, cwd=folder, env={**os.environ, **environment}, **out)
