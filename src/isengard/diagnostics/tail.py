"""The last lines of a log that is rotated, read from its end: costs the lines and not the log."""

from __future__ import annotations

import re
from pathlib import Path

_BLOCK = 64 * 1024
_LONGEST_TAIL = 32 * 1024 * 1024
_NUMBER = re.compile(r"\.(\d+)$")


def last_lines(path: Path, count: int) -> list[bytes]:
    """The last `count` lines of a file with their line ends; fewer if it has fewer, or if they are over 32 MiB."""
    blocks: list[bytes] = []
    lines = held = 0
    try:
        with path.open("rb") as file:
            left = file.seek(0, 2)
            while left > 0 and lines <= count and held < _LONGEST_TAIL:
                size = min(_BLOCK, left)
                left -= size
                file.seek(left)
                blocks.append(file.read(size))
                lines += blocks[-1].count(b"\n")
                held += size
    except FileNotFoundError:
        return []
    found = b"".join(reversed(blocks)).splitlines(keepends=True)
    return (found if left == 0 else found[1:])[-count:]


def last_service_lines(folder: Path, service: str, count: int) -> list[bytes]:
    """The last `count` lines of a service's log, going back into its rotated files as far as needed."""
    found: list[bytes] = []
    for path in _newest_first(folder, service):
        found = last_lines(path, count - len(found)) + found
        if len(found) >= count:
            break
    return found


def _newest_first(folder: Path, service: str) -> list[Path]:
    """``api.log``, then ``api.log.1`` and so on."""
    return sorted(folder.glob(f"{service}.log*"), key=_age)


def _age(path: Path) -> int:
    match = _NUMBER.search(path.name)
    return int(match[1]) if match else 0
