"""Puts the API together: routes, layers, services, and what starts and stops with it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from fastapi import FastAPI

import isengard
from isengard.api import errors, openapi, page, readings
from isengard.api.access import AccessGuard
from isengard.api.auth.audit import AuditTrail
from isengard.api.auth.keyring import Keyring, OpenDoor
from isengard.api.body import BodyLimit
from isengard.api.descriptors import streams_that_fit
from isengard.api.feed import Feeds
from isengard.api.live_jobs import LiveJobs
from isengard.api.middleware import RequestMiddleware
from isengard.api.parameters import EmptyParameters
from isengard.api.readiness import ReadinessChecks
from isengard.api.request_metrics import Figures
from isengard.api.router import methods_at, mount
from isengard.api.same_origin import OwnHosts
from isengard.api.services import Services
from isengard.api.subscribers import Subscribers
from isengard.api.thumbnails import Thumbnails
from isengard.api.views import FreshJobs
from isengard.core.access.first_token import needs_tokens
from isengard.core.access.shares import Shares
from isengard.core.access.tokens import TokenFile
from isengard.core.access.withdrawn import Withdrawn
from isengard.core.clock import utc_now
from isengard.core.errors import IsengardError
from isengard.core.redaction import Redactor
from isengard.core.settings import Settings
from isengard.datasets.characters import Characters
from isengard.datasets.images import Images
from isengard.datasets.intake import Intake
from isengard.datasets.limits import Limits
from isengard.execution.artifacts import delivers, open_artifacts
from isengard.jobs.store import open_store
from isengard.journal import service_log
from isengard.journal.lag import Lag
from isengard.journal.readers import JournalReaders

WEB = Path(isengard.__file__).parent / "_web"


def create_app(settings: Settings, *, web: Path = WEB) -> FastAPI:
    """The application as ASGI; nothing is opened before its lifespan begins.

    Args:
        web: Where the built page is.
    """
    app = FastAPI(title="Isengard", openapi_url=None, docs_url=None, redoc_url=None, lifespan=_lifespan)
    app.state.settings = settings
    app.state.startup_error = None
    app.state.redactor = Redactor.configured(os.environ, settings.redact_patterns)
    app.state.figures = Figures(partial(_read, app))
    errors.install(app, methods_at)
    mount(app)
    app.include_router(openapi.router)
    app.router.default = page.Page(web)  # what no route takes; a mount would take wrong methods, too
    # The last one added is the outermost.
    app.add_middleware(EmptyParameters)
    app.add_middleware(
        BodyLimit, body_mb=settings.max_body_mb, upload_mb=settings.max_upload_mb, timeout_s=settings.body_timeout_s
    )
    app.add_middleware(AccessGuard, hosts=OwnHosts.of(settings))
    app.add_middleware(RequestMiddleware, figures=app.state.figures)
    return app


def _read(app: FastAPI) -> readings.Readings:
    return readings.take(app.state.services)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    try:
        services = await asyncio.to_thread(_open, app.state.settings, app.state.figures, app.state.redactor)
        app.state.services = services
        await services.live_jobs.open()
    except IsengardError as error:
        app.state.startup_error = error
        raise
    try:
        yield
    finally:
        services.subscribers.close()
        await services.live_jobs.close()
        await asyncio.to_thread(services.store.close)
        services.audit.close()


def _open(settings: Settings, figures: Figures, redactor: Redactor) -> Services:
    settings.paths.prepare()
    service_log.configure_for("api", settings, redactor)
    artifacts = open_artifacts(settings) if delivers(settings) else None
    store = open_store(settings)
    limits = Limits.of(settings)
    readers = JournalReaders(settings.paths)
    subscribers = Subscribers(
        limit=streams_that_fit(settings.max_streams),
        heartbeat_s=settings.stream_heartbeat_s,
        stall_s=settings.stream_stall_s,
    )
    return Services(
        settings=settings,
        paths=settings.paths,
        store=store,
        redactor=redactor,
        subscribers=subscribers,
        feeds=Feeds(readers, subscribers),
        live_jobs=LiveJobs(settings.paths, store, readers, subscribers),
        readers=readers,
        jobs=FreshJobs(readers),
        figures=figures,
        characters=Characters(store, settings.paths, redactor),
        images=Images(store, settings.paths, limits),
        intake=Intake(store, settings.paths, limits, redactor),
        artifacts=artifacts,
        thumbnails=Thumbnails(limits),
        lags={name: Lag(settings.paths, name) for name in readings.carriers(settings)},
        readiness=ReadinessChecks(settings, store, artifacts),
        gate=_gate(settings),
        audit=AuditTrail(settings.paths, redactor),
        started_at=utc_now(),
    )


def _gate(settings: Settings) -> Keyring | OpenDoor:
    if not needs_tokens(settings):
        return OpenDoor()
    configured = settings.token.get_secret_value() if settings.token else ""
    return Keyring(TokenFile(settings.paths), configured, Withdrawn(settings.paths), Shares(settings.paths))
