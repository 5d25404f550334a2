"""Starts runs on a Ray cluster: a detached, named actor each, placed by Ray. What happens comes back over Redis.

Ray is asked for two things alone: to place an actor, and whether one of a name is there. What a job did, and whether it
is over, stand in its journal; who answers for it stands in the store.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any

from isengard.core.errors import StartupError, StorageError
from isengard.core.settings import Settings
from isengard.execution.capacity import gpus_wanted
from isengard.execution.cluster.site_supervisor import SiteJobSupervisor
from isengard.execution.dead_runner import RunnerDeath
from isengard.execution.job_supervisor import Held
from isengard.execution.launcher_local import Runner, settings_as_environment
from isengard.jobs.models import Character, Job

log = logging.getLogger(__name__)

NAMESPACE = "isengard"
MOST_PENDING = 2
"""How many jobs may wait for Ray to place them. The others wait in the queue, whose order people can change."""
GONE_S = 10.0
"""Seconds without a word after which a host is given up whose actor has gone as well."""
_STAYS_HERE = ("DATA_DIR", "HOST", "PORT", "LAUNCHER", "RAY_ADDRESS", "RAY_OPTIONS", "GPUS", "ARTIFACTS_URL")
_OPTIONS = frozenset(
    {
        "accelerator_type",
        "fallback_strategy",
        "label_selector",
        "memory",
        "num_cpus",
        "num_gpus",
        "resources",
        "runtime_env",
        "scheduling_strategy",
    }
)


class RayLauncher:
    """Launches runs on the cluster of the settings.

    Raises:
        StartupError: Ray is not installed, no cluster answers, or its options make no sense.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._options = options(settings)
        self._ray = _connect(settings)
        self._begun: dict[str, Any] = {}

    def launch(self, job: Job, character: Character) -> Runner | None:
        """Have Ray place the run of `job`'s present attempt; always None, for it is no process of ours.

        Raises:
            StorageError: The cluster does not take it now.
        """
        try:
            if self.is_there(job):
                return None
            actor = self._actor(job)
            self._begun[job.id] = actor.begin.remote(job.id, job.attempt)
        except (self._ray.exceptions.RayError, ConnectionError, ValueError) as error:
            raise StorageError(f"the Ray cluster does not take job {job.id}: {_first_line(error)}") from error
        return None

    def is_there(self, job: Job) -> bool:
        """Whether Ray has the actor of the job's present attempt, placed or waiting for its place."""
        try:
            self._ray.get_actor(_name(job), namespace=NAMESPACE)
        except ValueError:
            return False
        return True

    def end(self, job: Job) -> None:
        """Have Ray end the actor, and with it what it started; nothing happens if it is not there."""
        try:
            self._ray.kill(self._ray.get_actor(_name(job), namespace=NAMESPACE))
        except (ValueError, self._ray.exceptions.RayError):
            return

    def reason(self, job: Job) -> str:
        """Why a run could not begin, as far as this process has heard."""
        begun = self._begun.pop(job.id, None)
        if begun is None:
            return ""
        try:
            return str(self._ray.get(begun, timeout=1) or "")
        except (self._ray.exceptions.RayError, TimeoutError) as error:
            return _first_line(error)

    def _actor(self, job: Job) -> Any:
        from isengard.execution.ray_actor import RunActor  # noqa: PLC0415 - what a node runs

        wanted: dict[str, Any] = {"num_cpus": 1, "num_gpus": self._gpus(job), **self._options}
        actor_class = self._ray.remote(RunActor).options(
            name=_name(job), namespace=NAMESPACE, lifetime="detached", max_restarts=0, max_task_retries=0, **wanted
        )
        return actor_class.remote(_for_nodes(self._settings))

    def _gpus(self, job: Job) -> int:
        """What it asks for; nothing in a cluster that has no GPU, where jobs run as they can, as on one machine."""
        return gpus_wanted(job) if self._ray.cluster_resources().get("GPU") else 0


@dataclass
class RayJobSupervisor(SiteJobSupervisor):
    """The jobs of a site whose worker has Ray place them."""

    launcher: RayLauncher

    def _is_alive(self, held: Held) -> bool:
        alive = super()._is_alive(held)
        run = self._run(held)
        if not alive or run is None or held.fold.status == "queued" or self._is_foreign(held.job):
            return alive
        return self.coordinator.silent_s(run) < GONE_S or self.launcher.is_there(held.job)

    def _is_beginning(self, held: Held) -> bool:
        if self._is_foreign(held.job):
            return super()._is_beginning(held)
        return self.launcher.is_there(held.job)

    def _end_unbegun(self, held: Held) -> None:
        self.launcher.end(held.job)
        super()._end_unbegun(held)

    def _death(self, held: Held) -> RunnerDeath:
        if not self._is_foreign(held.job):
            self.launcher.end(held.job)
        return super()._death(held)

    def _launched(self, held: Held) -> None:
        log.info("job %s: Ray places attempt %d", held.job.id, held.job.attempt)

    def _reason(self, held: Held) -> str:
        reason = self.launcher.reason(held.job)
        return f": {reason}" if reason else ""

    def _has_capacity(self) -> bool:
        own = [held for held in self.held.values() if not self._is_foreign(held.job)]
        pending = sum(held.fold.status == "queued" for held in own)
        return pending < MOST_PENDING and len(own) < (self.settings.max_running_jobs or len(own) + 1)


def options(settings: Settings) -> dict[str, Any]:
    """Options of the actors from ``ISENGARD_RAY_OPTIONS``; raises `StartupError` for what cannot be one."""
    if not settings.ray_options.strip():
        return {}
    try:
        found = json.loads(settings.ray_options)
    except ValueError as error:
        raise StartupError(f"ISENGARD_RAY_OPTIONS is no JSON object: {error}", field="ray_options") from error
    if not isinstance(found, dict):
        raise StartupError("ISENGARD_RAY_OPTIONS has to be a JSON object", field="ray_options")
    unknown = sorted(found.keys() - _OPTIONS)
    if unknown:
        known = ", ".join(sorted(_OPTIONS))
        raise StartupError(f"ISENGARD_RAY_OPTIONS: {unknown[0]!r} is not one of {known}", field="ray_options")
    return found


def _connect(settings: Settings) -> Any:
    try:
        import ray
        import ray.exceptions
    except ImportError:
        raise StartupError(
            "ISENGARD_LAUNCHER=ray needs the extra 'cluster' (pip install 'isengard[cluster]')", field="launcher"
        ) from None
    try:
        ray.init(
            address=settings.ray_address,
            namespace=NAMESPACE,
            log_to_driver=False,
            configure_logging=False,
            ignore_reinit_error=True,
        )
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise StartupError(
            f"ISENGARD_RAY_ADDRESS: no Ray cluster at {settings.ray_address!r}: {_first_line(error)}",
            field="ray_address",
        ) from error
    return ray


def _for_nodes(settings: Settings) -> dict[str, str]:
    """What a node is told unless its own environment says otherwise."""
    here = {f"ISENGARD_{name}" for name in _STAYS_HERE}
    shared = {name: value for name, value in settings_as_environment(settings).items() if name not in here}
    if settings.redis_url is not None:
        shared["ISENGARD_REDIS_URL"] = settings.redis_url.get_secret_value()
    return shared


def _name(job: Job) -> str:
    return f"{job.id}-{job.attempt}"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
