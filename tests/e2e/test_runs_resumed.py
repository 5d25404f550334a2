"""Resuming: the same journal, the next attempt, from the newest checkpoint that is whole."""

from __future__ import annotations

import pytest

from isengard.core.correlation import Correlation, bind
from isengard.core.errors import Conflict
from isengard.diagnostics import trace as tracing
from isengard.execution import control
from isengard.execution.inbox import Command
from isengard.execution.settling import settle_held
from isengard.jobs.models import JobStatus
from standins.workbench import Workbench


def test_a_failed_job_goes_on_from_its_newest_whole_checkpoint_in_the_same_journal(bench: Workbench) -> None:
    bench.start_worker()
    job = bench.submit(steps=30, checkpoint_every_n_steps=10, fail_mode="kill", fail_at_step=25)
    assert bench.finish(job).status is JobStatus.FAILED
    torn = bench.paths(job).checkpoints / "step_000020.safetensors"
    torn.write_bytes(torn.read_bytes()[:-40])
    (bench.paths(job).checkpoints / ".partial-step_000030.safetensors").write_bytes(b"half")
    before = len(bench.entries(job))

    resumed = control.resume(bench.settings, bench.store, job.id)
    assert (resumed.status, resumed.attempt, resumed.error_message) == (JobStatus.QUEUED, 2, None)
    again = bench.finish(job)

    assert again.status is JobStatus.FAILED, "it fails at the same step again"
    later = bench.entries(job)[before:]
    assert [entry.event for entry in later[:3]] == ["job.resumed", "job.queued", "job.started"]
    steps = [entry for entry in later if entry.event == "training.step"]
    assert [entry.fields["step"] for entry in steps] == list(range(11, 25))
    assert {entry.fields["attempt"] for entry in later if entry.event.startswith(("job.", "training."))} == {2}
    first = {entry.fields["step"]: entry.fields["loss"] for entry in bench.of(job, "training.step")[:24]}
    assert all(entry.fields["loss"] == first[entry.fields["step"]] for entry in steps), "not the same curve"


def test_a_cancelled_job_is_resumed_to_its_end_and_then_no_more(bench: Workbench) -> None:
    bench.start_worker()
    job = bench.submit(steps=60, step_time_s=0.03, sample_every_n_steps=30)
    bench.wait_for_event(job, "training.step", count=4)
    with pytest.raises(Conflict, match="only a failed or cancelled job"):
        control.resume(bench.settings, bench.store, job.id)
    control.cancel(bench.settings, bench.store, job.id)
    bench.finish(job)
    stopped_at = bench.of(job, "training.step")[-1].fields["step"]

    control.resume(bench.settings, bench.store, job.id)

    assert bench.finish(job).status is JobStatus.COMPLETED
    steps = [entry.fields["step"] for entry in bench.of(job, "training.step")]
    assert steps == list(range(1, 61)), "a step was lost or done twice"
    assert bench.of(job, "training.step")[-1].fields["attempt"] == 2
    assert f"goes on from step {stopped_at}" in bench.of(job, "job.resumed")[0].msg
    with pytest.raises(Conflict):
        control.resume(bench.settings, bench.store, job.id)


def test_each_request_is_told_by_the_lines_and_the_trainer_that_it_caused(bench: Workbench) -> None:
    """Three requests, three ids: what made the job, what cancelled it, what resumed it."""
    bench.start_worker()
    with bind(Correlation("corr-made")):
        job = bench.submit(steps=500, fail_mode="print_environment", fail_at_step=2)
    bench.wait_for_event(job, "training.step", count=4)
    control.request(bench.settings, bench.store, job.id, Command.SAVE, correlation=Correlation("corr-asked"))
    control.cancel(bench.settings, bench.store, job.id, correlation=Correlation("corr-cancelled"))
    bench.finish(job)
    first = len(bench.entries(job))
    control.resume(bench.settings, bench.store, job.id, correlation=Correlation("corr-resumed"))
    bench.wait_for_event(job, "job.started", count=2)
    control.cancel(bench.settings, bench.store, job.id, correlation=Correlation("corr-ended"))
    bench.finish(job)

    before, after = bench.entries(job)[:first], bench.entries(job)[first:]
    asked = next(entry for entry in before if entry.fields.get("request") == "save")
    cancelling = [entry for entry in before if entry.correlation_id == "corr-cancelled"]
    assert asked.correlation_id == "corr-asked"
    assert [entry.event for entry in cancelling] == ["job.stage", "job.cancelled"]
    assert {entry.correlation_id for entry in before if entry not in (asked, *cancelling)} == {"corr-made"}
    assert [entry.event for entry in after if entry.correlation_id == "corr-ended"] == ["job.stage", "job.cancelled"]
    assert {entry.correlation_id for entry in after} == {"corr-resumed", "corr-ended"}
    assert "ISENGARD_CORRELATION_ID=corr-made" in bench.paths(job).output.read_text()
    told = [line["msg"] for line in bench.service_log() if line.get("correlation_id") == "corr-resumed"]
    assert any("attempt 2 started" in line for line in told)
    ids = tracing.correlations_of(bench.settings.paths, job.id)
    assert ids == ["corr-made", "corr-asked", "corr-cancelled", "corr-resumed", "corr-ended"]
    story = [line.entry for line in tracing.trace(bench.settings.paths, *ids) if line.source == job.id]
    assert story == bench.entries(job), "the story of the job leaves something out"


def test_what_the_journal_tells_to_be_over_is_over_for_everything_that_follows(bench: Workbench) -> None:
    """The worker takes note of an end a moment after the journal, and those who follow that, have it."""
    bench.start_worker()
    failed = bench.submit(steps=5, fail_mode="exception", fail_at_step=3)
    bench.wait_for_event(failed, "job.failed")
    control.resume(bench.settings, bench.store, failed.id)
    bench.wait_for_event(failed, "job.failed", count=2)
    control.delete(bench.settings, bench.store, failed.id)

    whole = bench.submit(steps=5)
    bench.wait_for_event(whole, "job.completed")
    with pytest.raises(Conflict, match="completed already"):
        control.cancel(bench.settings, bench.store, whole.id)

    other = bench.submit(steps=5)
    bench.wait_for_event(other, "job.completed")
    settle_held(bench.settings.paths, bench.store, bench.character.id)
    assert (
        bench.store.get_character(bench.character.id).lora_path
        == bench.of(other, "job.completed")[0].fields["output_path"]
    )
