"""Jobs share two GPUs: real workers and runners, NVIDIA's own binding over a driver that we built."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from isengard.execution import control, gpus, queueing
from isengard.jobs.models import Job, JobStatus
from standins import nvidia_driver
from standins.workbench import Workbench, eventually, workbench

LONG = {"steps": 100_000, "step_time_s": 0.05}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    with workbench(tmp_path / "data") as made:
        yield made


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(nvidia_driver.build(tmp_path_factory.mktemp("driver")))


def given(bench: Workbench, job: Job) -> list[str]:
    """The GPUs that the job's trainer was given."""
    bench.wait_for_event(job, "training.step")
    environment = Path(f"/proc/{bench.trainer_pid(job)}/environ").read_bytes().split(b"\0")
    values = [entry.partition(b"=")[2].decode() for entry in environment if entry.startswith(b"CUDA_VISIBLE_DEVICES=")]
    assert bench.of(job, "job.started")[-1].fields["gpus"] == values[0].split(",")
    return values[0].split(",")


def holders(bench: Workbench) -> dict[str, str | None]:
    return {place.name: place.job_id for place in gpus.places(bench.settings.paths)}


def test_each_job_has_its_own_gpus_and_waits_for_them(bench: Workbench, driver: str) -> None:
    worker = bench.start_worker(LD_LIBRARY_PATH=driver)
    first, second = bench.submit(gpus=1, **LONG), bench.submit(gpus=1, **LONG)
    assert {given(bench, first)[0], given(bench, second)[0]} == {"0", "1"}
    both = bench.submit(gpus=2, **LONG)
    later = bench.submit(gpus=1)
    assert set(holders(bench).values()) == {first.id, second.id}

    worker.terminate()
    worker.wait()
    bench.start_worker(LD_LIBRARY_PATH=driver)
    bench.wait_for_event(first, "job.adopted")
    control.cancel(bench.settings, bench.store, first.id)
    bench.finish(first)
    assert holders(bench).keys() == {"0", "1"}
    assert bench.events(later).count("job.started") == 0, "a job that came later took the GPU another one waits for"

    control.cancel(bench.settings, bench.store, second.id)
    assert given(bench, both) == ["0", "1"]
    control.cancel(bench.settings, bench.store, both.id)
    assert bench.finish(later).status is JobStatus.COMPLETED
    eventually(lambda: set(holders(bench).values()) == {None}, "all GPUs being free")


def test_a_job_that_wants_more_gpus_than_there_are_says_so(bench: Workbench, driver: str) -> None:
    bench.start_worker(LD_LIBRARY_PATH=driver, ISENGARD_GPUS="1")
    failed = bench.finish(bench.submit(gpus=2))
    assert failed.status is JobStatus.FAILED
    assert "asks for 2 GPUs, and this machine gives out 1" in (failed.error_message or "")
    small = bench.submit(gpus=1, **LONG)
    assert given(bench, small) == ["1"]


def test_without_gpus_a_paused_queue_starts_nothing_and_priorities_decide_the_order(bench: Workbench) -> None:
    queueing.pause(bench.settings, bench.store, "maintenance")
    bench.start_worker(ISENGARD_GPUS="none")
    low, high = bench.submit(), bench.submit(gpus=4)
    queueing.prioritise(bench.settings, bench.store, high.id, 5)
    assert [job.id for job in bench.store.waiting_jobs()] == [high.id, low.id]
    queueing.resume(bench.settings, bench.store)
    bench.finish(low)
    assert bench.of(high, "job.completed")[0].ts < bench.of(low, "job.started")[0].ts
    assert "gpus" not in bench.of(high, "job.started")[0].fields, "every job runs as it can"
