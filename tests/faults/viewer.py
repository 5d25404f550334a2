"""A viewer of one job's live stream that reconnects with its position for as long as it takes, like a browser."""

from __future__ import annotations

import contextlib
import threading
from typing import Self

import httpx

from standins.api_server import SseFrame, sse_frames

_PAUSE_S = 0.05
_SILENCE_S = 30.0


class Viewer(threading.Thread):
    """Watches from the first line until the stream is over; a context manager.

    Attributes:
        frames: What it was shown, over all its connections.
        connections: How often it connected with success.
        over: Whether it was shown the end of the job.
    """

    def __init__(self, url: str, job_id: str, *, after: int | None = None) -> None:
        super().__init__(name=f"viewer-{job_id}", daemon=True)
        self._path = f"{url}/api/jobs/{job_id}/stream"
        self._position = after
        self._stopping = threading.Event()
        self.frames: list[SseFrame] = []
        self.connections = 0
        self.over = False

    def run(self) -> None:
        with httpx.Client(timeout=_SILENCE_S) as client:
            while not (self.over or self._stopping.is_set()):
                with contextlib.suppress(httpx.HTTPError):
                    self._connect(client)
                self._stopping.wait(_PAUSE_S)

    def _connect(self, client: httpx.Client) -> None:
        first = self._position is None
        headers = {} if first else {"Last-Event-ID": str(self._position)}
        with client.stream("GET", self._path, params={"from": "start"} if first else {}, headers=headers) as answer:
            if answer.status_code != 200:
                self.over = answer.status_code == 204
                return
            self.connections += 1
            for frame in sse_frames(answer):
                if self._stopping.is_set():
                    return
                if not frame.comment:
                    self._take(frame)

    def _take(self, frame: SseFrame) -> None:
        self.frames.append(frame)
        self._position = frame.seq
        self.over = frame.event in ("complete", "error")

    def stop(self) -> None:
        self._stopping.set()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
