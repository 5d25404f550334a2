"""What has to be known to go on with an upload after a kill: its id and which parts the server took.

One file beside the journal: a line that names the upload, then one for each part, appended when the server answered.
A kill may cost the last line; the server's own list of parts makes up for it.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

import msgspec


class Begun(msgspec.Struct, frozen=True):
    """An upload, and the file it is of as it was then.

    Attributes:
        part: Bytes of each part but the last.
        size: Bytes of the file.
    """

    key: str
    upload_id: str
    part: int
    size: int
    mtime_ns: int
    inode: int

    @property
    def parts(self) -> int:
        """How many there are."""
        return -(-self.size // self.part)

    def is_of(self, path: Path) -> bool:
        """Whether the file has not been changed since; raises OSError."""
        found = path.stat()
        return (found.st_size, found.st_mtime_ns, found.st_ino) == (self.size, self.mtime_ns, self.inode)


class Sent(msgspec.Struct, frozen=True):
    """A part that the server took.

    Attributes:
        tag: The server's name for its content.
        md5: Ours, hexadecimal.
    """

    number: int
    tag: str
    md5: str


class UploadNotes:
    """The notes on one upload, in `path`; None keeps them in memory only.

    Attributes:
        begun: The upload, None if there is none.
        sent: Its parts by number.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._turn = threading.Lock()
        self.begun: Begun | None = None
        self.sent: dict[int, Sent] = {}
        self._load()

    def _load(self) -> None:
        try:
            first, *others = self._path.read_bytes().split(b"\n") if self._path else [b""]
            self.begun = _begun(first)
        except (OSError, msgspec.MsgspecError):
            return
        for line in others:
            with contextlib.suppress(msgspec.MsgspecError):  # one that a kill cut
                part = _sent(line)
                self.sent[part.number] = part

    def begin(self, begun: Begun) -> Begun:
        """Note an upload in place of whatever there was; raises OSError."""
        self.begun, self.sent = begun, {}
        if self._path is not None:
            partial = self._path.with_name(f".{self._path.name}.{os.getpid()}")
            partial.write_bytes(msgspec.json.encode(begun) + b"\n")
            os.replace(partial, self._path)
        return begun

    def add(self, part: Sent) -> None:
        """Note a part; raises OSError, FileNotFoundError if the job was deleted meanwhile."""
        with self._turn:
            self.sent[part.number] = part
            if self._path is not None:
                descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND)
                try:
                    os.write(descriptor, msgspec.json.encode(part) + b"\n")
                finally:
                    os.close(descriptor)

    def forget(self) -> None:
        """The upload is over."""
        self.begun, self.sent = None, {}
        if self._path is not None:
            self._path.unlink(missing_ok=True)


_begun = msgspec.json.Decoder(Begun).decode
_sent = msgspec.json.Decoder(Sent).decode
