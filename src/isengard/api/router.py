"""Every mount in one place: what the server answers, in the order it is tried."""

from __future__ import annotations

from fastapi import APIRouter

from isengard.api.routes import access, artifacts, characters, jobs, live, queue, system, training


def api_router() -> APIRouter:
    """All routes of the API."""
    router = APIRouter()
    router.include_router(system.router)
    router.include_router(access.router)
    router.include_router(characters.router)
    router.include_router(training.router)
    router.include_router(queue.router)
    router.include_router(jobs.router)
    router.include_router(artifacts.router)
    router.include_router(live.router)
    return router
