"""Runs that Ray places: found again, cancelled where they are, ended or tried again when their node dies. A real Ray.

The nodes are in namespaces of their own; the site's worker drives Ray from the head's.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cluster.ray_nodes import ray_cluster
from cluster.site import Cluster, Emission, cluster
from faults.checker import check_end, check_journal, whole_journal
from isengard.execution import control, process, runner_lock
from isengard.jobs.models import Job, JobStatus
from standins.workbench import eventually

ON_THE_NODE = {"label_selector": {"place": "node"}, "runtime_env": {"env_vars": {"OF_ITS_RUNTIME": "yes"}}}
DASHBOARD = {8265, 52365}
"""Ports of Ray's dashboard and of its agents, by which open clusters were attacked."""


def test_ray_places_runs_that_outlive_the_control_plane_and_die_with_their_actor_or_node(tmp_path: Path) -> None:
    """One test, for a cluster takes long to start and test runners in parallel would start one each."""
    with ray_site(tmp_path) as site:
        nobody_without_the_token_gets_in_and_no_dashboard_listens(site)
        runs_are_found_again_cancelled_where_they_are_and_leave_nothing_when_their_actor_dies(site)
        the_jobs_of_a_node_that_dies_go_on_from_their_checkpoint_on_another(site)


@contextmanager
def ray_site(folder: Path) -> Iterator[Cluster]:
    with cluster(folder, secrets.token_hex(16), "head", "node") as made:
        # The site's worker has to run where a node is: on the head's host.
        nodes = {"node": (made.net.hosts["node"], made.data("node").root)}
        made.ray = ray = ray_cluster(made.net.hosts["site"], folder, made.data("head").root, nodes)
        try:
            made.start_worker(
                **ray.env,
                ISENGARD_LAUNCHER="ray",
                ISENGARD_RAY_ADDRESS=ray.address,
                ISENGARD_RAY_OPTIONS=json.dumps(ON_THE_NODE),
                ISENGARD_MAX_RETRIES="1",
            )
            yield made
        finally:
            ray.close()


def nobody_without_the_token_gets_in_and_no_dashboard_listens(site: Cluster) -> None:
    assert not site.ray.lets_in(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))
    assert not site.ray.lets_in(RAY_AUTH_MODE="disabled")
    assert site.ray.lets_in(**site.ray.env)  # it is the token that decides
    for name in ("site", "node"):
        open_ports = site.ray.listening(site.net.hosts[name])
        assert open_ports, f"nothing of Ray listens on {name}"
        assert not open_ports & DASHBOARD, f"{open_ports & DASHBOARD} are open on {name}"


def running_on(site: Cluster, job: Job) -> str:
    """The node on which the job's trainer runs, once it does."""
    site.bench.wait_for_event(job, "subprocess.start")
    return eventually(lambda: site.host_of(job), f"{job.id} being on a node")


def environment_of(pid: int) -> list[bytes]:
    return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")


def processes_of(job: Job, attempt: int = 1) -> list[int]:
    return process.marked(process.mark(job.id, attempt))


def runs_are_found_again_cancelled_where_they_are_and_leave_nothing_when_their_actor_dies(site: Cluster) -> None:
    kept, cancelled, orphaned = emissions = [site.emit(1_000_000, 0.02) for _ in range(3)]
    for emission in emissions:
        assert running_on(site, emission.job) == "node", "the label does not decide"
        assert {b"OF_ITS_RUNTIME=yes" in environment_of(pid) for pid in processes_of(emission.job)} == {True}
    site.restart("worker", ISENGARD_RAY_OPTIONS=json.dumps({"scheduling_strategy": "SPREAD"}))
    for emission in emissions:
        site.bench.wait_for_event(emission.job, "job.adopted")

    kept.enough()
    control.cancel(site.bench.settings, site.bench.store, cancelled.job.id)
    kill_actor_of(site, orphaned.job)

    hold(site, kept, JobStatus.COMPLETED)
    hold(site, cancelled, JobStatus.CANCELLED)
    failed = site.bench.wait_for_event(orphaned.job, "job.failed")[-1]
    assert failed.fields["error_type"] == "RunnerDied"
    hold(site, orphaned, JobStatus.FAILED)


def hold(site: Cluster, emission: Emission, status: JobStatus) -> None:
    """Wait for the end, then hold the trainer's own record to the journal; nothing of the run may be left."""
    done = site.finish(emission.job)
    assert done.status is status
    check_end(check_journal(site.bench.paths(done).journal, emission.record), status.value)
    assert site.journal_at("api1", done) == site.bench.paths(done).journal.read_bytes()
    eventually(lambda: not processes_of(done), f"the processes of {done.id} being gone")
    site.cleared(done)


def the_jobs_of_a_node_that_dies_go_on_from_their_checkpoint_on_another(site: Cluster) -> None:
    # A training that loses its host is tried again once; the others above are of a kind that cannot be resumed.
    jobs = [
        site.bench.submit(steps=100_000, step_time_s=0.01, checkpoint_every_n_steps=20, sample_every_n_steps=50)
        for _ in range(2)
    ]
    for job in jobs:
        site.bench.wait_for_event(job, "training.checkpoint")
    lost = [job for job in jobs if running_on(site, job) == "node"]
    assert lost, "Ray did not spread the jobs"
    site.ray.nodes["node"].kill()
    site.kill_outpost("node")  # the whole machine
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


def kill_actor_of(site: Cluster, job: Job) -> None:
    """Kill the actor itself: the runner's parent."""
    pid = runner_lock.holder(site.data(running_on(site, job)).job(job.id))
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
