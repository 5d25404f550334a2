"""Finds Python tracebacks in a stream of lines and keeps each whole. Never interprets what went wrong.

What real launchers print around them is told apart here: the prefixes of ranks, messages of several lines, the
launcher's own traceback that says no more than that its child failed, and those of a Python that is shutting down.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import IntEnum

HEADING = "Traceback (most recent call last):"
WRAPPERS = frozenset({"CalledProcessError", "ChildFailedError", "ProcessExitedException"})
"""Exceptions with which a launcher says that the process it started has failed."""

_EXCEPTION = re.compile(r"(?P<type>[A-Za-z_][\w.]*)(?::\s*(?P<message>.*))?")
_CHAIN = (
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)
_RANK = re.compile(r"(?:\[(?:rank|default|proc)?\d+\]:|\(\w+ pid=\d+[^)]{0,40}\)|\d{1,4}:) ?")
"""What torchrun, Ray and srun put before every line of a process."""

_ASIDE = re.compile(r"Exception ignored in|Error in atexit|--- Logging error ---|Exception in thread ")
_BAR = re.compile(r"\s*\d+%\|")
_SAYS_NOTHING_YET = re.compile(r"|.*:|\(?Request ID: [^)]*\)?\.?")
"""A message whose first line only opens it, as the hub's with the number of a request."""

_MAX_LINES = 2000
_MAX_TAIL = 50
_MAX_MESSAGE_LINES = 20


class Weight(IntEnum):
    """How much a traceback says about why the process ended."""

    ASIDE = 0
    WRAPPER = 1
    ERROR = 2


@dataclass(frozen=True, slots=True)
class Traceback:
    """A traceback as it was printed.

    Attributes:
        error_type: The last exception's type without its module.
        message: What it says, all its lines.
        text: The whole of it.
        name: The type as it was printed, with its module.
    """

    error_type: str
    message: str
    text: str
    name: str = ""


@dataclass(slots=True)
class _Stack:
    """The traceback that one process is printing.

    Attributes:
        lines: Its lines, a chained one's before it included.
        ended: Whether its exception line was seen.
        message: The lines of its message.
        tail: What followed its end without belonging to it, for the case that a chained one comes.
        before: The last line before it.
    """

    lines: list[str] = field(default_factory=list)
    ended: bool = False
    message: list[str] = field(default_factory=list)
    tail: list[str] = field(default_factory=list)
    before: str = ""


class TracebackCollector:
    """Feed it every line of one stream.

    Attributes:
        newest: The newest whole traceback, chained ones joined.
        last: The one that tells why the process ended: the newest, unless that is only what came of another.
        began: Whether the line fed last began a traceback that belongs to no earlier one.
    """

    def __init__(self) -> None:
        self.newest: Traceback | None = None
        self.last: Traceback | None = None
        self.began = False
        self._weight = Weight.ASIDE
        self._rank = ""
        self._steps_since = 0
        self._stacks: dict[str, _Stack] = {}

    def feed(self, line: str) -> bool:
        """Take the next line; returns whether it belongs to a traceback."""
        self.began = False
        prefix = _RANK.match(line)
        rank = prefix[0].strip() if prefix else ""
        text = line[prefix.end() :] if prefix else line
        stack = self._stacks.get(rank)
        if HEADING in text:
            return self._begin(rank, text)
        if stack is None:
            if not prefix or text.strip():
                self._note(rank, text)
            return False
        if not stack.lines:
            stack.before = text
            return False
        return self._after_end(rank, stack, text) if stack.ended else self._inside(rank, stack, text)

    def worked(self) -> None:
        """The process got further in its work: after two such steps, what it printed before is not why it will end.

        One step is not enough: a bar that is closed at the end may show the step that was not painted before.
        """
        self._steps_since += 1
        if self._steps_since > 1:
            self.last = None
            self._weight = Weight.ASIDE

    def _note(self, rank: str, text: str) -> None:
        if not rank or _ASIDE.match(text):
            self._stacks[rank] = _Stack(before=text)

    def _begin(self, rank: str, text: str) -> bool:
        stack = self._stacks.setdefault(rank, _Stack())
        at = text.index(HEADING)
        so_far = stack.lines + stack.tail
        chained = stack.ended and (any(mark in so_far[-2:] for mark in _CHAIN) or text[:at] == "Original ")
        before = stack.before if chained or not stack.ended else (so_far or [""])[-1]
        self.began = not chained and all(each.ended or not each.lines for each in self._stacks.values())
        lines = so_far if chained and len(so_far) < _MAX_LINES else []
        self._stacks[rank] = _Stack(lines=[*lines, text[at:]], before=before)
        return True

    def _inside(self, rank: str, stack: _Stack, text: str) -> bool:
        if len(stack.lines) >= _MAX_LINES:
            self._stacks[rank] = _Stack()
            return False
        stack.lines.append(text)
        match = _EXCEPTION.match(text)
        if match:
            stack.ended = True
            stack.message = [(match["message"] or "").strip()] if match["message"] is not None else []
            self._keep(rank, stack, match["type"])
        return True

    def _after_end(self, rank: str, stack: _Stack, text: str) -> bool:
        if not stack.tail and self._is_message(stack, text):
            stack.lines.append(text)
            stack.message.append(text.strip())
            self._grow(stack)
            return True
        if not stack.tail and (not text.strip() or text in _CHAIN):
            stack.lines.append(text)
            return bool(text.strip())
        stack.tail.append(text)
        if len(stack.tail) > _MAX_TAIL:
            self._stacks[rank] = _Stack(before=text)
        return text in _CHAIN

    def _is_message(self, stack: _Stack, text: str) -> bool:
        """Whether `text` goes on with the message: it is indented, or what there is of the message says nothing yet."""
        if not text.strip() or text in _CHAIN or not stack.message or len(stack.message) >= _MAX_MESSAGE_LINES:
            return False
        indented = text[0] in " \t" and not _BAR.match(text) and bool(stack.lines[-1].strip())
        return indented or all(_SAYS_NOTHING_YET.fullmatch(line) for line in stack.message)

    def _keep(self, rank: str, stack: _Stack, name: str) -> None:
        error_type = name.rsplit(".", 1)[-1]
        self._steps_since = 0
        self.newest = Traceback(error_type, _message(stack), "\n".join(stack.lines), name)
        weight = Weight.WRAPPER if error_type in WRAPPERS else Weight.ERROR
        if _ASIDE.match(stack.before):
            weight = Weight.ASIDE
        first = self.last is None or weight > self._weight
        if first or (weight is Weight.ERROR and (rank == self._rank or not self._rank)):
            self.last, self._weight, self._rank = self.newest, weight, rank

    def _grow(self, stack: _Stack) -> None:
        """The newest traceback has one more line of its message."""
        if self.newest is None:
            return
        grown = replace(self.newest, message=_message(stack), text="\n".join(stack.lines))
        self.last = grown if self.last is self.newest else self.last
        self.newest = grown


def _message(stack: _Stack) -> str:
    return "\n".join(line for line in stack.message if line)
