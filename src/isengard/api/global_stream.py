"""The live stream of all jobs, for lists.

Wire protocol of ``GET /api/stream``, server-sent events:

    id: 5f3a9c01-17
    event: snapshot
    data: {"jobs":[{"id":"train-…","status":"running",…}]}

    id: 5f3a9c01-18
    event: job
    data: {"id":"train-…","status":"running","current_step":31,…}

    id: 5f3a9c01-19
    event: removed
    data: {"id":"train-…"}

- A first connection begins with ``snapshot``: every job that is not over. Others are a matter of ``GET /api/training``.
- ``job``: a job that is new or has changed, as it stands now, in the form of ``GET /api/training/{id}``. A change of
  status, stage or attempt comes at once, steps at most four times a second; a slow client gets only the newest state.
- ``id`` is ``{run}-{number}``. A client that comes back with ``Last-Event-ID`` gets what has changed since, each job
  once; after a restart of the server, or when it was away for too long, it gets a new ``snapshot`` instead.
- ``removed``: the job was deleted. ``:`` alone is a sign of life. The stream has no last frame.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import ExitStack

from fastapi import Response
from starlette.types import Receive, Scope, Send

from isengard.api.live_jobs import LiveJobs
from isengard.api.services import Services
from isengard.api.stream import HEARTBEAT, RETRY_MS, SSE_HEADERS, watch_for_disconnect
from isengard.api.subscribers import Subscriber
from isengard.core.errors import InvalidInput

_ID = re.compile(r"([0-9a-f]{8})-([0-9]{1,18})")


def parse_id(text: str | None) -> tuple[str, int] | None:
    """Run and number of an event id; None for none. Raises `InvalidInput`."""
    if not text:
        return None
    match = _ID.fullmatch(text)
    if match is None:
        raise InvalidInput(f"{text[:40]!r} is not an id of this stream", field="Last-Event-ID")
    return match[1], int(match[2])


class JobsStream(Response):
    """The response of one client.

    Args:
        last_id: Run and number of the last frame the client has.
    """

    def __init__(self, services: Services, last_id: tuple[str, int] | None) -> None:
        super().__init__(status_code=200, headers=SSE_HEADERS)
        del self.headers["content-length"]
        self._services = services
        self._last_id = last_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until the client goes or the server stops."""
        live_jobs = self._services.live_jobs
        with ExitStack() as stack:
            subscriber = stack.enter_context(self._services.subscribers.admit(scope))
            first = self._first(live_jobs, subscriber)
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": first, "more_body": True})
            watcher = asyncio.create_task(watch_for_disconnect(receive, subscriber))
            stack.callback(watcher.cancel)
            await self._pump(live_jobs, subscriber, send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _first(self, live_jobs: LiveJobs, subscriber: Subscriber) -> bytes:
        retry = b"retry: %d\n" % RETRY_MS
        run, number = self._last_id or ("", 0)
        if run == live_jobs.run_id and live_jobs.forgotten <= number <= live_jobs.number:
            subscriber.position = number
            return retry
        subscriber.position = live_jobs.number
        return retry + live_jobs.snapshot()

    async def _pump(self, live_jobs: LiveJobs, subscriber: Subscriber, send: Send) -> None:
        while not subscriber.gone:
            update = live_jobs.after(subscriber.position)
            if update is not None:
                body = update.frames
                subscriber.position = update.number
            elif await live_jobs.wait(subscriber):
                body = HEARTBEAT
            else:
                continue
            subscriber.begin_send()
            await send({"type": "http.response.body", "body": body, "more_body": True})
            subscriber.end_send()
