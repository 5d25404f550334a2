"""`make cluster-demo`: a whole cluster on this machine, ten real trainings on it, and the loss of one of its nodes.

    Redis, PostgreSQL, S3 ─ Ray on two nodes ─ two APIs and a worker ─ ten trainings ─ kill -9 of a node ─ ten journals

With ``--oneshot`` it ends by itself, with exit code 0 only if every journal is complete and every line was shown.
Without, it stays up until Ctrl-C. Either way everything it started is ended, by process id.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import secrets
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parent))
from services import HOST, Failed, Processes, clear, free_port, postgres, ray_node, redis, s3, wait_until
from watching import Watcher

from isengard.datasets import demo
from isengard.trainers.diffusers.demo import CONFIG

JOBS = 10
BUCKET = "isengard"
TERMINAL = ("completed", "failed", "cancelled")
SMALL = {**CONFIG, "steps": 24, "sample_every_n_steps": 12, "checkpoint_every_n_steps": 6, "batch_size": 4}
_LONG_S = 1500.0


def say(text: str) -> None:
    """A line for the person at the terminal."""
    print(text, flush=True)


class Demo:
    """The cluster and what happens on it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.processes = Processes(folder)
        self.elsewhere: list[Path] = []
        self.ports = [port, free_port()]
        self.urls = [f"http://{HOST}:{number}" for number in self.ports]
        self.watchers: list[Watcher] = []

    def start(self) -> None:
        """Start everything."""
        began = time.monotonic()
        redis_url = redis(self.processes, self.folder)
        database_url = postgres(self.processes, self.elsewhere)
        artifacts_url, keys = s3(self.processes, BUCKET)
        say("Redis, PostgreSQL and an S3 server are up")
        ray_env, address = self._start_ray()
        env = {
            **keys,
            **ray_env,
            "ISENGARD_DATA_DIR": str(self.folder / "site"),
            "ISENGARD_REDIS_URL": redis_url,
            "ISENGARD_DATABASE_URL": database_url,
            "ISENGARD_ARTIFACTS_URL": artifacts_url,
            "ISENGARD_LAUNCHER": "ray",
            "ISENGARD_RAY_ADDRESS": address,
            "ISENGARD_RAY_OPTIONS": json.dumps({"scheduling_strategy": "SPREAD"}),
            "ISENGARD_MAX_RETRIES": "3",
            "ISENGARD_LOST_HOST_S": "15",
            "ISENGARD_HOST": HOST,
        }
        isengard = [sys.executable, "-P", "-m", "isengard"]
        for number, port in enumerate(self.ports, 1):
            self.processes.start(f"api{number}", [*isengard, "api", "--port", str(port)], env)
        self.processes.start("worker", [*isengard, "worker"], env)
        for number, url in enumerate(self.urls, 1):
            self.processes.up(f"api{number}", lambda url=url: _is_up(url))
        say(f"two APIs and a worker are up after {time.monotonic() - began:.0f} s: {' and '.join(self.urls)}")

    def _start_ray(self) -> tuple[dict[str, str], str]:
        """Two nodes; only who has the token may use them, and there is no dashboard."""
        temp = Path(tempfile.mkdtemp(prefix="ir-"))  # short: sockets lie below it
        self.elsewhere.append(temp)
        port = free_port()
        env = {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_worker_niceness": "0",
            "RAY_health_check_period_ms": "1000",
            "RAY_health_check_failure_threshold": "5",
            "OMP_NUM_THREADS": "1",
        }
        first = {**env, "ISENGARD_HOST_DATA_DIR": str(self.folder / "node1")}
        second = {**env, "ISENGARD_HOST_DATA_DIR": str(self.folder / "node2")}
        head = ("--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={temp}", "--num-cpus=2")
        ray_node(self.processes, "node1", first, *head)
        ray_node(self.processes, "node2", second, f"--address={HOST}:{port}", "--num-cpus=2")
        say("a Ray cluster of two nodes is up")
        return env, f"{HOST}:{port}"

    def submit(self) -> list[str]:
        """Make the demo's character and queue the trainings, turn and turn about at both APIs; the jobs' ids."""
        character = self._call("POST", 0, "/api/characters", json=_CHARACTER)["id"]
        files = [("files", (path.name, path.read_bytes())) for path in sorted(demo.character().iterdir())]
        self._call("POST", 1, f"/api/characters/{character}/images", files=files)
        body = {"character_id": character, "trainer": "diffusers"}
        jobs = []
        for number in range(JOBS):
            config = {**SMALL, "seed": number, "sample_prompts": [f"{demo.TRIGGER_WORD} on a red background"]}
            jobs.append(str(self._call("POST", number, "/api/training", json={**body, "config": config})["id"]))
        self.watchers = [Watcher(self.urls[n % 2 :] + self.urls[: n % 2], job) for n, job in enumerate(jobs)]
        say(f"{JOBS} trainings are queued: {self.urls[0]}/")
        return jobs

    def lose_a_node(self) -> None:
        """Kill the second node as soon as a training on it has a checkpoint."""

        def busy() -> bool:
            return any((self.folder / "node2" / "logs" / "jobs").glob("train-*/checkpoints/*.safetensors"))

        wait_until(busy, "a checkpoint on the second node", _LONG_S)
        self.processes.kill("node2")
        agent = self.folder / "node2" / "run" / "agent.lock"
        _kill_process(int(agent.read_text()))
        say("the second node was killed (-9), with all that ran on it")

    def see_to_the_end(self, jobs: list[str]) -> None:
        """Wait until every job is over."""
        told: set[str] = set()
        deadline = time.monotonic() + _LONG_S
        while len(told) < len(jobs):
            if time.monotonic() > deadline:
                raise Failed(f"not over after {_LONG_S:.0f} s: {', '.join(sorted(set(jobs) - told))}")
            for job in jobs:
                view = self._call("GET", len(told), f"/api/training/{job}")
                if job not in told and view["status"] in TERMINAL and not self._is_waiting(job):
                    told.add(job)
                    say(f"  {job} {view['status']}")
            time.sleep(1)

    def _is_waiting(self, job: str) -> bool:
        """Whether a job that has failed is about to be tried again: its host was lost."""
        view = self._call("GET", 0, f"/api/training/{job}")
        return view["status"] == "failed" and view["error_type"] == "HostLost"

    def check(self, jobs: list[str]) -> None:
        """Hold journals, streams and bucket to each other; raises `Failed`."""
        attempts = 0
        for job, watcher in zip(jobs, self.watchers, strict=True):
            lines = [json.loads(line) for line in self._journal(0, job).splitlines()]
            if self._journal(0, job) != self._journal(1, job):
                raise Failed(f"the two APIs give different journals of {job}")
            numbers = list(range(1, len(lines) + 1))
            if [line["seq"] for line in lines] != numbers:
                raise Failed(f"the journal of {job} has a gap or a repeat")
            if lines[-1]["event"] != "job.completed":
                raise Failed(f"the journal of {job} ends with {lines[-1]['event']}: {lines[-1]['msg']}")
            wait_until(lambda: watcher.seen[-1:] == numbers[-1:], f"the stream of {job} coming to its end")  # noqa: B023
            if watcher.seen != numbers:
                raise Failed(f"the stream of {job} showed {len(watcher.seen)} lines of {len(numbers)}")
            attempts += lines[-1]["fields"]["attempt"]
            self._check_model(job)
        say(
            f"{JOBS} journals are complete, and every line of them was shown once; {attempts - JOBS} runs were repeated"
        )

    def _check_model(self, job: str) -> None:
        for number in (0, 1):
            url = f"{self.urls[number]}/api/jobs/{job}/artifacts/model"
            answer = httpx.get(url, timeout=60, follow_redirects=True)
            if answer.status_code != 200 or len(answer.content) < 1000:
                raise Failed(f"the LoRA of {job} is not at {url}: {answer.status_code}")

    def photograph(self, jobs: list[str]) -> None:
        """Open the page in a browser and see every job on it."""
        chromium = shutil.which("chromium")
        if chromium is None or importlib.util.find_spec("playwright") is None:
            say("no browser here: the page was not photographed")
            return
        from playwright.sync_api import sync_playwright

        target = self.folder / "page.png"
        with sync_playwright() as player:
            browser = player.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1400, "height": 1200})
            page.goto(self.urls[1])
            for job in jobs:
                page.locator(f"a[href*='{job}']").first.wait_for(timeout=60_000)
            page.screenshot(path=target)
            browser.close()
        say(f"the page shows all of them: {target}")

    def close(self) -> None:
        """End everything that was started."""
        for watcher in self.watchers:
            watcher.stop()
        for node in ("node1", "node2"):
            _end_outpost(self.folder / node)
        self.processes.close()
        for node in ("node1", "node2"):
            _end_outpost(self.folder / node)
        clear(self.elsewhere)

    def _journal(self, number: int, job: str) -> bytes:
        return httpx.get(f"{self.urls[number % 2]}/api/jobs/{job}/logs", timeout=60).raise_for_status().content

    def _call(self, method: str, number: int, path: str, **content: Any) -> dict[str, Any]:
        answer = httpx.request(method, f"{self.urls[number % 2]}{path}", timeout=60, **content)
        if answer.status_code >= 400:
            raise Failed(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        found: dict[str, Any] = answer.json()
        return found


_CHARACTER = {"name": demo.CHARACTER_NAME, "trigger_word": demo.TRIGGER_WORD, "description": demo.DESCRIPTION}


def _is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ready", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def _end_outpost(folder: Path) -> None:
    lock = folder / "run" / "agent.lock"
    if lock.exists() and lock.read_text().strip().isdigit():
        _kill_process(int(lock.read_text()))


def _kill_process(pid: int) -> None:
    """End an agent by its id, if it is still one."""
    import os
    import signal
    from contextlib import suppress

    with suppress(OSError):
        if b"cluster.host_agent" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)


def main() -> int:
    """Run the demo; the exit code."""
    parser = argparse.ArgumentParser(prog="make cluster-demo", description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True, help="where it works; what is there is removed first")
    parser.add_argument("--port", type=int, default=0, help="port of the first API; 0 takes a free one")
    parser.add_argument("--oneshot", action="store_true", help="end after the trainings")
    chosen = parser.parse_args()
    folder: Path = chosen.data_dir.absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    began = time.monotonic()
    show = Demo(folder, chosen.port or free_port())
    try:
        show.start()
        jobs = show.submit()
        show.lose_a_node()
        show.see_to_the_end(jobs)
        show.check(jobs)
        show.photograph(jobs)
        say(f"done after {time.monotonic() - began:.0f} s; everything is in {folder}")
        if not chosen.oneshot:
            say(f"Look at {show.urls[0]}/ or {show.urls[1]}/; Ctrl-C ends everything.")
            threading.Event().wait()
    except Failed as failure:
        print(f"the demo failed: {failure}; logs are in {folder}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("ending everything …")
    finally:
        show.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
