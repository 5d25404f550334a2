"""Streams: bytes in, redacted bytes out, with what cannot be judged yet held back.

Whatever the split, the output put together is what the whole text would have become. The last line is held back until
it is complete, a line that may go on in the next one with it, and never more than `scanner.CAP` characters. Bytes that
are no UTF-8 pass unharmed. Not safe for several threads at once.
"""

from __future__ import annotations

import codecs

from isengard.core.redaction.engine import Engine
from isengard.core.redaction.scanner import Scanner


class StreamRedactor:
    """Masks secrets in a stream of bytes that may be split anywhere; made by `Redactor.stream`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._scanner = Scanner(engine)
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes; return, redacted, those that can be judged by now."""
        return self._masked(self._decoder.decode(data), last=False)

    def flush(self) -> bytes:
        """Return, redacted, what is still held back. The stream may go on afterwards, as a new one."""
        return self._masked(self._decoder.decode(b"", final=True), last=True)

    def peek(self) -> bytes:
        """What is held back as it would come out now, to be shown; it stays held, for more may belong to it."""
        return self._engine.mask(self._scanner.held).encode("utf-8", "surrogateescape")

    def _masked(self, text: str, *, last: bool) -> bytes:
        pieces = [piece.text if piece.clean else self._engine.mask(piece.text) for piece in self._scanner.feed(text)]
        if last:
            pieces += [self._engine.mask(piece.text) for piece in self._scanner.flush()]
        return "".join(pieces).encode("utf-8", "surrogateescape")
