"""Finds a short text in a lot of bytes, letter case of ASCII ignored, without holding the interpreter for long.

The pair of neighbouring bytes of the text that is rarest in this kind of data is looked for at once, two bytes at a
time; what else belongs to the text is compared only where the pair was found, the rarest first.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]

_FOLD = np.array([byte | 32 if 65 <= byte <= 90 else byte for byte in range(256)], np.uint8)
_NOWHERE: Places = np.empty(0, np.int64)
_SAMPLE = 1 << 16
_EIGHT = np.arange(8)


class Needle:
    """One text to look for. Keeps room to work in: fresh memory for each piece would cost more than looking at it.

    Args:
        text: In lower case.
    """

    def __init__(self, text: bytes) -> None:
        self._bytes = np.frombuffer(text, np.uint8)
        self._order: list[int] = []
        self._pair_at = 0
        self._make_room(0)

    def __len__(self) -> int:
        return len(self._bytes)

    def places(self, data: Bytes) -> Places:
        """Where the text begins in `data`, ascending."""
        if not 0 < len(self) <= len(data):
            return _NOWHERE
        if not self._order:
            self._plan(data[:_SAMPLE])
        found = self._candidates(data) - self._pair_at
        found = found[(found >= 0) & (found <= len(data) - len(self))]
        for place in self._order:
            if not len(found):
                break
            found = found[_FOLD[data[found + place]] == self._bytes[place]]
        return found

    def _plan(self, sample: Bytes) -> None:
        """Decide by a sample of the data which pair to look for and in which order to compare the rest."""
        folded = _FOLD[sample]
        counts = np.bincount(folded, minlength=256)
        self._order = np.argsort(counts[self._bytes], kind="stable").tolist()
        pairs = [
            np.count_nonzero((folded[:-1] == one) & (folded[1:] == other))
            for one, other in zip(self._bytes[:-1], self._bytes[1:], strict=True)
        ]
        self._pair_at = int(np.argmin(pairs)) if pairs else 0

    def _candidates(self, data: Bytes) -> Places:
        """Where the pair stands, and a few places more: one bit of each byte, that of a letter's case, is ignored."""
        if len(data) > len(self._folded):
            self._make_room(len(data))
        if len(self) == 1:
            folded = np.bitwise_or(data, 32, out=self._folded[: len(data)])
            return _where(np.equal(folded, self._bytes[0] | 32, out=self._hits[: len(data)]))
        wanted = (self._bytes[self._pair_at : self._pair_at + 2] | 32).view(np.uint16)[0]
        even, odd = (2 * _where(self._pairs(data[start:], wanted)) + start for start in (0, 1))
        return np.sort(np.concatenate((even, odd)))

    def _pairs(self, data: Bytes, wanted: np.uint16) -> Flags:
        """Which of the pairs (0, 1), (2, 3) and so on are the wanted one."""
        count = len(data) // 2
        folded = np.bitwise_or(data[: 2 * count], 32, out=self._folded[: 2 * count])
        return np.equal(folded.view(np.uint16), wanted, out=self._hits[:count])

    def _make_room(self, size: int) -> None:
        self._folded = np.empty(size, np.uint8)
        self._hits = np.empty(size, np.bool_)


def _where(hits: Flags) -> Places:
    """The places that are true; eight are passed over at once where there are few."""
    whole = len(hits) // 8 * 8
    words = np.flatnonzero(hits[:whole].view(np.uint64) != 0)
    if len(words) * 4 > whole // 8:
        return np.flatnonzero(hits)
    places = (words[:, None] * 8 + _EIGHT).ravel()
    return np.concatenate((places[hits[places]], whole + np.flatnonzero(hits[whole:])))
