"""Every mount in one place: what the server answers, in the order it is tried."""

from __future__ import annotations

from fastapi import FastAPI

from isengard.api.routes import access, artifacts, characters, jobs, live, queue, system, training


def mount(app: FastAPI) -> None:
    """Add all routes of the API to `app`: one by one, for a router between them would make each route once more."""
    for part in (system, access, characters, training, queue, jobs, artifacts, live):
        app.include_router(part.router)
