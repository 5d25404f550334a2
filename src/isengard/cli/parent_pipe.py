"""A pipe between `isengard up` and its children: it closes when the parent dies, however it dies, and they end.

The parent holds the write end and writes nothing; the kernel closes it with the process, kill -9 included.
"""

from __future__ import annotations

import os
import signal
import threading


class ParentPipe:
    """The parent's side. Keep it as long as the children are to live."""

    def __init__(self) -> None:
        self.read_end, self._write_end = os.pipe()  # neither is inherited unless handed down by `pass_fds`

    def close(self) -> None:
        """Let the children go."""
        os.close(self._write_end)
        os.close(self.read_end)


def follow(read_end: int) -> None:
    """The child's side: end this process by SIGTERM, so in good order, when the parent is gone."""

    def watch() -> None:
        while os.read(read_end, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    os.set_inheritable(read_end, False)
    threading.Thread(target=watch, name="lifeline", daemon=True).start()
