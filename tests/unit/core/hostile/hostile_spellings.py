"""Spellings: what becomes of a known value on its way through encoders, quoters, wrappers and loggers."""

from __future__ import annotations

import base64
import binascii
import html
import json
import shlex
import xml.sax.saxutils
from collections.abc import Callable
from urllib.parse import quote, quote_plus, urlencode

from hostile_kinds import ALNUM, Rng, letters

Spelling = Callable[[str], str]


def _b64(before: bytes, after: bytes, *, url: bool = False, wrap: int = 0) -> Spelling:
    def spell(value: str) -> str:
        encode = base64.urlsafe_b64encode if url else base64.b64encode
        text = encode(before + value.encode() + after).decode()
        return wrapped(text, wrap) if wrap else text

    return spell


def wrapped(text: str, width: int, joint: str = "\n") -> str:
    """`text` in lines of `width` characters."""
    return joint.join(text[at : at + width] for at in range(0, len(text), width))


def _js(value: str, times: int, *, ascii_only: bool = True) -> str:
    for _ in range(times):
        value = json.dumps(value, ensure_ascii=ascii_only)
    return value


SPELLINGS: dict[str, Spelling] = {
    "clear": lambda value: f"the value {value} was given",
    "repr": repr,
    "bytes repr": lambda value: repr(value.encode()),
    "repr twice": lambda value: repr(repr(value)),
    "url": lambda value: quote(value, safe=""),
    "url path": quote,
    "url form": lambda value: urlencode({"x": value}),
    "url small": lambda value: _small_percent(quote(value, safe="")),
    "url twice": lambda value: quote(quote(value, safe=""), safe=""),
    "url form twice": lambda value: quote_plus(quote_plus(value)),
    "url every byte": lambda value: "".join(f"%{byte:02x}" for byte in value.encode()),
    "json": lambda value: _js(value, 1),
    "json unicode": lambda value: _js(value, 1, ascii_only=False),
    "json twice": lambda value: _js(value, 2),
    "json unicode twice": lambda value: _js(value, 2, ascii_only=False),
    "json three times": lambda value: _js(value, 3),
    "json slashes": lambda value: _js(value, 1).replace("/", "\\/"),
    "json html": lambda value: _js(value, 1).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"),
    "json in url": lambda value: quote(json.dumps({"x": value}), safe=""),
    "url in json": lambda value: json.dumps({"u": "https://x.example/?k=" + quote(value, safe="")}),
    "xml": xml.sax.saxutils.escape,
    "xml attribute": xml.sax.saxutils.quoteattr,
    "html": html.escape,
    "html small numbers": lambda value: html.escape(value).replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
    "html in json": lambda value: json.dumps(html.escape(value)),
    "html twice": lambda value: html.escape(html.escape(value)),
    "shell": shlex.quote,
    "shell joined": lambda value: shlex.join(["train", "--x", value]),
    "shell double": lambda value: '"' + "".join("\\" + one if one in '$`"\\' else one for one in value) + '"',
    "shell in json": lambda value: json.dumps(shlex.quote(value)),
    "yaml single": lambda value: "x: '" + value.replace("'", "''") + "'",
    "csv": lambda value: '1,"' + value.replace('"', '""') + '",2',
    "hex": lambda value: value.encode().hex(),
    "hex large": lambda value: value.encode().hex().upper(),
    "hex colons": lambda value: value.encode().hex(":"),
    "hex spaces": lambda value: value.encode().hex(" "),
    "hex 0x": lambda value: ", ".join(f"0x{byte:02x}" for byte in value.encode()),
    "hex \\x": lambda value: "".join(f"\\x{byte:02x}" for byte in value.encode()),
    "hexlify": lambda value: repr(binascii.hexlify(value.encode())),
    "xxd": lambda value: wrapped(value.encode().hex(), 60),
    "base64": _b64(b"", b""),
    "base64 second": _b64(b"x", b""),
    "base64 third": _b64(b"xy", b""),
    "base64 inside": _b64(b"user:", b":tail of it"),
    "base64 inside second": _b64(b"user1:", b"."),
    "base64 inside third": _b64(b"user12:", b".."),
    "base64url": _b64(b"", b"", url=True),
    "base64url second": _b64(b"a", b"bc", url=True),
    "base64url third": _b64(b"ab", b"c", url=True),
    "base64 mail": _b64(b"some text before it, ", b" and some after it, as mails have", wrap=76),
    "base64 lines": _b64(b"some text before it ", b" and after", wrap=64),
    "base64 in url": lambda value: quote(_b64(b"", b"")(value), safe=""),
    "base64 in json": lambda value: json.dumps(_b64(b"u:", b"")(value)).replace("/", "\\/"),
    "base64 repr": lambda value: repr(base64.b64encode(value.encode())),
    "lines of 16": lambda value: wrapped(value, 16),
    "lines of 20": lambda value: wrapped(value, 20, "\r\n"),
    "lines of 24 indented": lambda value: wrapped(value, 24, "\n    "),
    "broken in the middle": lambda value: wrapped(value, -(-len(value) // 2)),
    "broken with backslash": lambda value: wrapped(value, -(-len(value) // 2), "\\\n  "),
    "broken escaped": lambda value: wrapped(value, -(-len(value) // 2), "\\n"),
    "large": str.upper,
    "small": str.lower,
    "file name": lambda value: f"samples/out_{value}_001.png",
    "coloured": lambda value: f"\x1b[31m{value}\x1b[0m",
    "half coloured": lambda value: f"{value[: len(value) // 2]}\x1b[31m{value[len(value) // 2 :]}\x1b[0m",
    "utf-16 escapes": lambda value: "".join(f"\\u{ord(one):04x}" for one in value),
    "between words": lambda value: f"a{value}z",
    "chinese": lambda value: f"密码{value}错误",
    "progress bar": lambda value: f" 3%|▎ |\r{value}\r 4%|",
}


def _small_percent(text: str) -> str:
    pieces = text.split("%")
    return "%".join([pieces[0], *(piece[:2].lower() + piece[2:] for piece in pieces[1:])])


def plain_value(rng: Rng) -> str:
    """A key as services make them."""
    return letters(rng, ALNUM + rng.choice(["", "-_", "+/"]), rng.randint(16, 64))


def odd_value(rng: Rng) -> str:
    """A value in which every encoding changes something."""
    marks = "+/=\"'<>&%$!#*{}[]()|~^`;:@?, "
    return letters(rng, ALNUM + marks + rng.choice(["", "é", "ü密", "😀"]), rng.randint(12, 48))


def short_value(rng: Rng) -> str:
    """The shortest values that are looked for."""
    return letters(rng, ALNUM, rng.randint(8, 11))


def block_value(rng: Rng) -> str:
    """A value of several lines, such as a key file."""
    return "\n".join(letters(rng, ALNUM + "+/", rng.randint(24, 70)) for _ in range(rng.randint(2, 6)))


VALUES = {"plain": plain_value, "odd": odd_value, "short": short_value}
