"""What a worker is to its cluster: alone on one machine, the site's, or that of another host. The settings decide."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from isengard.core.errors import StartupError
from isengard.core.settings import Settings
from isengard.execution.job_supervisor import JobSupervisor, Retry
from isengard.execution.launcher_local import LocalLauncher
from isengard.execution.worker_lease import WorkerLease
from isengard.jobs.leases import LeaseObserver
from isengard.jobs.store import Store


def check(settings: Settings) -> None:
    """Raise `StartupError` for settings that contradict each other."""
    if settings.redis_url is not None:
        from isengard.events.redis_address import connect  # noqa: PLC0415 - of an optional extra

        connect(settings.redis_url.get_secret_value())
    elif settings.remote or settings.launcher != "local":
        name = "ISENGARD_REMOTE" if settings.remote else f"ISENGARD_LAUNCHER={settings.launcher}"
        raise StartupError(f"{name} needs ISENGARD_REDIS_URL: what happens elsewhere comes back over Redis")
    if settings.remote and settings.database_url is None:
        raise StartupError(
            "ISENGARD_REMOTE needs ISENGARD_DATABASE_URL, the PostgreSQL of the API: its queue is in there"
        )
    if settings.remote and settings.launcher != "local":
        raise StartupError("ISENGARD_REMOTE and ISENGARD_LAUNCHER: a worker on another host starts its own trainings")


@contextlib.asynccontextmanager
async def supervisor_of(
    settings: Settings, store: Store, lease: WorkerLease, retry: Retry
) -> AsyncIterator[JobSupervisor]:
    """What the worker with this lease does for jobs, with all that goes on beside it."""
    if settings.redis_url is None:
        launcher = await asyncio.to_thread(LocalLauncher.sharing_gpus, settings)
        yield JobSupervisor(settings, store, lease, launcher, retry, alone=True, capacity=launcher.capacity)
    elif settings.remote:
        from isengard.execution.cluster.host_launcher import HostLauncher  # noqa: PLC0415 - only in a cluster
        from isengard.execution.cluster.host_supervisor import HostJobSupervisor  # noqa: PLC0415 - only in a cluster

        sharing = await asyncio.to_thread(HostLauncher.sharing_gpus, settings)
        yield HostJobSupervisor(settings, store, lease, sharing, retry, capacity=sharing.capacity)
    else:
        async with _site(settings, store, lease, retry) as supervisor:
            yield supervisor


@contextlib.asynccontextmanager
async def _site(settings: Settings, store: Store, lease: WorkerLease, retry: Retry) -> AsyncIterator[JobSupervisor]:
    from isengard.events.redis_address import connect  # noqa: PLC0415 - of an optional extra
    from isengard.execution.cluster.coordinator import Coordinator  # noqa: PLC0415 - only in a cluster
    from isengard.execution.cluster.site_supervisor import SiteJobSupervisor  # noqa: PLC0415 - only in a cluster

    assert settings.redis_url is not None  # noqa: S101 - the caller has looked
    client = connect(settings.redis_url.get_secret_value())
    coordinator = Coordinator(settings, store, client)
    working = asyncio.create_task(coordinator.run())
    observer = LeaseObserver(settings.lost_host_s)
    launcher = await asyncio.to_thread(LocalLauncher.sharing_gpus, settings)
    try:
        if settings.launcher == "ray":
            from isengard.execution.launcher_ray import RayJobSupervisor, RayLauncher  # noqa: PLC0415 - of an optional extra

            ray = await asyncio.to_thread(RayLauncher, settings)
            yield RayJobSupervisor(
                settings, store, lease, ray, retry, alone=True, coordinator=coordinator, observer=observer
            )
        else:
            yield SiteJobSupervisor(
                settings,
                store,
                lease,
                launcher,
                retry,
                alone=True,
                capacity=launcher.capacity,
                coordinator=coordinator,
                observer=observer,
            )
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
