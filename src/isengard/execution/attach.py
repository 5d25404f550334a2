"""Makes the job of a script that runs already, and lets a runner follow it: started by the SDK, one for each attempt.

    python -P -m isengard.execution.attach CARD

A data folder that cannot be written is waited for: for as long as the script lives, and an hour after. Ends as soon as
the runner is started.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from isengard.core.errors import Conflict, InvalidInput, IsengardError, NotFound
from isengard.core.paths import JobPaths
from isengard.core.settings import Settings, load
from isengard.events.models import EventName, Level
from isengard.events.reports import Report, ReportSpool
from isengard.execution import attachment, attended
from isengard.execution.reconcile import reconcile_journal
from isengard.jobs.leases import process_start
from isengard.jobs.models import Character, Job
from isengard.jobs.store import Store, open_store
from isengard.journal import JobFold, JournalReader
from isengard.sdk.card import Card
from isengard.trainers import jobfile
from isengard.trainers.base import Attach
from isengard.trainers.script import ATTACHED

_PATIENCE_S = 3600.0
_PAUSES_S = (0.5, 1, 2, 5, 10, 30)
_GONE = -1.0


def main(arguments: Sequence[str]) -> int:
    """Make the job; returns the exit code."""
    try:
        (card_path,) = arguments
        card = Card.read(Path(card_path))
        settings = load(data_dir=Path(card.data_dir))
    except (IsengardError, OSError, TypeError, ValueError) as error:
        print(f"isengard.execution.attach: cannot begin: {error}", file=sys.stderr)
        return 2
    return _insist(settings, card)


def _insist(settings: Settings, card: Card) -> int:
    started = process_start(card.pid)
    script = Attach(card.pid, _GONE if started is None else started, card.interactive)
    gone_at: float | None = None
    attempt = 0
    while True:
        with contextlib.suppress(IsengardError, OSError):
            _attach(settings, card, script)
            return 0
        if not attachment.lives(script):
            gone_at = gone_at or time.monotonic()
            if time.monotonic() - gone_at > _PATIENCE_S:
                return 1
        time.sleep(_PAUSES_S[min(attempt, len(_PAUSES_S) - 1)])
        attempt += 1


def _attach(settings: Settings, card: Card, script: Attach) -> None:
    """Make the job, or go on with it; nothing when it is over or followed already. Raises what can pass."""
    settings.paths.prepare()
    paths = settings.paths.job(card.job_id)
    paths.make()
    jobfile.write(script, paths.trainer / ATTACHED)
    with contextlib.closing(open_store(settings)) as store, contextlib.suppress(Conflict):
        job = _find(settings, store, paths)
        if job is None:
            attended.begin(settings, store, _plan(settings, store, card, paths))
        elif JobFold.read(JournalReader(paths)).terminal_seq is None:
            _go_on(settings, store, job, script)


def _go_on(settings: Settings, store: Store, job: Job, script: Attach) -> None:
    if attachment.lives(script):
        attended.go_on(settings, store, job)
    else:
        attended.settle(settings, store, job)


def _find(settings: Settings, store: Store, paths: JobPaths) -> Job | None:
    """The job, if an earlier one of these processes has made it; its row is made again if only the journal is there."""
    if paths.journal.exists():
        reconcile_journal(settings, store, paths.job_id)
    try:
        return store.get_job(paths.job_id)
    except NotFound:
        return None


def _plan(settings: Settings, store: Store, card: Card, paths: JobPaths) -> attended.Plan:
    config = {"script": card.script, "settings": card.settings, "steps": card.steps}
    return attended.Plan(
        "script",
        {name: value for name, value in config.items() if value},
        _file_under(settings, store, card, paths),
        steps=card.steps,
        job_id=card.job_id,
    )


def _file_under(settings: Settings, store: Store, card: Card, paths: JobPaths) -> Character:
    """The character that the script named; a name that nobody has is told in the journal, not held against it."""
    if card.character is not None:
        for character in store.list_characters():
            if card.character in (character.id, character.name):
                return character
        spool = ReportSpool(paths.reports)
        warning = f"there is no character {card.character[:100]!r}; filed under {card.name!r} instead"
        spool.send(Report(EventName.LOG, {}, warning, Level.WARN))
        spool.close()
    try:
        return attended.file_under(settings, store, card.name)
    except InvalidInput:  # a file name that cannot be a character's
        return attended.file_under(settings, store, "script")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
