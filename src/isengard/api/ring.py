"""The newest frames of one job, bounded in number and bytes, shared by every client of it.

A client holds a position, the number of the last frame it has. One whose position has left the ring reads on from the
journal file, so a slow client costs no memory here.
"""

from __future__ import annotations

from dataclasses import dataclass

from isengard.api.frames import Frame

CHUNK_BYTES = 64 * 1024
"""About how much is handed to a connection at once; beyond it the connection's own flow control decides."""
CHUNK_FRAMES = 512
MAX_FRAMES, MAX_BYTES = 2048, 1024 * 1024
"""Some seconds even of a busy job. Each watched job has a ring, so fifty of them hold some 50 MB at most."""
_SHARED_CHUNKS = 32


@dataclass(frozen=True, slots=True)
class Chunk:
    """Several frames in a row as one piece.

    Attributes:
        sse: Their bytes.
        frames: The frames themselves.
        position: Where a client stands once it has them.
        is_last: Whether the stream ends with them.
    """

    sse: bytes
    frames: tuple[Frame, ...]
    position: int
    is_last: bool


def chunk_of(frames: list[Frame]) -> Chunk:
    """`frames` (at least one) as one piece, cut off after `CHUNK_BYTES` or after a frame that ends the stream."""
    taken: list[Frame] = []
    size = 0
    for each in frames:
        taken.append(each)
        size += len(each.sse)
        if each.is_last or size >= CHUNK_BYTES:
            break
    return Chunk(b"".join(each.sse for each in taken), tuple(taken), taken[-1].seq, taken[-1].is_last)


class Ring:
    """The newest frames in a row without a gap.

    Args:
        position: Number of the last line before the ring begins.
        max_frames: How many frames are kept at most.
        max_bytes: How many bytes of frames are kept at most.
    """

    def __init__(self, position: int, *, max_frames: int = MAX_FRAMES, max_bytes: int = MAX_BYTES) -> None:
        self._frames: list[Frame] = []
        self._floor = position
        self._bytes = 0
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._chunks: dict[int, Chunk] = {}

    @property
    def head(self) -> int:
        """Number of the newest line; the position of a client that has everything."""
        return self._floor + len(self._frames)

    def holds(self, position: int) -> bool:
        """Whether everything after `position` up to the head is here."""
        return position >= self._floor

    def append(self, frames: list[Frame]) -> None:
        """Add the frames that follow the head."""
        self._frames.extend(frames)
        self._bytes += sum(len(each.sse) for each in frames)
        self._chunks.clear()
        if len(self._frames) > self._max_frames or self._bytes > self._max_bytes:
            self._drop_older_half()

    def clear(self) -> None:
        """Forget the frames but not the position: clients that lag read from the file."""
        self._floor = self.head
        self._frames.clear()
        self._chunks.clear()
        self._bytes = 0

    def after(self, position: int) -> Chunk | None:
        """What follows `position`, which the ring must hold; None if nothing does yet.

        The clients of a busy job mostly stand at the same place: the joined bytes are made once for all of them.
        """
        chunk = self._chunks.get(position)
        if chunk is None and position < self.head:
            start = position - self._floor
            chunk = chunk_of(self._frames[start : start + CHUNK_FRAMES])
            if len(self._chunks) < _SHARED_CHUNKS:  # clients that lag each stand elsewhere; theirs are not shared
                self._chunks[position] = chunk
        return chunk

    def _drop_older_half(self) -> None:
        """In one go, so that dropping costs nothing a frame."""
        dropped = 0
        while dropped < len(self._frames) - 1 and (
            len(self._frames) - dropped > self._max_frames // 2 or self._bytes > self._max_bytes // 2
        ):
            self._bytes -= len(self._frames[dropped].sse)
            dropped += 1
        del self._frames[:dropped]
        self._floor += dropped
