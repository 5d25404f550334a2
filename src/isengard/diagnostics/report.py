"""The bundle's ``report.html``: one job on one page that opens anywhere, without a server and without a network.

Inert: no script, no link, no frame, everything from the job escaped, and a Content-Security-Policy of its own that
allows nothing but the inline style and pictures that are part of the file.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image

from isengard.diagnostics.first_error import FirstError
from isengard.journal import Entry

MAX_PICTURES = 24
_THUMB = 160
_MAX_PIXELS = 40_000_000
_CHART = (720, 200)

_STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}
td,th{text-align:left;vertical-align:top;padding:.2rem .6rem .2rem 0;border-bottom:1px solid #8884}
th{font-weight:600;white-space:nowrap;width:12rem}
pre{overflow:auto;background:#8881;padding:.8rem;border-radius:6px;font-size:13px}
pre{white-space:pre-wrap;overflow-wrap:anywhere}
.error{border-left:4px solid #c33;padding-left:1rem}
.strip{display:flex;flex-wrap:wrap;gap:.6rem}.strip figure{margin:0;width:160px}
.strip img{width:160px;height:auto;border-radius:4px}figcaption{font-size:12px;overflow-wrap:anywhere}
svg{width:100%;height:auto}polyline{fill:none;stroke:#36c;stroke-width:1.5}text{font-size:11px;fill:currentColor}
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


@dataclass(slots=True)
class Report:
    """What goes onto the page; all of it redacted already.

    Attributes:
        facts: The lines of the table at the top.
        losses: Step and loss.
        pictures: Sample files with what to write below each.
        lines: The last journal lines.
    """

    title: str
    facts: Mapping[str, Any]
    config: Mapping[str, Any]
    first_error: FirstError | None = None
    losses: Sequence[tuple[int, float]] = ()
    pictures: Sequence[tuple[Path, str]] = ()
    lines: Sequence[Entry] = ()
    notes: Sequence[str] = field(default_factory=tuple)


def render(report: Report) -> bytes:
    """The page in UTF-8."""
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">',
        '<meta name="viewport" content="width=device-width"><meta name="referrer" content="no-referrer">',
        f"<title>{escape(report.title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(report.title)}</h1>",
        _table(report.facts),
        _error(report.first_error),
        _section("Loss", _chart(report.losses)),
        _section("Samples", _strip(report.pictures)),
        _section("Configuration", _table(report.config)),
        _section("Last lines", _lines(report.lines)),
        _section("About this file", "".join(f"<p>{escape(note)}</p>" for note in report.notes)),
        "</body></html>\n",
    ]
    return "".join(parts).encode("utf-8", "replace")


def _section(title: str, content: str) -> str:
    return f"<h2>{escape(title)}</h2>{content}" if content else ""


def _table(rows: Mapping[str, Any]) -> str:
    cells = "".join(
        f"<tr><th>{escape(str(name))}</th><td>{escape(_shown(value))}</td></tr>"
        for name, value in rows.items()
        if value not in (None, "", [], {})
    )
    return f"<table>{cells}</table>" if cells else ""


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _error(error: FirstError | None) -> str:
    if error is None:
        return ""
    advice = "".join(f"<li>{escape(each)}</li>" for each in error.cause.advice)
    context = _lines([*error.before, error.entry, *error.after])
    stack = f"<pre>{escape(error.stack)}</pre>" if error.stack else ""
    return (
        f'<h2>First error</h2><div class="error"><p><strong>{escape(error.entry.msg)}</strong></p>'
        f"<p>{escape(error.cause.title)}. {escape(error.cause.explanation)}</p><ul>{advice}</ul>{stack}</div>"
        f"<h2>Lines around it</h2>{context}"
    )


def _lines(entries: Iterable[Entry]) -> str:
    text = "\n".join(f"{each.seq:>7}  {each.ts}  {each.level:<5}  {each.event:<20}  {each.msg}" for each in entries)
    return f"<pre>{escape(text)}</pre>" if text else ""


def _chart(points: Sequence[tuple[int, float]]) -> str:
    if len(points) < 2:
        return ""
    width, height = _CHART
    first, last = points[0][0], points[-1][0]
    low, high = min(value for _, value in points), max(value for _, value in points)
    across, up = max(1, last - first), (high - low) or 1.0
    line = " ".join(
        f"{(step - first) / across * width:.1f},{height - (value - low) / up * height:.1f}" for step, value in points
    )
    return (
        f'<svg viewBox="-60 -12 {width + 70} {height + 34}" role="img" aria-label="loss over steps">'
        f'<polyline points="{line}"/>'
        f'<text x="-56" y="4">{high:.4g}</text><text x="-56" y="{height}">{low:.4g}</text>'
        f'<text x="0" y="{height + 18}">step {first}</text>'
        f'<text x="{width - 60}" y="{height + 18}">step {last}</text></svg>'
    )


def _strip(pictures: Sequence[tuple[Path, str]]) -> str:
    figures = []
    for path, caption in pictures[:MAX_PICTURES]:
        thumb = _thumbnail(path)
        if thumb:
            source = base64.b64encode(thumb).decode()
            figures.append(
                f'<figure><img alt="" src="data:image/jpeg;base64,{source}">'
                f"<figcaption>{escape(caption)}</figcaption></figure>"
            )
    return f'<div class="strip">{"".join(figures)}</div>' if figures else ""


def _thumbnail(path: Path) -> bytes | None:
    """A small JPEG drawn anew, so nothing of the file but its picture; None for what is no picture of a sane size."""
    try:
        with Image.open(path, formats=("PNG", "JPEG", "WEBP")) as image:
            if image.width * image.height > _MAX_PIXELS:
                return None
            image.thumbnail((_THUMB * 2, _THUMB * 2))
            buffer = io.BytesIO()
            image.convert("RGB").save(buffer, "JPEG", quality=82)
            return buffer.getvalue()
    except (OSError, ValueError, SyntaxError):
        return None
