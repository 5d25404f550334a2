"""The audit trail: who changed what and who was refused, as numbered, redacted lines in ``logs/audit/events.jsonl``.

A journal like a job's, so the same reader reads it. What is only read leaves no line. Never holds a token or a body.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from isengard.core import correlation
from isengard.core.errors import JournalLocked, StorageError
from isengard.core.paths import DataDir, JobPaths
from isengard.core.redaction import Redactor
from isengard.events.models import Level
from isengard.execution.token_bucket import TokenBucket
from isengard.journal import JournalWriter

_log = logging.getLogger("isengard.audit")

UNKNOWN = "unknown"
"""Who is refused before anybody is known."""
_REFUSALS_AT_ONCE = 100
_REFUSALS_PER_S = 0.2
"""Five megabytes a day at most; nothing here is ever deleted, and anybody can be refused."""


class AuditTrail:
    """Appends to the trail of one data folder; a second API process of that folder writes to its service log instead.

    Args:
        redactor: Applied to every line.
    """

    def __init__(self, data_dir: DataDir, redactor: Redactor) -> None:
        self._writer: JournalWriter | None = None
        self._strangers = TokenBucket(_REFUSALS_PER_S, _REFUSALS_AT_ONCE)
        self._withheld = 0
        self._counting = threading.Lock()
        paths = JobPaths(data_dir.root / "logs" / "audit")
        paths.root.mkdir(parents=True, exist_ok=True)
        try:
            self._writer = JournalWriter.open(paths, service="api", redactor=redactor, correlation_id="")
        except JournalLocked:
            _log.warning("another process writes the audit trail; this one writes its part to the service log")

    def record(self, action: str, *, actor: str, address: str, allowed: bool = True, **facts: Any) -> None:
        """Note that `actor` at `address` did `action` (``http``, ``login``, ``share``) or was refused it.

        Of what was refused to strangers, only so much is noted as a disk can hold; the next note says how many are not.
        """
        withheld = 0
        if not allowed and actor == UNKNOWN:
            with self._counting:
                if not self._strangers.take():
                    self._withheld += 1
                    return
                withheld, self._withheld = self._withheld, 0
        bound = correlation.current()
        fields = {
            "actor": actor,
            "address": address,
            "allowed": allowed,
            "correlation_id": bound.id if bound else "",
            **facts,
            **({"withheld": withheld} if withheld else {}),
        }
        level = Level.INFO if allowed else Level.WARN
        words = f"{action}: {actor} {'was allowed' if allowed else 'was refused'}"
        if self._writer is None:
            _log.info(words, extra={"event": f"audit.{action}", "audit": fields})
            return
        try:
            self._writer.append(f"audit.{action}", words, fields, level=level)
        except StorageError as error:
            _log.error("the audit trail cannot be written: %s", error.detail, extra={"audit": fields})

    def close(self) -> None:
        """Close the trail."""
        if self._writer is not None:
            self._writer.close()
