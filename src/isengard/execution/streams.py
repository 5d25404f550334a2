"""Reads what the trainer prints as fast as it comes, on the event loop. Never makes the trainer wait for a journal.

What comes is redacted, logged and cut into lines for the journal and the trainer's observer, as far as a budget allows.
Of a flood the rest is counted and nothing more, so that 100 MB/s cost no more memory than a line now and then.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import termios
import time
from collections import deque
from collections.abc import Callable

from isengard.core.redaction import StreamRedactor
from isengard.execution.echo import RawLog
from isengard.execution.flood_gate import FloodGate
from isengard.execution.folding import LineFolder, Piece
from isengard.execution.output_lines import OutputLines

_READ_BYTES = 262_144
_TURN_S = 0.005
"""Read without a pause; a pseudo-terminal gives 4 KiB at a time."""
_SLICE_BYTES = 16_384
"""Read at one go, some milliseconds; a pipe that nobody empties makes the trainer wait."""
_PIPE_BYTES = 1_048_576

Observe = Callable[[str, str], None]
"""Called with the stream's name and a line or redraw."""


class StreamReader:
    """One end of a pipe or pseudo-terminal.

    Args:
        name: ``stdout`` or ``stderr``.
        descriptor: The reading end; owned and closed by this object.
        redacting: What is logged, and what lines are cut from, goes through it first: a key block or a wrapped secret
            is no secret any more once it is cut into lines. Only an onlooker at the trainer's side gets the bytes raw.
    """

    def __init__(
        self,
        name: str,
        descriptor: int,
        log: RawLog,
        lines: OutputLines,
        observe: Observe,
        redacting: StreamRedactor,
    ) -> None:
        self.name = name
        self.lines = lines
        self._descriptor = descriptor
        self._log = log
        self._observe = observe
        self._redacting = redacting
        self._folder = LineFolder()
        self._gate = FloodGate()
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._closed = asyncio.Event()
        self._quiet = True

    def attach(self) -> None:
        """Start reading on the running event loop."""
        os.set_blocking(self._descriptor, False)
        asyncio.get_running_loop().add_reader(self._descriptor, self._readable)

    async def closed(self) -> None:
        """Wait until every writer has closed the stream."""
        await self._closed.wait()

    def close(self) -> None:
        """Read what is left without waiting, and let go."""
        if not self._closed.is_set():
            while self._read_once():
                pass
        if not self._closed.is_set():
            self._end()
        self._waiting.append(self._gate.rest())
        while self._waiting:
            self._tell(self._redacting.feed(self._waiting.popleft()))
        self._tell(self._redacting.flush())
        self.lines.skipped(*self._gate.missed())
        for piece in self._folder.end():
            self._hand_on(piece)
        self.lines.idle()

    def idle(self) -> None:
        """Call it every now and then: after a quiet while, what waits for more input is told."""
        if self._quiet and not self._waiting:
            for piece in self._folder.idle(self._redacting.peek()):
                self._observe(self.name, piece.text)
            self.lines.idle()
        self._quiet = True

    def _readable(self) -> None:
        until = time.monotonic() + _TURN_S
        while self._read_once() and time.monotonic() < until:
            pass

    def _read_once(self) -> bool:
        try:
            data = os.read(self._descriptor, _READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:  # EIO: the last program on a pseudo-terminal is gone
            data = b""
        if not data:
            self._end()
            return False
        self._quiet = False
        self._take(data)
        return True

    def _take(self, data: bytes) -> None:
        self._log.show(self.name, data)
        admitted = self._gate.admit(data, waiting=self._waiting_bytes)
        self.lines.skipped(*self._gate.missed())
        if not admitted:
            return
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._work)
        self._waiting.extend(admitted[place : place + _SLICE_BYTES] for place in range(0, len(admitted), _SLICE_BYTES))
        self._waiting_bytes += len(admitted)

    def _work(self) -> None:
        """Read one slice of what waits, and let the event loop drain the pipe before the next."""
        if not self._waiting:
            return
        data = self._waiting.popleft()
        self._waiting_bytes -= len(data)
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._work)
        self._tell(self._redacting.feed(data))

    def _tell(self, data: bytes) -> None:
        if not data:
            return
        self._log.write(self.name, data)
        for piece in self._folder.feed(data):
            self._hand_on(piece)

    def _hand_on(self, piece: Piece) -> None:
        if piece.text:
            self._observe(self.name, piece.text)
        self.lines.take(piece)

    def _end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)
        self._closed.set()


def pipe() -> tuple[int, int]:
    """A pipe with room for bursts: reading end, writing end."""
    reading, writing = os.pipe()
    with contextlib.suppress(OSError, AttributeError):  # Linux only, and bounded by a limit of the user
        fcntl.fcntl(reading, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return reading, writing


def terminal() -> tuple[int, int]:
    """A pseudo-terminal of 50 rows by 200 columns that passes bytes through as they are: our end, the program's end."""
    ours, theirs = pty.openpty()
    attributes = termios.tcgetattr(theirs)
    attributes[1] &= ~termios.OPOST  # LF stays LF instead of becoming CR LF
    attributes[3] &= ~termios.ECHO
    termios.tcsetattr(theirs, termios.TCSANOW, attributes)
    termios.tcsetwinsize(theirs, (50, 200))
    return ours, theirs
