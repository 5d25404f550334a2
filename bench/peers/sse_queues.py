"""How most servers fan out: one follower puts each entry into a queue of every client. Started by `bench/fanout.py`.

python bench/peers/sse_queues.py (sse-starlette | "queue a client") DATA-FOLDER LISTENING-FD
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import uvicorn
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from isengard.core.paths import DataDir, JobPaths
from isengard.journal.follow import follow
from isengard.journal.reader import JournalReader


class Source:
    """The frames of a job for each of its clients."""

    def __init__(self, data: DataDir) -> None:
        self._data = data
        self._queues: set[asyncio.Queue] = set()
        self._follower: asyncio.Task | None = None

    async def frames(self, job_id: str) -> AsyncIterator[dict[str, str]]:
        self._follower = self._follower or asyncio.create_task(self._follow(self._data.job(job_id)))
        queue: asyncio.Queue = asyncio.Queue()
        self._queues.add(queue)
        try:
            yield {"id": "2", "event": "snapshot", "data": "{}"}
            while True:
                entry = await queue.get()
                text = orjson.dumps({"job_id": entry["job_id"], "ts": entry["ts"], **entry["fields"]}).decode()
                yield {"id": str(entry["seq"]), "event": "progress", "data": text}
        finally:
            self._queues.discard(queue)

    async def _follow(self, paths: JobPaths) -> None:
        async for lines in follow(paths, after=JournalReader(paths).last_seq()):
            for line in lines:
                entry = orjson.loads(line)
                for queue in self._queues:
                    queue.put_nowait(entry)


def main() -> None:
    name, data, descriptor = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    source = Source(DataDir(data))

    async def by_sse_starlette(request: Request) -> Response:
        return EventSourceResponse(source.frames(request.path_params["job"]), sep="\n")

    async def by_streaming_response(request: Request) -> Response:
        async def frames() -> AsyncIterator[bytes]:
            async for each in source.frames(request.path_params["job"]):
                yield f"id: {each['id']}\nevent: {each['event']}\ndata: {each['data']}\n\n".encode()

        return StreamingResponse(frames(), media_type="text/event-stream")

    async def health(request: Request) -> Response:
        return Response("ok")

    stream = by_sse_starlette if name == "sse-starlette" else by_streaming_response
    app = Starlette(routes=[Route("/health", health), Route("/{job}", stream)])
    config = uvicorn.Config(app, log_level="error", loop="uvloop", http="httptools")
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    main()
