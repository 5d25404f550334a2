"""Wakes readers when a file or folder changes, whoever changed it. There is no polling: the kernel tells.

`watch` and `Watch` are for asyncio: all of a loop's watches share one descriptor. `BlockingWatch` is for threads. A
path may be a folder (names in it come and go), a file, or something that does not exist yet.

A wake-up says "look again": there is one at least after every change, sometimes one too many, and never a list of what
changed. So the order is always: watch, look, wait, look.
"""

from __future__ import annotations

import asyncio
import select
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Protocol, Self
from weakref import WeakKeyDictionary

Change = tuple[int, str | None, bool, bool]
"""Token (-1: anything), name if known, whether a name has come or gone, whether the watch has to be made anew."""


class Backend(Protocol):
    """What a system offers for watching."""

    fd: int

    def add(self, folder: Path, name: str | None) -> list[int]:
        """Watch `folder` and, where files have to be watched one by one, the file `name` in it."""
        ...

    def remove(self, token: int) -> None:
        """Stop watching."""
        ...

    def read(self) -> list[Change]:
        """What changed."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


def new_backend() -> Backend:
    """The backend of this system."""
    if sys.platform == "linux":
        from isengard.journal.inotify import Inotify  # noqa: PLC0415 - exists on this system only

        return Inotify()
    else:  # noqa: RET505 - the type checker leaves out the other system's branch only as a branch
        from isengard.journal.kqueue import Kqueue  # noqa: PLC0415 - exists on that system only

        return Kqueue()


class _Aim:
    """Keeps watches where they tell of some paths, on the nearest folders that exist."""

    def __init__(self, backend: Backend, paths: tuple[Path, ...]) -> None:
        self._backend = backend
        self._paths = paths
        self._places: set[tuple[Path, str | None]] = set()
        self._stale = True
        self.names: dict[int, set[str | None]] = {}
        self.moved = True

    def take(self) -> set[int]:
        """Watch what is to be watched now, until nothing moved meanwhile; returns the tokens no longer needed."""
        if not self.moved:  # a write into a file, as mostly: nothing to look for
            return set()
        before = set(self.names)
        while True:
            places = {_place(path) for path in self._paths}
            if places == self._places and not self._stale:
                self.moved = False
                return before - self.names.keys()
            try:
                self._watch(places)
            except (FileNotFoundError, NotADirectoryError):
                continue  # removed between the look and the watch: look again, further up

    def _watch(self, places: set[tuple[Path, str | None]]) -> None:
        names: dict[int, set[str | None]] = {}
        for folder, name in places:
            for token in self._backend.add(folder, name):
                names.setdefault(token, set()).add(name)
        self.names, self._places, self._stale = names, places, False

    def concerns(self, change: Change) -> bool:
        """Whether a change may be one of ours; notes if the watches may have to be elsewhere now, or made anew."""
        token, name, moved, lost = change
        if token >= 0:
            wanted = self.names.get(token, ())
            if not (wanted and (lost or name is None or None in wanted or name in wanted)):
                return False
        self._stale = self._stale or lost
        self.moved = self.moved or moved or lost
        return True


def _place(path: Path) -> tuple[Path, str | None]:
    """The folder to watch for `path`, and the name in it that matters (None: any)."""
    if path.is_dir():
        return path, None
    while not path.parent.is_dir() and path.parent != path:
        path = path.parent
    return path.parent, path.name


class Watch:
    """Waits for changes in asyncio::

        async with Watch(path) as changes:
            look()
            while True:
                await changes.wait()
                look()

    Raises:
        StorageError: On entering, if the system has no watch left to give.
    """

    def __init__(self, *paths: Path) -> None:
        self._paths = paths
        self._woken = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._hub = _Hub.of_running_loop()
        self._hub.join(self, self._paths)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hub.leave(self)

    async def wait(self) -> None:
        """Sleep until something changed since the last `wait` (or since entering)."""
        await self._woken.wait()
        self._woken.clear()
        self._hub.aim_again(self)

    def wake(self) -> None:
        """Wake the waiter as a change would; from the loop's own thread."""
        self._woken.set()


async def watch(*paths: Path) -> AsyncIterator[None]:
    """Yield at once and then after every change at `paths`."""
    async with Watch(*paths) as changes:
        while True:
            yield
            await changes.wait()


class _Hub:
    """One backend for all watches of an event loop; opened by the first, closed by the last."""

    # A descriptor belongs to the loop that reads it; the loop offers no place of its own for such things.
    _of_loop: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, _Hub]] = WeakKeyDictionary()

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._backend = new_backend()
        self._aims: dict[Watch, _Aim] = {}
        self._watches_of: dict[int, set[Watch]] = {}
        loop.add_reader(self._backend.fd, self._read)

    @classmethod
    def of_running_loop(cls) -> _Hub:
        loop = asyncio.get_running_loop()
        if loop not in cls._of_loop:
            cls._of_loop[loop] = cls(loop)
        return cls._of_loop[loop]

    def join(self, watch: Watch, paths: tuple[Path, ...]) -> None:
        self._aims[watch] = _Aim(self._backend, paths)
        try:
            self.aim_again(watch)
        except BaseException:
            self.leave(watch)
            raise

    def aim_again(self, watch: Watch) -> None:
        """Watch where it is needed now, and no longer where nobody needs it."""
        aim = self._aims[watch]
        if not aim.moved:
            return
        dropped = aim.take()
        for token in aim.names:
            self._watches_of.setdefault(token, set()).add(watch)
        self._drop(watch, dropped)

    def leave(self, watch: Watch) -> None:
        self._drop(watch, set(self._aims.pop(watch).names))
        if not self._aims:
            self._loop.remove_reader(self._backend.fd)
            self._backend.close()
            del self._of_loop[self._loop]

    def _drop(self, watch: Watch, tokens: set[int]) -> None:
        for token in tokens:
            watches = self._watches_of.get(token, set())
            watches.discard(watch)
            if not watches:
                self._watches_of.pop(token, None)
                self._backend.remove(token)

    def _read(self) -> None:
        for change in dict.fromkeys(self._backend.read()):
            for watch in self._aims if change[0] < 0 else self._watches_of.get(change[0], ()):
                if self._aims[watch].concerns(change):
                    watch.wake()


class BlockingWatch:
    """Waits for changes in a thread; a context manager.

    Raises:
        StorageError: The system has no watch left to give.
    """

    def __init__(self, *paths: Path) -> None:
        self._backend = new_backend()
        self._poll = select.poll()
        self._poll.register(self._backend.fd, select.POLLIN)
        self._aim = _Aim(self._backend, paths)
        try:
            self._aim.take()
        except BaseException:
            self._backend.close()
            raise

    def wait(self, timeout_s: float | None = None) -> bool:
        """Sleep until something changed since the last `wait` or the making; False after `timeout_s`."""
        while self._poll.poll(None if timeout_s is None else timeout_s * 1000):
            concerns = [self._aim.concerns(change) for change in self._backend.read()]
            if any(concerns):
                for token in self._aim.take():
                    self._backend.remove(token)
                return True
        return False

    def close(self) -> None:
        """Let go of the watch."""
        self._backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
