"""What a worker is to its cluster: alone on one machine, the site's, or that of another host. The settings decide."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from isengard.core.errors import StartupError
from isengard.core.settings import Settings
from isengard.execution.launcher_local import LocalLauncher
from isengard.execution.seat import Seat
from isengard.execution.tending import Retry, Tending
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
async def tending_of(settings: Settings, store: Store, seat: Seat, retry: Retry) -> AsyncIterator[Tending]:
    """What the worker with this seat does for jobs, with all that goes on beside it."""
    if settings.redis_url is None:
        launcher = await asyncio.to_thread(LocalLauncher.sharing_gpus, settings)
        yield Tending(settings, store, seat, launcher, retry, alone=True, room=launcher.room)
    elif settings.remote:
        from isengard.execution.cluster.host_launcher import HostLauncher  # noqa: PLC0415 - only in a cluster
        from isengard.execution.cluster.host_tending import HostTending  # noqa: PLC0415 - only in a cluster

        sharing = await asyncio.to_thread(HostLauncher.sharing_gpus, settings)
        yield HostTending(settings, store, seat, sharing, retry, room=sharing.room)
    else:
        async with _site(settings, store, seat, retry) as tending:
            yield tending


@contextlib.asynccontextmanager
async def _site(settings: Settings, store: Store, seat: Seat, retry: Retry) -> AsyncIterator[Tending]:
    from isengard.events.redis_address import connect  # noqa: PLC0415 - of an optional extra
    from isengard.execution.cluster.office import Office  # noqa: PLC0415 - only in a cluster
    from isengard.execution.cluster.site_tending import SiteTending  # noqa: PLC0415 - only in a cluster

    assert settings.redis_url is not None  # noqa: S101 - the caller has looked
    client = connect(settings.redis_url.get_secret_value())
    office = Office(settings, store, client)
    working = asyncio.create_task(office.run())
    observer = LeaseObserver(settings.lost_host_s)
    launcher = await asyncio.to_thread(LocalLauncher.sharing_gpus, settings)
    try:
        if settings.launcher == "ray":
            from isengard.execution.launcher_ray import RayLauncher, RayTending  # noqa: PLC0415 - of an optional extra

            ray = await asyncio.to_thread(RayLauncher, settings)
            yield RayTending(settings, store, seat, ray, retry, alone=True, office=office, observer=observer)
        else:
            yield SiteTending(
                settings, store, seat, launcher, retry, alone=True, room=launcher.room, office=office, observer=observer
            )
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
