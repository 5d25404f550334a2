"""Every mount in one place: what the server answers, in the order it is tried."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.routing import APIRoute

from isengard.api.routes import access, artifacts, characters, jobs, live, queue, system, training

_ROUTERS = tuple(each.router for each in (system, access, characters, training, queue, jobs, artifacts, live))


def mount(app: FastAPI) -> None:
    """Add all routes of the API to `app`: one by one, for a router between them would make each route once more."""
    for each in _ROUTERS:
        app.include_router(each)


def methods_at(path: str) -> set[str]:
    """The methods that an address takes; none where there is no route. A literal address comes before a pattern."""
    routes = [route for router in _ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    template = next((route.path for route in routes if route.path_regex.match(path)), None)
    return {method for route in routes if route.path == template for method in route.methods or ()}
