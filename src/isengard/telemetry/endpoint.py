"""Whether there is a collector to export to. Imports nothing heavy: every start of the supervisor asks."""

from __future__ import annotations

import os

from isengard.core.settings import Settings

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
"""The standard's own variable, read by its SDK."""


def exports(settings: Settings) -> bool:
    """Whether a collector is named, by our setting or by the standard's."""
    return settings.otlp_endpoint is not None or bool(os.environ.get(ENDPOINT))
