"""A journal line as a person reads it in a terminal: one line each, a stack below the line that brought it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from isengard.cli.humanize import figure, span
from isengard.cli.terminal import inert, inert_line

if TYPE_CHECKING:
    from isengard.journal import Entry

_ANSI = {"ERROR": "\x1b[31m", "WARN": "\x1b[33m", "DEBUG": "\x1b[2m"}
_RESET = "\x1b[0m"
# What the words below say already, what every line repeats, and what is shown as a block of its own.
_SAID = frozenset({"step", "steps_total", "loss", "lr", "eta_seconds", "stage", "status", "error", "error_type"})
_SILENT = frozenset(
    {"attempt", "report", "progress_pct", "it_per_s", "error_stack", "config", "job_id", "gpu", "message"}
    | {"request_fingerprint", "failure_fingerprint", "last_lines", "traceparent", "created_at"}
)
_LONGEST = 100


def render(entry: Entry, *, colour: bool) -> str:
    """The entry as text without a line feed at its end; everything in it that came from outside is inert."""
    line = f"{entry.ts[11:23]} {entry.level:<5} {entry.event:<19} {inert_line(_words(entry))}".rstrip()
    stack = entry.fields.get("error_stack")
    if stack:
        line += "\n" + "\n".join(f"    {part}" for part in inert(str(stack)).rstrip().split("\n"))
    start = _ANSI.get(entry.level, "") if colour else ""
    return f"{start}{line}{_RESET}" if start else line


def _words(entry: Entry) -> str:
    fields = entry.fields
    parts = [entry.msg] if entry.msg else []
    parts += _progress(fields)
    if fields.get("error") and fields["error"] not in entry.msg:
        parts.append(f"{fields.get('error_type', 'Error')}: {fields['error']}")
    parts += [f"{name}={_short(value)}" for name, value in fields.items() if name not in _SAID | _SILENT]
    return "  ".join(parts)


def _short(value: Any) -> str:
    """A value's beginning: the whole of it is for --json."""
    if isinstance(value, Mapping) and isinstance(value.get("title"), str):  # a cause: what it is called
        return str(value["title"])
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _progress(fields: Mapping[str, Any]) -> list[str]:
    parts = []
    if fields.get("step") is not None:
        total = fields.get("steps_total")
        parts.append(f"step {fields['step']}/{total}" if total else f"step {fields['step']}")
    elif fields.get("stage"):
        parts.append(str(fields["stage"]))
    if fields.get("loss") is not None:
        parts.append(f"loss {figure(fields['loss'])}")
    if fields.get("lr") is not None:
        parts.append(f"lr {figure(fields['lr'])}")
    if fields.get("eta_seconds") is not None:
        parts.append(f"eta {span(fields['eta_seconds'])}")
    return parts
