"""The live stream of one job, as server-sent events and over a WebSocket.

Wire protocol of ``GET /api/jobs/{id}/stream``:

    retry: 1000
    id: 41
    event: snapshot
    data: {"id":"train-…","status":"running","current_step":17,…}

    id: 42
    event: progress
    data: {"job_id":"train-…","correlation_id":"…","ts":"…","step":18,"loss":0.31,…}

    :

- ``id`` is the number of a journal line. Each line is one frame; none is left out, none comes twice.
- ``event``: ``progress`` (job.*, training.step), ``sample``, ``checkpoint``, ``log`` (everything else), ``complete``
  (completed or cancelled) and ``error`` (failed). The last two end the stream and the server closes. Where a job was
  resumed, the ends of its earlier attempts are ``progress``.
- A first connection begins with ``snapshot``: the job as it stands after the line ``id``. Of a job that has ended, the
  snapshot stands just before the terminal line, so that this still follows.
- ``?from=start`` replays the journal from line 1, without a snapshot.
- ``Last-Event-ID`` (or ``?after=``, which the header overrides) goes on right after that line, without a snapshot.
  After the terminal line the answer is 204, on which a browser stops reconnecting. A number that the journal has not
  reached (it was restored from a backup) begins afresh, with a snapshot.
- ``retry`` is a line of the first frame, whichever that is.
- ``:`` alone is a sign of life, after 15 s without a frame.

``/api/jobs/{id}/ws`` sends the same frames as JSON texts, ``{"id":"42","event":"progress","data":{…}}``. It takes
``?after=`` and ``?from=start`` and closes with 1000 after the last frame, at once where the client has that already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Protocol

from fastapi import Response, WebSocket
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from isengard.api.feed import JobFeed
from isengard.api.frames import Frame, frame
from isengard.api.ring import Chunk
from isengard.api.services import Services
from isengard.api.subscribers import Subscriber
from isengard.api.views import job_view
from isengard.core.errors import InvalidInput

RETRY_MS = 1000
SSE_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
}
HEARTBEAT = b":\n\n"


def parse_position(text: str | None) -> int | None:
    """The line number in `text`; None for none. Raises `InvalidInput`."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise InvalidInput(f"{text[:40]!r} is not the number of a journal line", field="after")
    return int(text)


class Sink(Protocol):
    """Where chunks go: an SSE response or a WebSocket."""

    async def send(self, chunk: Chunk) -> None:
        """Send the frames of `chunk`."""
        ...

    async def beat(self) -> None:
        """Send a sign of life."""
        ...


async def pump(feed: JobFeed, subscriber: Subscriber, sink: Sink) -> None:
    """Send what follows the subscriber's position until the job or the connection ends."""
    while not subscriber.gone:
        chunk = await feed.after(subscriber.position)
        if chunk is None:
            if feed.ended:
                return
            if await feed.wait(subscriber):
                subscriber.begin_send()
                await sink.beat()
                subscriber.end_send()
            continue
        subscriber.begin_send()
        await sink.send(chunk)
        subscriber.end_send()
        subscriber.position = chunk.position
        if chunk.is_last:
            return


class Opening:
    """How a connection to a feed begins.

    Attributes:
        position: What the client has.
        snapshot: Frame to send first, if any.
        is_over: Whether the client has the terminal line already.
    """

    def __init__(self, position: int, snapshot: Frame | None = None, *, is_over: bool = False) -> None:
        self.position = position
        self.snapshot = snapshot
        self.is_over = is_over


async def begin(services: Services, feed: JobFeed, after: int | None) -> Opening:
    """Decide how a client begins that has everything up to `after` (None: it has nothing and wants a snapshot)."""
    known = after is not None and await feed.has(after)
    terminal = feed.fold.terminal_seq
    if after is not None and terminal is not None and after >= terminal:
        return Opening(after, is_over=True)
    if after is not None and known:
        return Opening(after)
    job = await asyncio.to_thread(services.store.get_job, feed.job_id)
    position = feed.position if feed.fold.terminal_seq is None else feed.fold.terminal_seq - 1
    data = job_view(job, feed.fold).model_dump_json().encode()
    return Opening(position, frame(position, "snapshot", data))


class EventStream(Response):
    """The SSE response of one client, as plain ASGI: nothing stands between the feed's bytes and the connection.

    Args:
        job_id: A job that exists.
        after: What the client has; None for a snapshot first.
    """

    def __init__(self, services: Services, job_id: str, after: int | None) -> None:
        super().__init__(status_code=200, headers=SSE_HEADERS)
        del self.headers["content-length"]
        self._services = services
        self._job_id = job_id
        self._after = after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until the job, the connection or the server ends."""
        async with AsyncExitStack() as stack:
            subscriber = stack.enter_context(self._services.subscribers.admit(scope))
            feed = await stack.enter_async_context(self._services.feeds.watch(self._job_id))
            opening = await begin(self._services, feed, self._after)
            if opening.is_over:
                await Response(status_code=204)(scope, receive, send)
                return
            await self._start(opening, send)
            subscriber.position = opening.position
            watcher = asyncio.create_task(watch_for_disconnect(receive, subscriber))
            stack.callback(watcher.cancel)
            await pump(feed, subscriber, _SseSink(send))
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _start(self, opening: Opening, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        first = b"retry: %d\n" % RETRY_MS + (opening.snapshot.sse if opening.snapshot else b"")
        await send({"type": "http.response.body", "body": first, "more_body": True})


class _SseSink:
    def __init__(self, send: Send) -> None:
        self._send = send

    async def send(self, chunk: Chunk) -> None:
        await self._send({"type": "http.response.body", "body": chunk.sse, "more_body": True})

    async def beat(self) -> None:
        await self._send({"type": "http.response.body", "body": HEARTBEAT, "more_body": True})


async def watch_for_disconnect(receive: Callable[[], Awaitable[Message]], subscriber: Subscriber) -> None:
    """Tell the subscriber's loop when its client goes away."""
    while (await receive())["type"] not in ("http.disconnect", "websocket.disconnect"):
        pass
    subscriber.leave()


class _SocketSink:
    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    async def send(self, chunk: Chunk) -> None:
        for each in chunk.frames:
            await self._websocket.send_text(each.text())

    async def beat(self) -> None:
        """Nothing: the WebSocket protocol has pings of its own, which the server sends."""


async def serve_socket(services: Services, websocket: WebSocket, job_id: str, after: int | None) -> None:
    """Serve one WebSocket until the job or the connection ends.

    Raises:
        Overloaded: There is no place for it; the handshake is not answered yet.
    """
    async with AsyncExitStack() as stack:
        subscriber = stack.enter_context(services.subscribers.admit(websocket.scope))
        feed = await stack.enter_async_context(services.feeds.watch(job_id))
        opening = await begin(services, feed, after)
        await websocket.accept()
        watcher = asyncio.create_task(watch_for_disconnect(websocket.receive, subscriber))
        stack.callback(watcher.cancel)
        try:
            await _socket_frames(websocket, feed, subscriber, opening)
            await websocket.close(1012 if services.subscribers.closed else 1000)
        except (WebSocketDisconnect, RuntimeError):
            pass  # the client went away between two frames; there is nobody left to tell


async def _socket_frames(websocket: WebSocket, feed: JobFeed, subscriber: Subscriber, opening: Opening) -> None:
    if opening.is_over:
        return
    if opening.snapshot is not None:
        await websocket.send_text(opening.snapshot.text())
    subscriber.position = opening.position
    await pump(feed, subscriber, _SocketSink(websocket))
