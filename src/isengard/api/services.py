"""What the routes work with, made once an application and handed to them; there is no state beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from isengard.api.auth.audit import AuditTrail
from isengard.api.auth.keyring import Keyring, OpenDoor
from isengard.api.feed import Feeds
from isengard.api.live_jobs import LiveJobs
from isengard.api.readiness import ReadinessChecks
from isengard.api.request_metrics import Figures
from isengard.api.subscribers import Subscribers
from isengard.api.thumbnails import Thumbnails
from isengard.api.views import FreshJobs
from isengard.core.paths import DataDir
from isengard.core.redaction import Redactor
from isengard.core.settings import Settings
from isengard.datasets.characters import Characters
from isengard.datasets.images import Images
from isengard.datasets.intake import Intake
from isengard.execution.artifacts import ArtifactStore
from isengard.jobs.store import Store
from isengard.journal.lag import Lag
from isengard.journal.readers import JournalReaders


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of a running API.

    Attributes:
        artifacts: The store of artifacts beside the data folder, if there is one.
        lags: How far those are behind who carry journals elsewhere, by name.
        started_at: When it started, as in the journal.
    """

    settings: Settings
    paths: DataDir
    store: Store
    redactor: Redactor
    subscribers: Subscribers
    feeds: Feeds
    live_jobs: LiveJobs
    readers: JournalReaders
    jobs: FreshJobs
    figures: Figures
    characters: Characters
    images: Images
    gate: Keyring | OpenDoor
    audit: AuditTrail
    intake: Intake
    artifacts: ArtifactStore | None
    thumbnails: Thumbnails
    lags: Mapping[str, Lag]
    readiness: ReadinessChecks
    started_at: str


def services_of(connection: HTTPConnection) -> Services:
    """The services of the application that `connection` reached."""
    services: Services = connection.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(services_of)]
