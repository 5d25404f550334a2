"""macOS tells of changes in folders and files: a thin layer over kqueue(2), no more than `notify.py` needs.

A folder tells of names that come and go; a write shows only at the file itself, so a named file is watched as well.
"""

from __future__ import annotations

import os
import select
import sys
from pathlib import Path

assert sys.platform != "linux"  # noqa: S101 - lets the type checker skip what only BSD systems have

_EVTONLY = getattr(os, "O_EVTONLY", os.O_RDONLY)


class Kqueue:
    """Watches folders and files. Tokens are the descriptors that are held open for it."""

    def __init__(self) -> None:
        self._queue = select.kqueue()
        self.fd = self._queue.fileno()
        self._tokens: dict[tuple[Path, str | None], int] = {}

    def add(self, folder: Path, name: str | None) -> list[int]:
        """Watch `folder`, and the file `name` in it if it is there; their tokens. Raises OSError."""
        tokens = [self._open(folder, None)]
        if name is not None and (folder / name).is_file():
            tokens.append(self._open(folder, name))
        return tokens

    def _open(self, folder: Path, name: str | None) -> int:
        if (folder, name) in self._tokens:
            return self._tokens[folder, name]
        token = os.open(folder / name if name else folder, _EVTONLY | os.O_CLOEXEC)
        flags = select.KQ_NOTE_WRITE | select.KQ_NOTE_EXTEND | select.KQ_NOTE_ATTRIB
        flags |= select.KQ_NOTE_DELETE | select.KQ_NOTE_RENAME
        change = select.kevent(token, select.KQ_FILTER_VNODE, select.KQ_EV_ADD | select.KQ_EV_CLEAR, flags)
        self._queue.control([change], 0)
        self._tokens[folder, name] = token
        return token

    def remove(self, token: int) -> None:
        """Stop watching."""
        self._tokens = {key: value for key, value in self._tokens.items() if value != token}
        os.close(token)

    def read(self) -> list[tuple[int, str | None, bool, bool]]:
        """What changed since the last call: token, no name, whether it has to be looked for, and watched, anew."""
        return [(event.ident, None, True, True) for event in self._queue.control(None, 256, 0)]

    def close(self) -> None:
        """Close the queue and everything that was watched."""
        for token in self._tokens.values():
            os.close(token)
        self._queue.close()
