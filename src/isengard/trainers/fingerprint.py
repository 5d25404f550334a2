"""Tells failures of the same kind from others by their own frames, so that earlier jobs that failed alike are found."""

from __future__ import annotations

import hashlib
import re

from isengard.trainers.causes import Evidence


def fingerprint(evidence: Evidence) -> str:
    """16 hexadecimal digits that failures of the same kind share.

    Made of the error type and the innermost frames by file name and function, or, without a stack, of the error with
    its figures and paths removed: line numbers and values differ between runs of the same mistake.
    """
    frames = re.findall(r'File "[^"]*?([^"/\\]+)", line \d+, in (\S+)', evidence.stack)[-5:]
    basis = "|".join(f"{file}:{function}" for file, function in frames) or _without_values(evidence.error)
    return hashlib.sha256(f"{evidence.error_type}|{basis}".encode()).hexdigest()[:16]


def _without_values(text: str) -> str:
    return re.sub(r"(/[\w./-]+|0x[0-9a-f]+|\d+(\.\d+)?)", "#", text.lower())[:300]
