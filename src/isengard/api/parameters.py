"""Query parameters without a value, such as ``?status=&limit=``, count as not given: that is how forms send them."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send


class EmptyParameters:
    """Takes them away before `app` sees them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if query := scope.get("query_string"):
            scope["query_string"] = b"&".join(part for part in query.split(b"&") if part.partition(b"=")[2])
        await self._app(scope, receive, send)
