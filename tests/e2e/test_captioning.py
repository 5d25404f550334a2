"""Images without a caption are described by a model from a folder, as a stage of the run."""

from pathlib import Path

import pytest

from isengard.datasets import captions
from isengard.datasets.limits import Limits
from isengard.execution import control
from isengard.jobs.models import JobStatus
from standins import tiny_pipelines
from standins.workbench import Workbench


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_pipelines.captioner(tmp_path_factory.mktemp("blip"))


def test_images_without_a_caption_are_described_by_a_model_or_a_template(
    bench: Workbench, model: Path, tmp_path: Path
) -> None:
    uploads = bench.settings.paths.uploads(bench.character.id)
    captions.write(uploads / "pip_0.png", "pipbot at the sea", Limits.of(bench.settings))
    bench.start_worker()
    described = bench.submit(caption_model=str(model), steps=2)
    templated = bench.submit(caption_template="a photo of {trigger_word}, {name}", steps=2)
    without = bench.submit(caption_model=str(tmp_path))

    assert bench.finish(described).status is JobStatus.COMPLETED
    told = [entry.fields for entry in bench.of(described, "job.stage") if "caption_of" in entry.fields]
    assert [(fields["stage"], fields["phase"], fields["phase_pct"]) for fields in told] == [
        ("captioning", "captioning images", 50.0),
        ("captioning", "captioning images", 100.0),
    ]
    dataset = bench.paths(described).dataset
    assert (dataset / "pip_0.txt").read_text() == "pipbot at the sea"
    for name in ("pip_1", "pip_2"):
        words = (dataset / f"{name}.txt").read_text()
        assert words.startswith(f"{bench.character.trigger_word}, ")
        assert "word" in words

    bench.finish(templated)
    written = (bench.paths(templated).dataset / "pip_1.txt").read_text()
    assert written == f"a photo of {bench.character.trigger_word}, {bench.character.name}"

    failed = bench.finish(without)
    assert failed.status is JobStatus.FAILED
    assert "caption_model" in (failed.error_message or "")


def test_a_cancel_ends_the_captioning(bench: Workbench, model: Path) -> None:
    bench.start_worker()
    job = bench.submit(caption_model=str(model))
    bench.wait_for_event(job, "job.started")
    control.cancel(bench.settings, bench.store, job.id)
    assert bench.finish(job).status is JobStatus.CANCELLED
    assert bench.survivors(job) == []
