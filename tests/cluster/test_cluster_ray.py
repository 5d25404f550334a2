"""Runs that Ray places: found again, cancelled where they are, ended or tried again when their node dies. A real Ray.

The nodes are in namespaces of their own; the site's worker drives Ray from the head's.
"""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from cluster.ray_nodes import RayCluster
from cluster.site import Cluster, cluster
from faults.checker import check_end, check_journal, whole_journal
from isengard.execution import control, process, runner_lock
from isengard.jobs.models import Job, JobStatus
from standins.workbench import eventually


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("ray")
    with cluster(folder, secrets.token_hex(16), "node1", "node2", with_workers=False) as made:
        ray = RayCluster(made.net.hosts["site"], folder)
        made.ray = ray
        try:
            for name in made.hosts:
                ray.add(name, made.net.hosts[name], made.data(name).root)
            made.start_worker(
                **ray.env,
                ISENGARD_LAUNCHER="ray",
                ISENGARD_RAY_ADDRESS=ray.address,
                ISENGARD_RAY_OPTIONS='{"scheduling_strategy": "SPREAD"}',
                ISENGARD_MAX_RETRIES="1",
            )
            yield made
        finally:
            ray.close()


def running_on(site: Cluster, job: Job) -> str:
    """The node on which the job's trainer runs, once it does."""
    site.bench.wait_for_event(job, "subprocess.start")
    return eventually(lambda: site.host_of(job), f"{job.id} being on a node")


def processes_of(job: Job, attempt: int = 1) -> list[int]:
    return process.marked(process.mark(job.id, attempt))


def test_a_run_goes_on_through_the_death_of_the_control_plane_and_is_found_again(site: Cluster) -> None:
    emission = site.emit(1_000_000, 0.02)
    node = running_on(site, emission.job)
    site.restart("worker")
    site.bench.wait_for_event(emission.job, "job.adopted")
    emission.enough()
    done = site.finish(emission.job)
    lines = check_journal(site.bench.paths(done).journal, emission.record)
    check_end(lines, "completed")
    assert site.journal_at("api1", done) == site.bench.paths(done).journal.read_bytes()
    site.cleared(done)
    assert node in site.hosts


def test_a_cancel_reaches_the_process_group_on_the_node(site: Cluster) -> None:
    emission = site.emit(1_000_000, 0.02)
    running_on(site, emission.job)
    control.cancel(site.bench.settings, site.bench.store, emission.job.id)
    done = site.finish(emission.job)
    assert done.status is JobStatus.CANCELLED
    check_end(check_journal(site.bench.paths(done).journal, emission.record), "cancelled")
    assert processes_of(done) == []


def test_the_death_of_an_actor_leaves_no_process_behind_and_no_line(site: Cluster) -> None:
    emission = site.emit(1_000_000, 0.02)
    node = running_on(site, emission.job)
    eventually(lambda: emission.acknowledged() > 20, "the trainer emitting")
    kill_parent_of_runner(site, emission.job, node)
    site.bench.wait_for_event(emission.job, "job.failed")
    eventually(lambda: not processes_of(emission.job), "the trainer being gone")
    lines = whole_journal(site.bench.paths(emission.job).journal)
    failed = next(line for line in lines if line["event"] == "job.failed")
    assert failed["fields"]["error_type"] == "RunnerDied"
    emitted = [line["fields"]["emitted"] for line in lines if "emitted" in line["fields"]]
    assert emitted[: emission.acknowledged()] == list(range(1, emission.acknowledged() + 1))
    end_anyhow(site, emission.job)


def test_the_jobs_of_a_node_that_dies_go_on_from_their_checkpoint_on_another(site: Cluster) -> None:
    jobs = [
        site.bench.submit(steps=100_000, step_time_s=0.01, checkpoint_every_n_steps=20, sample_every_n_steps=50)
        for _ in range(2)
    ]
    for job in jobs:
        site.bench.wait_for_event(job, "training.checkpoint")
    victim = running_on(site, jobs[0])
    site.ray.nodes[victim].kill()
    site.kill_outpost(victim)  # the whole machine
    lost = [job for job in jobs if site.data(victim).job(job.id).root.exists()]
    for job in lost:
        resumed = site.bench.wait_for_event(job, "job.resumed")[-1]
        assert resumed.fields["step"] > 0
        failed = site.bench.of(job, "job.failed")[-1]
        assert failed.fields["error_type"] == "HostLost"
        site.bench.wait_for_event(job, "job.started", 2)
        assert processes_of(job, 1) == []
    for job in jobs:
        end_anyhow(site, job)
        whole_journal(site.bench.paths(job).journal)


def kill_parent_of_runner(site: Cluster, job: Job, node: str) -> None:
    """Kill the actor itself: the runner's parent."""
    pid = runner_lock.holder(site.data(node).job(job.id))
    assert pid is not None
    parent = int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])
    assert b"ray" in Path(f"/proc/{parent}/cmdline").read_bytes().lower()
    with suppress(ProcessLookupError):
        os.kill(parent, signal.SIGKILL)


def end_anyhow(site: Cluster, job: Job) -> None:
    """Cancel whatever goes on of the job, retries included."""

    def over() -> bool:
        present = site.bench.store.get_job(job.id)
        if present.status.is_terminal:
            return True
        with suppress(Exception):
            control.cancel(site.bench.settings, site.bench.store, job.id)
        return False

    eventually(over, f"{job.id} being over")
