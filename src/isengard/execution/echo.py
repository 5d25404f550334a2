"""Copies what the trainer prints to somebody who looks on, as it comes. Never makes the training wait for that person.

What an onlooker does not read is kept up to a bound, then counted and told where it is missing. One that is gone is
forgotten.
"""

from __future__ import annotations

import asyncio
import os
import select
import time
from collections.abc import Sequence
from typing import Protocol

from isengard.core.redaction import Redactor, StreamRedactor

MAX_WAITING = 8 * 1024 * 1024
_LAST_WORDS_S = 2.0
_STREAMS = ("stdout", "stderr")


class RawLog(Protocol):
    """Takes both streams."""

    def show(self, stream: str, data: bytes) -> None:
        """The next bytes of ``stdout`` or ``stderr`` as they came, the moment they came."""
        ...

    def write(self, stream: str, data: bytes) -> None:
        """The same, redacted and therefore a little later."""
        ...

    def close(self) -> None:
        """Nothing more comes."""
        ...


class Echoing:
    """A raw log whose bytes go to pipes as well, without their secrets: a terminal is copied into tickets and CI logs.

    A line is shown once it is complete, a frame of a bar with the one after it; nothing else is held back.

    Args:
        log: The log.
        pipes: Writing ends, for stdout and for stderr; owned and closed by this object.
        redactor: Knows the job's secrets.
    """

    def __init__(self, log: RawLog, pipes: Sequence[int], redactor: Redactor) -> None:
        self._log = log
        self._pipes = {name: _Pipe(pipe, redactor.stream()) for name, pipe in zip(_STREAMS, pipes, strict=False)}

    def show(self, stream: str, data: bytes) -> None:
        """Copy."""
        if stream in self._pipes:
            self._pipes[stream].write(data)

    def write(self, stream: str, data: bytes) -> None:
        """Log."""
        self._log.write(stream, data)

    def close(self) -> None:
        """Copy what still waits, for a moment, and close everything."""
        self._log.close()
        for pipe in self._pipes.values():
            pipe.close()


class _Pipe:
    def __init__(self, descriptor: int, redacting: StreamRedactor) -> None:
        os.set_inheritable(descriptor, False)
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._redacting = redacting
        self._waiting = bytearray()
        self._left_out = 0
        self._broken = False

    def write(self, data: bytes) -> None:
        if self._broken:
            return
        if len(self._waiting) + len(data) > MAX_WAITING:
            self._left_out += len(data)
            return
        self._put(self._redacting.feed(data))

    def _put(self, data: bytes) -> None:
        if self._left_out:
            self._waiting += b"\n[isengard: %d bytes were not shown; they are in the job's log]\n" % self._left_out
            self._left_out = 0
        was_idle = not self._waiting
        self._waiting += data
        self._push()
        if self._waiting and was_idle:
            asyncio.get_running_loop().add_writer(self._descriptor, self._push_on)

    def close(self) -> None:
        if not self._broken:
            self._put(self._redacting.flush())
        deadline = time.monotonic() + _LAST_WORDS_S
        while self._waiting and (left := deadline - time.monotonic()) > 0:
            select.select((), (self._descriptor,), (), left)
            self._push()
        if not self._broken:
            self._rest()
            os.close(self._descriptor)
            self._broken = True

    def _push_on(self) -> None:
        self._push()
        if not self._waiting:
            self._rest()

    def _push(self) -> None:
        try:
            while self._waiting:
                del self._waiting[: os.write(self._descriptor, self._waiting[:65_536])]
        except BlockingIOError:
            return
        except OSError:  # the onlooker is gone
            self._waiting.clear()
            self._rest()
            os.close(self._descriptor)
            self._broken = True

    def _rest(self) -> None:
        asyncio.get_running_loop().remove_writer(self._descriptor)
