"""Linux tells of changes in folders: a thin layer over inotify(7), no more than `notify.py` needs."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from pathlib import Path

from isengard.core.errors import StorageError

_MODIFY, _ATTRIB, _CLOSE_WRITE = 0x2, 0x4, 0x8
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF = 0x400, 0x800
_UNMOUNT, _OVERFLOW, _IGNORED = 0x2000, 0x4000, 0x8000
_ONLYDIR = 0x01000000
# One mask for all: watching a folder twice gives the same watch, and the later mask would replace the earlier.
_MASK = (
    _MODIFY
    | _ATTRIB
    | _CLOSE_WRITE
    | _MOVED_FROM
    | _MOVED_TO
    | _CREATE
    | _DELETE
    | _DELETE_SELF
    | _MOVE_SELF
    | _ONLYDIR
)
_MOVED = _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE
_LOST = _DELETE_SELF | _MOVE_SELF | _UNMOUNT | _IGNORED
_HEAD = struct.Struct("iIII")
_BUFFER = 64 * 1024
EVERYTHING = -1
"""The token of a change that may concern any watch: the kernel's queue ran over."""


class Inotify:
    """Watches folders. Tokens are inotify's watch descriptors.

    Raises:
        StorageError: The system has no instance left to give.
    """

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.fd: int = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            raise StorageError(_reason("cannot watch for changes", "fs.inotify.max_user_instances"))

    def add(self, folder: Path, _name: str | None) -> list[int]:
        """Watch `folder`; its token. Raises OSError if it is not there, `StorageError` at the system's limit."""
        token: int = self._libc.inotify_add_watch(self.fd, os.fsencode(folder), ctypes.c_uint32(_MASK))
        if token >= 0:
            return [token]
        if ctypes.get_errno() == errno.ENOSPC:
            raise StorageError(_reason(f"cannot watch {folder}", "fs.inotify.max_user_watches"))
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(folder))

    def remove(self, token: int) -> None:
        """Stop watching; a watch that is gone already is none of our business."""
        self._libc.inotify_rm_watch(self.fd, token)

    def read(self) -> list[tuple[int, str | None, bool, bool]]:
        """What changed since the last call: token, name in the folder, whether that came or went, whether the watch is
        of no more use.
        """
        try:
            data = os.read(self.fd, _BUFFER)
        except BlockingIOError:
            return []
        changes: list[tuple[int, str | None, bool, bool]] = []
        position = 0
        while position < len(data):
            token, mask, _cookie, length = _HEAD.unpack_from(data, position)
            position += _HEAD.size + length
            name = os.fsdecode(data[position - length : position].rstrip(b"\0")) if length else None
            if mask & _OVERFLOW:
                changes.append((EVERYTHING, None, True, False))
            else:
                changes.append((token, name, bool(mask & _MOVED), bool(mask & _LOST)))
        return changes

    def close(self) -> None:
        """Give the instance back."""
        os.close(self.fd)


def _reason(what: str, setting: str) -> str:
    return f"{what}: {os.strerror(ctypes.get_errno())} (the limit is {setting})"
