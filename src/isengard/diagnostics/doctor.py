"""Looks over an installation and says what is wrong and how to put it right. Changes nothing.

A `fail` keeps Isengard from working, a `warn` will hurt some day, `ok` and `info` are good to know.
"""

from __future__ import annotations

import os
import platform
import resource
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata, resources
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from isengard import __version__
from isengard.core.errors import IsengardError
from isengard.core.settings import Settings
from isengard.execution.artifacts import delivers, open_artifacts
from isengard.execution.metrics.gpu import GPUMonitor
from isengard.jobs.leases import is_dead
from isengard.jobs.models import JobStatus
from isengard.jobs.store import open_store
from isengard.trainers import registry

LOW_DISK_BYTES = 5 * 1024**3
FEW_WATCHES = 8192
FEW_FILES = 1024
_PACKAGES = ("torch", "diffusers", "peft", "transformers", "accelerate")


class State(StrEnum):
    """How a check came out."""

    OK = "ok"
    INFO = "info"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at.

    Attributes:
        remedy: What to do about it; empty where nothing is to be done.
    """

    name: str
    state: State
    detail: str
    remedy: str = ""


def examine(settings: Settings) -> Iterator[Check]:
    """Look at everything, one check after the other; a check that breaks is a failed check."""
    for look in (_versions, _data_folder, _database, _worker, _page, _limits, _trainers, _packages, _gpus, _services):
        try:
            yield from look(settings)
        except IsengardError as error:
            yield Check(look.__name__.strip("_").replace("_", " "), State.FAIL, error.detail)


def _versions(_: Settings) -> Iterator[Check]:
    python = f"Python {platform.python_version()} at {sys.executable}"
    yield Check("isengard", State.OK, f"{__version__} on {python}, {platform.system()} {platform.machine()}")


def _data_folder(settings: Settings) -> Iterator[Check]:
    settings.paths.prepare()
    free = shutil.disk_usage(settings.data_dir).free
    detail = f"{settings.data_dir} can be written, {free / 1024**3:.1f} GiB free"
    if free < LOW_DISK_BYTES:
        yield Check("data folder", State.WARN, detail, "make room: checkpoints and samples need it")
    else:
        yield Check("data folder", State.OK, detail)
    if settings.paths.secrets.stat().st_mode & 0o077:
        yield Check(
            "secrets folder",
            State.WARN,
            f"{settings.paths.secrets} can be read by others",
            f"chmod 700 {settings.paths.secrets}",
        )


def _database(settings: Settings) -> Iterator[Check]:
    with closing(open_store(settings)) as store:
        counts = store.count_jobs()
        told = ", ".join(f"{count} {status}" for status, count in counts.items() if count) or "no jobs"
        yield Check("database", State.OK, f"{store.shown_url.partition(':')[0]} answers: {told}")


def _worker(settings: Settings) -> Iterator[Check]:
    with closing(open_store(settings)) as store:
        alive = [worker for worker in store.workers() if not is_dead(worker)]
        waiting = store.count_jobs()[JobStatus.QUEUED]
    if alive:
        yield Check("worker", State.OK, ", ".join(f"process {each.pid} on {each.host}" for each in alive))
    else:
        state = State.WARN if waiting else State.INFO
        yield Check("worker", state, f"none runs; {waiting} jobs wait", "isengard up" if waiting else "")


def _page(_: Settings) -> Iterator[Check]:
    if resources.files("isengard").joinpath("_web", "index.html").is_file():
        yield Check("page", State.OK, "built into this installation")
    else:
        yield Check("page", State.WARN, "not built into this installation", "in a checkout: make web")


def _limits(_: Settings) -> Iterator[Check]:
    yield from _limit(
        Path("/proc/sys/fs/inotify/max_user_watches"),
        "file watches",
        FEW_WATCHES,
        "sysctl fs.inotify.max_user_watches=65536",
    )
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]  # the API raises its own limit up to this one
    if hard != resource.RLIM_INFINITY and hard < FEW_FILES:
        yield Check("open files", State.WARN, f"only {hard} allowed", f"ulimit -Hn {FEW_FILES}, as root")
    else:
        yield Check("open files", State.OK, "no limit" if hard == resource.RLIM_INFINITY else f"{hard} allowed")


def _limit(path: Path, name: str, least: int, remedy: str) -> Iterator[Check]:
    try:
        allowed = int(path.read_text())
    except (OSError, ValueError):
        return  # not Linux: there is no such limit
    if allowed < least:
        yield Check(name, State.WARN, f"only {allowed} allowed", remedy)
    else:
        yield Check(name, State.OK, f"{allowed} allowed")


def _trainers(settings: Settings) -> Iterator[Check]:
    default = settings.mode.default_trainer
    if unknown := sorted(settings.allowed_trainers - set(registry.names())):
        yield Check(
            "trainers",
            State.FAIL,
            f"ISENGARD_TRAINERS names {', '.join(unknown)}, which is not installed",
            f"name some of {', '.join(registry.names())}",
        )
    for card in registry.available(settings):
        name = f"trainer {card.name}" + (" (default)" if card.name == default else "")
        if card.available:
            yield Check(name, State.OK, "can run here")
        else:
            state = State.FAIL if card.name == default else State.INFO
            yield Check(name, state, "cannot run here", "; ".join(card.missing))


def _packages(_: Settings) -> Iterator[Check]:
    versions = {name: _version(name) for name in _PACKAGES}
    missing = [name for name, version in versions.items() if version is None]
    if missing:
        yield Check(
            "training packages", State.INFO, f"not installed: {', '.join(missing)}", "pip install 'isengard[train]'"
        )
    else:
        told = ", ".join(f"{name} {version}" for name, version in versions.items())
        yield Check("training packages", State.OK, told)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _gpus(_: Settings) -> Iterator[Check]:
    with closing(GPUMonitor(os.environ.get("CUDA_VISIBLE_DEVICES"))) as monitor:
        found, _warning = monitor.read()
    if not found:
        yield Check("GPU", State.INFO, "none that a driver tells of; trainings run on the processor")
    for gpu in found:
        used, total = gpu.memory_used_mb or 0, gpu.memory_total_mb or 0
        yield Check(f"GPU {gpu.index}", State.OK, f"{gpu.name or 'unnamed'}, {used:.0f} of {total:.0f} MiB in use")


def _services(settings: Settings) -> Iterator[Check]:
    if settings.redis_url is not None:
        url = settings.redis_url.get_secret_value()
        yield _reach("Redis", lambda: _ping_redis(url), "redis", "ISENGARD_REDIS_URL")
    if delivers(settings):
        store = open_artifacts(settings)
        yield _reach(f"artifacts in {store.shown}", store.check, "s3", "ISENGARD_ARTIFACTS_URL and the AWS_… variables")
    if settings.otlp_endpoint is not None:
        address = urlsplit(settings.otlp_endpoint.get_secret_value())
        yield _reach("collector", lambda: _knock(address), "otlp", "ISENGARD_OTLP_ENDPOINT")


def _reach(name: str, ping: Callable[[], None], extra: str, setting: str) -> Check:
    try:
        ping()
    except ImportError as error:
        return Check(name, State.FAIL, f"{error}", f"pip install 'isengard[{extra}]'")
    except IsengardError as error:
        return Check(name, State.FAIL, error.detail, f"check {setting}")
    except Exception as error:  # whatever a client library raises, the person needs its words
        return Check(name, State.FAIL, f"{type(error).__name__}: {error}", f"check {setting}")
    return Check(name, State.OK, "answers")


def _knock(address: SplitResult) -> None:
    """Whether anybody listens; what it would say to a record is not asked."""
    port = address.port or (443 if address.scheme == "https" else 80)
    socket.create_connection((address.hostname or "", port), timeout=3).close()


def _ping_redis(url: str) -> None:
    from redis import Redis

    with closing(Redis.from_url(url, socket_timeout=3, socket_connect_timeout=3)) as client:
        client.ping()
