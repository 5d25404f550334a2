"""The stages of a job, as the API answers them."""

from __future__ import annotations

from isengard.api.schemas.jobs import PhaseView, Stages, StageView
from isengard.core.clock import moment_of
from isengard.journal import JournalReader
from isengard.journal.stages import Part, stages


def stages_view(reader: JournalReader) -> Stages:
    """What the journal tells of them."""
    return Stages(job_id=reader.paths.job_id, stages=[_stage(part) for part in stages(reader)])


def _stage(part: Part) -> StageView:
    return StageView(
        stage=part.name,
        attempt=part.attempt,
        seq=part.seq,
        began=moment_of(part.began),
        seconds=part.seconds,
        since=part.since,
        times=part.times,
        message=part.message,
        pct=part.pct,
        phases=[_phase(each) for each in part.phases],
    )


def _phase(part: Part) -> PhaseView:
    return PhaseView(name=part.name, seconds=part.seconds, since=part.since, message=part.message, pct=part.pct)
