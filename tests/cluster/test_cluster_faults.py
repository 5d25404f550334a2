"""Concurrent jobs on two hosts while links are cut and every component is killed in turn: nothing may be missing.

Each trainer keeps its own record of what was acknowledged to it, on its own host. In the end the journal that both API
replicas give has all of it once, in order, whatever was struck. `CLUSTER_ROUNDS` says how many rounds of all faults;
`make cluster-test` sets it.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from cluster.site import Cluster, Emission, cluster
from faults.checker import check_end, check_journal, whole_journal
from isengard.execution import control, process
from isengard.execution.inbox import Command
from isengard.jobs.models import JobStatus
from standins.workbench import eventually

ROUNDS = int(os.environ.get("CLUSTER_ROUNDS", "1"))
JOBS = 20 if ROUNDS > 1 else 6
PAUSE_S = 0.2 if ROUNDS > 1 else 0.02
"""Between two events of a job. Twenty jobs with more than this are more than two cores ship beside everything else."""
CUT_S = 2.0
"""Shorter than the time after which a silent host is given up."""


def test_on_several_hosts_nothing_is_missing_twice_or_out_of_order_whatever_breaks(tmp_path: Path) -> None:
    """One test, for a cluster takes long to start and test runners in parallel would start one each."""
    with cluster(tmp_path, secrets.token_hex(16), "gpu1", "gpu2", slots=JOBS // 2) as site:
        what_a_training_on_a_host_makes_is_at_the_site_when_its_journal_says_so(site)
        every_component_is_killed_and_every_link_is_cut_in_the_middle_of_many_jobs(site)
        a_host_that_is_cut_off_for_too_long_is_given_up_and_changes_nothing_when_it_is_back(site)


def hold(site: Cluster, emission: Emission, status: JobStatus) -> int:
    """Wait for the end of the job and hold everything that was witnessed to each other; how many lines there were."""
    done = site.finish(emission.job)
    assert done.status is status, f"{done.id} is {done.status}: {done.error_message}"
    lines = check_journal(site.bench.paths(done).journal, emission.record)
    check_end(lines, done.status.value)
    whole = site.bench.paths(done).journal.read_bytes()
    assert site.journal_at("api1", done) == site.journal_at("api2", done) == whole
    site.cleared(done)
    return len(lines)


def every_component_is_killed_and_every_link_is_cut_in_the_middle_of_many_jobs(site: Cluster) -> None:
    dice = random.Random(7)
    emissions = [site.emit(1_000_000, PAUSE_S) for _ in range(JOBS)]
    for emission in emissions:
        eventually(lambda e=emission: e.acknowledged() > 5, f"{emission.job.id} emitting")  # type: ignore[misc]
    harmless = [
        lambda: restart(site.redis),
        lambda: restart(site.postgres),
        lambda: site.restart("worker"),
        lambda: site.restart("api1"),
        lambda: site.restart("api2"),
        lambda: site.restart("gpu1"),
        lambda: site.restart("gpu2"),
        lambda: site.kill_outpost("gpu1"),
        lambda: site.kill_outpost("gpu2"),
        lambda: cut(site, "gpu1"),
        lambda: cut(site, "gpu2"),
        lambda: cut(site, "site"),
    ]
    for number in range(ROUNDS):
        dice.shuffle(harmless)
        for strike in harmless:
            struck_between(strike, emissions)
        if number < ROUNDS - 1:
            caught_up(site, emissions)
    runners, trainers, others = parts_of(emissions, JOBS // 3, JOBS // 6)
    for emission in runners:
        site.kill_runner(emission.job)
    for emission in trainers:
        site.kill_trainer(emission.job)
    for emission in others:
        emission.enough()
    lines = sum(hold(site, emission, JobStatus.FAILED) for emission in (*runners, *trainers))
    lines += sum(hold(site, emission, JobStatus.COMPLETED) for emission in others)
    print(f"{JOBS} jobs, {ROUNDS * len(harmless) + len(runners) + len(trainers)} strikes, {lines} lines held")


def parts_of(emissions: list[Emission], first: int, second: int) -> tuple[list[Emission], ...]:
    return emissions[:first], emissions[first : first + second], emissions[first + second :]


def struck_between(strike: Callable[[], None], emissions: list[Emission]) -> None:
    """Strike while all are emitting, and go on once all of them have emitted more."""
    strike()
    before = [emission.acknowledged() for emission in emissions]
    eventually(
        lambda: all(now.acknowledged() > was for now, was in zip(emissions, before, strict=True)),
        "every trainer going on",
    )


def caught_up(site: Cluster, emissions: list[Emission]) -> None:
    """Until the site has all that was emitted up to now, while the emitting goes on: rounds strike a whole one."""
    for emission in emissions:
        known, journal = emission.acknowledged(), site.bench.paths(emission.job).journal
        eventually(lambda e=emission, k=known, j=journal: e.arrived(j) >= k, f"{known} of {emission.job.id} arriving")  # type: ignore[misc]


def restart(service: object) -> None:
    service.kill()  # type: ignore[attr-defined]
    service.start()  # type: ignore[attr-defined]


def cut(site: Cluster, name: str) -> None:
    site.net.cut(name)
    time.sleep(CUT_S)  # the outage itself is what is tried
    site.net.mend(name)


def what_a_training_on_a_host_makes_is_at_the_site_when_its_journal_says_so(site: Cluster) -> None:
    job = site.bench.submit(
        steps=100_000, step_time_s=0.02, sample_every_n_steps=10, checkpoint_every_n_steps=20, lora_rank=4
    )
    paths = site.bench.paths(job)
    sample = site.bench.wait_for_event(job, "training.sample")[0]
    assert (paths.samples / sample.fields["sample_path"]).is_file()
    saved = len(site.bench.wait_for_event(job, "training.checkpoint"))
    control.request(site.bench.settings, site.bench.store, job.id, Command.SAVE)
    requested = site.bench.wait_for_event(job, "training.checkpoint", saved + 1)
    assert all((paths.checkpoints / entry.fields["checkpoint_path"]).is_file() for entry in requested)
    control.cancel(site.bench.settings, site.bench.store, job.id)
    assert site.finish(job).status is JobStatus.CANCELLED
    site.cleared(job)

    resumed = control.resume(site.bench.settings, site.bench.store, job.id)
    started = site.bench.wait_for_event(resumed, "job.started", 2)[-1]
    assert started.fields["step"] > 0, "it starts over instead of going on from its checkpoint"
    assert started.fields["hosted"] is True
    assert json.loads(site.ask(f"/api/training/{job.id}"))["host"] == started.fields["host"]
    control.cancel(site.bench.settings, site.bench.store, job.id)  # as it begins
    site.finish(job)
    site.cleared(job)

    short = site.bench.submit(steps=30, sample_every_n_steps=0)
    assert site.finish(short).status is JobStatus.COMPLETED
    assert len(site.ask(f"/api/jobs/{short.id}/artifacts/model")) > 100
    site.cleared(short)


def a_host_that_is_cut_off_for_too_long_is_given_up_and_changes_nothing_when_it_is_back(site: Cluster) -> None:
    emission = site.emit(1_000_000, 0.02)
    eventually(lambda: emission.acknowledged() > 5, "the trainer emitting")
    name = site.host_of(emission.job)
    site.net.cut(name)
    done = site.finish(emission.job)
    site.net.mend(name)
    assert (done.status, done.error_type) == (JobStatus.FAILED, "HostLost")
    given_up = site.bench.paths(done).journal.read_bytes()
    lines = whole_journal(site.bench.paths(done).journal)
    check_end(lines, "failed")
    emitted = [line["fields"]["emitted"] for line in lines if "emitted" in line["fields"]]
    assert emitted == list(range(1, len(emitted) + 1))
    site.cleared(done)
    eventually(lambda: not process.marked(process.mark(done.id, 1)), "the host ending what was given up")
    assert site.bench.paths(done).journal.read_bytes() == given_up
