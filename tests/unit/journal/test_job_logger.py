"""`TrainingJobLogger`: the journal in the words of a training, usable alone."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from isengard.core import correlation
from isengard.core.correlation import Correlation
from isengard.core.errors import InvalidInput, JournalLocked
from isengard.core.paths import DataDir
from isengard.events.models import TrainingStage
from isengard.journal import JobFold, JournalReader, TrainingJobLogger
from standins.journals import JOB, entries_in, new_job, numbers_in, subset, writer


def test_it_makes_the_folder_and_the_journal_where_the_contract_says(tmp_path: Path) -> None:
    with TrainingJobLogger(tmp_path, JOB, correlation_id="corr-7") as logger:
        logger.info("hello", answer=42)
        assert logger.get_log_path() == tmp_path / "logs" / "jobs" / JOB / "events.jsonl"
        assert logger.get_log_path().exists()
    (entry,) = entries_in(new_job(tmp_path))
    assert subset(entry, "level", "event", "msg", "job_id", "correlation_id", "fields") == {
        "level": "INFO",
        "event": "log",
        "msg": "hello",
        "job_id": JOB,
        "correlation_id": "corr-7",
        "fields": {"answer": 42},
    }


def test_each_level_has_a_word(tmp_path: Path) -> None:
    with TrainingJobLogger(tmp_path, JOB) as logger:
        assert [logger.debug("d"), logger.info("i"), logger.warn("w"), logger.warning("w"), logger.error("e")] == [
            1, 2, 3, 4, 5,
        ]  # fmt: skip
    levels = [entry["level"] for entry in entries_in(new_job(tmp_path))]
    assert levels == ["DEBUG", "INFO", "WARN", "WARN", "ERROR"]


def test_an_error_carries_its_exception_with_the_stack(tmp_path: Path) -> None:
    with TrainingJobLogger(tmp_path, JOB) as logger:
        try:
            raise ValueError("a bad thing")
        except ValueError as error:
            logger.error("given", exc_info=error)
            logger.error("handled", exc_info=True)
        logger.error("none", exc_info=True)
    given, handled, none = entries_in(new_job(tmp_path))
    for entry in (given, handled):
        assert subset(entry["fields"], "error", "error_type") == {"error": "a bad thing", "error_type": "ValueError"}
        assert "in test_an_error_carries" in entry["fields"]["error_stack"]
    assert none["fields"] == {}


def test_a_step_tells_of_its_figures(tmp_path: Path) -> None:
    with TrainingJobLogger(tmp_path, JOB) as logger:
        logger.step(5, loss=0.25, lr=1e-4, steps_total=20, grad_norm=1.5)
    (entry,) = entries_in(new_job(tmp_path))
    assert entry["event"] == "training.step"
    assert entry["fields"] == {
        "stage": "training",
        "step": 5,
        "steps_total": 20,
        "progress_pct": 25.0,
        "loss": 0.25,
        "lr": 1e-4,
        "metrics": {"grad_norm": 1.5},
        "attempt": 1,
    }


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_is_null_and_a_warning(tmp_path: Path, loss: float) -> None:
    with TrainingJobLogger(tmp_path, JOB) as logger:
        logger.step(5, loss=loss)
    (entry,) = entries_in(new_job(tmp_path))
    assert entry["fields"]["loss"] is None
    assert entry["level"] == "WARN"
    assert str(loss) in entry["msg"]


def test_samples_are_logged_and_remembered(tmp_path: Path) -> None:
    paths = new_job(tmp_path)
    with TrainingJobLogger(tmp_path, JOB) as logger:
        logger.sample_generated(paths.samples / "a.png", 10, "a prompt", index=1, seed=7)
        logger.sample_generated(str(paths.samples / "b.png"), step=20)
        assert [(sample["path"], sample["step"], sample["prompt"]) for sample in logger.get_samples()] == [
            (str(paths.samples / "a.png"), 10, "a prompt"),
            (str(paths.samples / "b.png"), 20, None),
        ]
    first, second = entries_in(paths)
    assert first["fields"] == {
        "stage": "sampling",
        "step": 10,
        "sample_path": "a.png",
        "sample_prompt": "a prompt",
        "sample_index": 1,
        "sample_seed": 7,
        "attempt": 1,
    }
    assert "sample_prompt" not in second["fields"]


def test_stages_and_checkpoints_move_the_job(tmp_path: Path) -> None:
    with TrainingJobLogger(tmp_path, JOB, attempt=2) as logger:
        logger.stage(TrainingStage.TRAINING, "off we go")
        logger.checkpoint(tmp_path / "c10.safetensors", 10)
    fold = JobFold.read(JournalReader(new_job(tmp_path)))
    assert (fold.stage, fold.step, fold.attempt) == ("training", 10, 2)
    assert fold.checkpoints[0].fields["checkpoint_path"] == "c10.safetensors"


def test_secrets_of_the_environment_are_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = os.urandom(16).hex()
    monkeypatch.setenv("MY_API_TOKEN", secret)
    with TrainingJobLogger(tmp_path, JOB) as logger:
        logger.info(f"it is {secret}")
    assert secret not in logger.get_log_path().read_text()


def test_it_takes_the_correlation_that_is_bound(tmp_path: Path) -> None:
    with correlation.bind(Correlation("corr-bound")), TrainingJobLogger(tmp_path, JOB) as logger:
        logger.info("x")
    assert entries_in(new_job(tmp_path))[0]["correlation_id"] == "corr-bound"


def test_it_finds_the_data_folder_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISENGARD_DATA_DIR", str(tmp_path / "data"))
    for named in ({"job_id": JOB}, {"data_dir": JOB}):  # a text alone is the job
        with TrainingJobLogger(**named) as logger:
            logger.info("x")
        assert logger.get_log_path() == tmp_path / "data" / "logs" / "jobs" / JOB / "events.jsonl"


def test_it_takes_the_folders_in_every_form(tmp_path: Path) -> None:
    for place, job in ((str(tmp_path), JOB), (DataDir(tmp_path), JOB), (new_job(tmp_path), None)):
        with TrainingJobLogger(place, job) as logger:
            logger.info("x")
    assert numbers_in(new_job(tmp_path)) == [1, 2, 3]


@pytest.mark.parametrize("job_id", [None, "", "../up", "a/b", "a\0b", ".", "x" * 200])
def test_what_is_no_job_id_is_refused(tmp_path: Path, job_id: str | None) -> None:
    with pytest.raises(InvalidInput) as refusal:
        TrainingJobLogger(tmp_path, job_id)
    assert refusal.value.field == "job_id"
    assert list(tmp_path.iterdir()) == []


def test_a_given_writer_is_used_and_left_open(tmp_path: Path) -> None:
    paths = new_job(tmp_path)
    with writer(paths) as journal:
        with TrainingJobLogger(paths, writer=journal) as logger:
            logger.info("through the logger")
        journal.append("log", "after it")
    assert [entry["service"] for entry in entries_in(paths)] == ["runner", "runner"]


def test_two_loggers_of_one_job_do_not_mix(tmp_path: Path) -> None:
    with TrainingJobLogger(tmp_path, JOB), pytest.raises(JournalLocked):
        TrainingJobLogger(tmp_path, JOB)
