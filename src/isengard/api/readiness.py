"""What this server depends on, tried one by one. Changes nothing."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable

from isengard.api.schemas.system import DependencyCheck, Readiness
from isengard.core.errors import IsengardError
from isengard.core.settings import Settings
from isengard.execution.artifacts import ArtifactStore
from isengard.jobs.leases import LeaseObserver
from isengard.jobs.store import Store

_PATIENCE_S = 2.0


class ReadinessChecks:
    """The checks of one application. A worker is judged by its beats, seen over several calls."""

    def __init__(self, settings: Settings, store: Store, artifacts: ArtifactStore | None) -> None:
        self._settings = settings
        self._store = store
        self._artifacts = artifacts
        self._observer = LeaseObserver(settings.lease_s)
        self._lock = threading.Lock()

    def run(self) -> Readiness:
        """Try everything."""
        checks = [
            _check("database", self._database, is_required=True),
            _check("data_folder", self._data_folder, is_required=True),
            _check("worker", self._worker, is_required=False),
        ]
        if self._settings.redis_url is not None:
            checks.append(_check("redis", self._redis, is_required=False))
        if self._artifacts is not None:
            checks.append(_check("artifacts", self._stored_artifacts, is_required=False))
        if all(check.ok for check in checks):
            return Readiness(status="ready", checks=checks)
        serves = all(check.ok for check in checks if check.required)
        return Readiness(status="degraded" if serves else "unavailable", checks=checks)

    def _database(self) -> str:
        self._store.ping()
        return f"{self._store.shown_url.partition(':')[0]} answers"

    def _data_folder(self) -> str:
        with tempfile.NamedTemporaryFile(dir=self._settings.paths.run, prefix=".ready-") as probe:
            probe.write(b"\0" * 512)
            probe.flush()
        found = os.statvfs(self._settings.data_dir)
        return f"can be written, {found.f_bavail * found.f_frsize // 1_048_576} MiB free"

    def living_workers(self) -> int:
        """How many workers are alive, as far as their beats tell by now."""
        workers = self._store.workers()
        with self._lock:
            lost = {worker.id for worker in self._observer.look(workers)}
        return sum(worker.id not in lost for worker in workers)

    def _worker(self) -> str:
        alive = self.living_workers()
        if not alive:
            raise IsengardError("no worker is alive: jobs stay queued until one is started ('isengard worker')")
        return f"{alive} alive"

    def _stored_artifacts(self) -> str:
        assert self._artifacts is not None  # noqa: S101 - asked only where there is one
        self._artifacts.check()
        return f"{self._artifacts.shown} answers"

    def _redis(self) -> str:
        import redis

        url = self._settings.redis_url
        client = redis.Redis.from_url(
            url.get_secret_value() if url else "", socket_timeout=_PATIENCE_S, socket_connect_timeout=_PATIENCE_S
        )
        try:
            client.ping()
        finally:
            client.close()
        return "answers"


def _check(name: str, attempt: Callable[[], str], *, is_required: bool) -> DependencyCheck:
    began = time.perf_counter()
    try:
        detail, ok = attempt(), True
    except IsengardError as error:
        detail, ok = error.detail, False
    except OSError as error:
        detail, ok = error.strerror or type(error).__name__, False
    except Exception as error:  # a client library's own errors: only their kind is told, their text may hold a URL
        detail, ok = f"failed: {type(error).__name__}", False
    took_ms = round((time.perf_counter() - began) * 1000, 3)
    return DependencyCheck(name=name, ok=ok, required=is_required, detail=detail, took_ms=took_ms)
