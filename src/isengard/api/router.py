"""Every mount in one place: what the server answers, in the order it is tried."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.routing import APIRoute

from isengard.api.routes import access, artifacts, characters, jobs, live, queue, system, training

_ROUTERS = tuple(each.router for each in (system, access, characters, training, queue, jobs, artifacts, live))


def api_router() -> APIRouter:
    """All routes of the API."""
    router = APIRouter()
    for each in _ROUTERS:
        router.include_router(each)
    return router


def methods_at(path: str) -> set[str]:
    """The methods that an address takes; none where there is no route. A literal address comes before a pattern."""
    routes = [route for router in _ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    template = next((route.path for route in routes if route.path_regex.match(path)), None)
    return {method for route in routes if route.path == template for method in route.methods or ()}
