"""The use cases of jobs against a real store and real journals, without any process."""

from __future__ import annotations

import errno
import secrets
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from isengard.core.errors import Conflict, InvalidInput, IsengardError, NotFound, StorageError
from isengard.core.paths import new_character_id
from isengard.events import EventName
from isengard.execution import control, queueing, settling
from isengard.jobs.leases import Holder
from isengard.jobs.models import Job, JobStatus
from standins.jobs_and_characters import add_character
from standins.journals import writer
from standins.workbench import Workbench, workbench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    with workbench(tmp_path / "data") as made:
        yield made


def submit(bench: Workbench, **changes: Any) -> tuple[Job, bool]:
    given = {"character_id": bench.character.id, "trainer": "mock", "config": {"steps": 5}, **changes}
    return control.submit(bench.settings, bench.store, **given)


def nothing_was_made(bench: Workbench) -> bool:
    folders = list(bench.settings.paths.jobs.glob("*")) if bench.settings.paths.jobs.is_dir() else []
    return not (bench.store.list_jobs().jobs or folders or list(bench.settings.paths.secrets.iterdir()))


def test_a_job_is_born_with_row_journal_and_secrets_and_the_worker_is_woken(bench: Workbench) -> None:
    value = secrets.token_hex(16)

    job, is_new = submit(bench, secrets={"HF_TOKEN": value}, trainer=None)

    assert is_new
    assert (job.trainer, job.status, job.total_steps, job.has_secrets) == ("mock", JobStatus.QUEUED, 5, True)
    assert bench.store.get_job(job.id) == job
    assert bench.events(job) == ["job.created", "job.queued"]
    born = bench.entries(job)[0].fields
    assert (born["config"], born["character_name"], born["trigger_word"]) == (job.config, "Pip", "pipbot")
    assert value not in bench.paths(job).journal.read_text()
    assert bench.settings.paths.wake.exists()


@pytest.mark.parametrize(
    ("changes", "error", "field"),
    [
        ({"character_id": new_character_id()}, NotFound, "character_id"),
        ({"character_id": "../../etc"}, NotFound, "character_id"),
        ({"trainer": "mokc"}, InvalidInput, "trainer"),
        ({"config": {"steps": 0}}, InvalidInput, "config.steps"),
        ({"config": {"learning_rate": float("nan")}}, InvalidInput, "config.learning_rate"),
        ({"config": {"stps": 1}}, InvalidInput, "config.stps"),
        ({"config": [1]}, InvalidInput, "config"),
        ({"secrets": {"LD_PRELOAD": "x.so"}}, InvalidInput, "secrets.LD_PRELOAD"),
    ],
)
def test_a_wrong_request_names_its_fault_and_makes_nothing(
    bench: Workbench, changes: dict[str, Any], error: type[IsengardError], field: str
) -> None:
    with pytest.raises(error) as caught:
        submit(bench, **changes)

    assert caught.value.field == field
    assert nothing_was_made(bench)


def test_a_character_without_images_cannot_be_trained_on(bench: Workbench) -> None:
    with pytest.raises(InvalidInput, match="has no images"):
        submit(bench, character_id=add_character(bench.store, "Empty").id)

    assert nothing_was_made(bench)


def test_a_disk_that_refuses_leaves_no_half_made_job(bench: Workbench) -> None:
    shutil.rmtree(bench.settings.paths.jobs)
    bench.settings.paths.jobs.write_bytes(b"a file where the folder should be")

    with pytest.raises(StorageError, match="cannot be made"):
        submit(bench, secrets={"A": secrets.token_hex(8)})

    assert nothing_was_made(bench)


