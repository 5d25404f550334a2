"""The opaque cursor of a listing: the place after one row in an order by moment and id. Only this module reads it."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime

from isengard.core.errors import InvalidInput


def encode(moment: datetime, identifier: str) -> str:
    """The cursor that continues after the row with this moment and id."""
    text = f"{moment.astimezone(UTC).isoformat()}|{identifier}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str) -> tuple[datetime, str]:
    """The place a cursor stands for; raises `InvalidInput` for one that `encode` did not make."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        moment, identifier = base64.b64decode(padded, altchars=b"-_", validate=True).decode().split("|")
        parsed = datetime.fromisoformat(moment)
        if parsed.tzinfo is None or "\x00" in identifier:
            raise ValueError
        parsed = parsed.astimezone(UTC)
    except (ValueError, OverflowError, binascii.Error) as error:
        raise InvalidInput("cursor is not one that this listing gave", field="cursor") from error
    return parsed, identifier