def test_one_idempotency_key_makes_one_job_however_often_it_is_sent_at_once(bench: Workbench) -> None:
    outcomes: list[tuple[str, bool]] = []

    def send() -> None:
        job, is_new = submit(bench, idempotency_key="order-66")
        outcomes.append((job.id, is_new))

    threads = [threading.Thread(target=send) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({job_id for job_id, _ in outcomes}) == 1
    assert [is_new for _, is_new in outcomes].count(True) == 1
    assert len(list(bench.settings.paths.jobs.iterdir())) == 1
    with pytest.raises(Conflict, match="different request"):
        submit(bench, idempotency_key="order-66", config={"steps": 6})


def test_an_over_job_is_deleted_with_everything_but_its_lora(bench: Workbench) -> None:
    job, _ = submit(bench, secrets={"A": secrets.token_hex(8)})
    with pytest.raises(Conflict, match="cancel it first"):
        control.delete(bench.settings, bench.store, job.id)
    assert bench.paths(job).journal.exists(), "the refusal cost the journal"
    control.cancel(bench.settings, bench.store, job.id)
    lora = bench.settings.paths.loras(bench.character.id) / "pip.safetensors"
    lora.parent.mkdir(parents=True)
    lora.touch()

    control.delete(bench.settings, bench.store, job.id)

    assert nothing_was_made(bench)
    assert lora.exists()
    with pytest.raises(NotFound):
        control.delete(bench.settings, bench.store, job.id)


def test_an_end_that_no_worker_has_taken_note_of_is_told_as_such(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "PATIENCE_S", 0.0)
    job, _ = submit(bench)
    bench.store.transition(job.id, JobStatus.RUNNING)
    with writer(bench.paths(job)) as journal:
        journal.append(EventName.JOB_FAILED, "", {"status": "failed", "attempt": 1, "error": "it broke"})

    for use_case in (control.cancel, control.resume, control.delete):
        with pytest.raises(Conflict, match="isengard worker"):
            use_case(bench.settings, bench.store, job.id)

    assert bench.store.get_job(job.id).status is JobStatus.RUNNING


def test_secrets_that_cannot_be_removed_keep_the_job_whole_and_say_so(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, _ = submit(bench, secrets={"A": secrets.token_hex(8)})
    control.cancel(bench.settings, bench.store, job.id)
    refused = bench.settings.paths.job_secrets(job.id)
    rename = Path.rename

    def refuse(path: Path, target: Path) -> Path:
        if path == refused:
            raise OSError(errno.EROFS, "Read-only file system")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(StorageError, match=r"the secrets of job .* cannot be removed: Read-only file system"):
        control.delete(bench.settings, bench.store, job.id)
    monkeypatch.undo()

    assert bench.store.get_job(job.id).status is JobStatus.CANCELLED
    assert bench.events(job)[-1] == "job.cancelled"
    assert refused.exists()
    control.delete(bench.settings, bench.store, job.id)
    assert nothing_was_made(bench)


def test_a_resume_that_comes_late_does_not_queue_a_job_that_runs_again(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two ask at once: the second one looked before the first one's resume, and acts when the job is claimed."""
    job, _ = submit(bench)
    before = control.cancel(bench.settings, bench.store, job.id)
    control.resume(bench.settings, bench.store, job.id)
    claimed = bench.store.claim(bench.store.register_worker(Holder.here(bench.settings.data_dir)))
    assert claimed is not None
    written = bench.events(job)
    with monkeypatch.context() as then:
        then.setattr(bench.store, "get_job", lambda _: before)
        with pytest.raises(Conflict, match="resumed by somebody else"):
            control.resume(bench.settings, bench.store, job.id)
    assert bench.store.get_job(job.id).status is JobStatus.RUNNING
    assert bench.events(job) == written


@pytest.mark.parametrize("use_case", [control.cancel, control.resume, control.delete])
@pytest.mark.parametrize("job_id", ["train-nothere", "../x", "train-a/b", "", "train-\x00"])
def test_a_job_that_is_not_there_is_not_found(bench: Workbench, use_case: Any, job_id: str) -> None:
    with pytest.raises(NotFound):
        use_case(bench.settings, bench.store, job_id)


def test_what_the_state_does_not_allow_is_a_conflict(bench: Workbench) -> None:
    job, _ = submit(bench)

    with pytest.raises(Conflict, match="only a failed or cancelled job"):
        control.resume(bench.settings, bench.store, job.id)
    with pytest.raises(Conflict, match="only a running one"):
        control.request(bench.settings, bench.store, job.id, control.Command.SAVE)


def test_resuming_a_job_that_never_ran_starts_it_over_as_the_next_attempt(bench: Workbench) -> None:
    job, _ = submit(bench)
    control.cancel(bench.settings, bench.store, job.id)

    resumed = control.resume(bench.settings, bench.store, job.id)

    assert (resumed.status, resumed.attempt, resumed.current_step) == (JobStatus.QUEUED, 2, 0)
    assert bench.events(job)[-2:] == ["job.resumed", "job.queued"]
    assert bench.fold(job).attempt == 2
    assert bench.fold(job).status == "queued"


def test_an_idempotency_key_that_looks_like_a_secret_is_stored_as_a_digest_and_still_known(bench: Workbench) -> None:
    body = secrets.token_hex(16)
    first, is_new = submit(bench, idempotency_key=f"hf_{body}")
    again, is_new_again = submit(bench, idempotency_key=f"hf_{body}")
    other, is_other_new = submit(bench, idempotency_key=f"hf_{secrets.token_hex(16)}")
    assert (is_new, is_new_again, is_other_new) == (True, False, True)
    assert again.id == first.id != other.id
    assert body not in str(bench.store.get_job(first.id))
    assert bench.entries(first)[0].fields["idempotency_key"] == first.idempotency_key, "or a lost row would forget it"


def test_why_the_queue_waits_is_kept_without_the_secret_in_it(bench: Workbench) -> None:
    body = secrets.token_hex(16)
    queueing.pause(bench.settings, bench.store, f"until hf_{body} is renewed")
    assert bench.store.queue_state().reason == "until hf_***REDACTED*** is renewed"


def test_a_configuration_with_more_secret_text_than_can_be_looked_for_is_refused(bench: Workbench) -> None:
    prompt = f"a castle, token={secrets.token_hex(8)} " + "and a tower " * 12_000
    with pytest.raises(InvalidInput, match="131072 characters") as caught:
        submit(bench, config={"steps": 5, "sample_prompts": [prompt]})
    assert caught.value.field == "config"
    assert nothing_was_made(bench)
