"""The fourteen checks of the first report. They run alone:

ISENGARD_MODE=fast-test pytest tests/test_training_observability.py -v
"""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from isengard.core.correlation import Correlation, bind
from isengard.core.redaction import Redactor
from isengard.events import GPUMetrics, InMemoryEventBus, TrainingProgressEvent, TrainingStage
from isengard.jobs.models import JobStatus
from isengard.journal import JournalReader, TrainingJobLogger
from standins.workbench import Workbench, workbench

_ALPHABET = string.ascii_letters + string.digits


def made_up(length: int = 34) -> str:
    """A secret of this run only, with at least one digit."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length - 1)) + secrets.choice(string.digits)


class TestLogRedaction:
    def test_hf_tokens(self) -> None:
        secret = made_up()
        assert Redactor().text(f"login with hf_{secret} done") == "login with hf_***REDACTED*** done"

    def test_api_keys(self) -> None:
        secret = made_up()
        assert Redactor().text(f"key sk-proj-{secret}, next") == "key sk-***REDACTED***, next"
        assert secret not in json.dumps(Redactor().value({"outer": [{"api_key": secret}]}))

    def test_passwords(self) -> None:
        secret = made_up(12)
        assert Redactor().text(f"password={secret}") == "password=***"
        assert Redactor().text(f"password={secret}&user=me") == "password=***&user=me"

    def test_url_tokens(self) -> None:
        secret = made_up()
        before = f"GET https://example.org/model?token={secret}&revision=main HTTP/1.1"
        assert Redactor().text(before) == "GET https://example.org/model?token=***&revision=main HTTP/1.1"

    def test_normal_text(self) -> None:
        ordinary = [
            "step 100/1000 loss=0.0421 lr=1e-04 max_tokens=512 12.3 tokens/s",
            "task-42 wrote disk-cache, risk-free; sk-learn and hf_hub_download are installed",
            '{"pad_token": "<|endoftext|>", "use_auth_token": false}',
            f"sha256 {secrets.token_hex(32)}",
        ]
        assert [Redactor().text(text) for text in ordinary] == ordinary


class TestTrainingProgressEvent:
    def test_creation(self) -> None:
        event = TrainingProgressEvent(
            job_id="train-1",
            correlation_id="corr-1",
            status="running",
            stage=TrainingStage.TRAINING,
            step=50,
            steps_total=200,
            progress_pct=25.0,
            loss=0.125,
            gpu=GPUMetrics(memory_used_mb=4096.0),
        )
        assert (event.step, event.steps_total, event.loss) == (50, 200, 0.125)
        assert event.stage == "training"
        assert event.error is None

    def test_dict_conversion(self) -> None:
        event = TrainingProgressEvent(
            job_id="train-1", stage=TrainingStage.SAMPLING, step=0, gpu=GPUMetrics(temperature_c=61.0)
        )
        assert event.to_dict() == {
            "job_id": "train-1",
            "stage": "sampling",
            "step": 0,
            "gpu": {"index": 0, "temperature_c": 61.0},
        }

    def test_sse_format(self) -> None:
        event = TrainingProgressEvent(job_id="train-1", status="running", step=7, message="line one\nline two")
        frame = event.to_sse(event_id=12)
        assert (frame["event"], frame["id"]) == ("progress", "12")
        assert "\n" not in frame["data"]
        assert json.loads(frame["data"]) == event.to_dict()

    def test_completion_event(self) -> None:
        assert TrainingProgressEvent(status="completed").to_sse()["event"] == "complete"
        assert TrainingProgressEvent(status="cancelled").to_sse()["event"] == "complete"
        failed = TrainingProgressEvent(status="failed", error="CUDA out of memory", error_type="OutOfMemoryError")
        frame = failed.to_sse()
        assert frame["event"] == "error"
        assert json.loads(frame["data"])["error_type"] == "OutOfMemoryError"


class TestEventBus:
    async def test_publish_subscribe(self) -> None:
        bus = InMemoryEventBus()
        subscription = bus.subscribe("train-1")
        await subscription.ready()
        await bus.publish(TrainingProgressEvent(job_id="train-2", step=1))
        await bus.publish(*(TrainingProgressEvent(job_id="train-1", step=step) for step in (1, 2, 3)))
        received = [await anext(subscription) for _ in range(3)]
        await bus.close()
        assert [(event.job_id, event.step) for event in received if isinstance(event, TrainingProgressEvent)] == [
            ("train-1", 1),
            ("train-1", 2),
            ("train-1", 3),
        ]

    async def test_history(self) -> None:
        bus = InMemoryEventBus()
        for step in range(1, 11):
            await bus.publish(TrainingProgressEvent(job_id="train-1", step=step))
        kept = await bus.history("train-1", limit=4)
        assert [event.step for event in kept if isinstance(event, TrainingProgressEvent)] == [7, 8, 9, 10]
        assert await bus.history("train-2") == []
        await bus.close()


class TestTrainingJobLogger:
    def test_log_file_creation(self, tmp_path: Path) -> None:
        secret = made_up()
        with TrainingJobLogger(tmp_path, "train-logged", correlation_id="corr-logged") as logger:
            logger.info(f"starting with hf_{secret}")
            logger.step(1, loss=0.5, steps_total=10)
            logger.error("it broke", exc_info=ValueError("no such image"))
            path = logger.get_log_path()
        assert path == tmp_path / "logs" / "jobs" / "train-logged" / "events.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        assert [(line["seq"], line["level"], line["event"]) for line in lines] == [
            (1, "INFO", "log"),
            (2, "INFO", "training.step"),
            (3, "ERROR", "log"),
        ]
        assert {line["correlation_id"] for line in lines} == {"corr-logged"}
        assert lines[1]["fields"]["loss"] == 0.5
        assert "no such image" in lines[2]["fields"]["error_stack"]
        assert secret not in path.read_text()

    def test_sample_tracking(self, tmp_path: Path) -> None:
        with TrainingJobLogger(tmp_path, "train-sampled") as logger:
            for step in (0, 50):
                image = logger.get_log_path().parent / "samples" / f"step_{step}.png"
                Image.new("RGB", (8, 8)).save(image)
                logger.sample_generated(image, step=step, prompt="a photo of mizu", seed=7)
            samples = logger.get_samples()
            path = logger.get_log_path()
        assert [(sample["step"], Path(sample["path"]).name) for sample in samples] == [
            (0, "step_0.png"),
            (50, "step_50.png"),
        ]
        told = [json.loads(line) for line in path.read_text().splitlines()]
        assert [(line["event"], line["fields"]["sample_path"]) for line in told] == [
            ("training.sample", "step_0.png"),
            ("training.sample", "step_50.png"),
        ]


class TestMockPluginSampleGeneration:
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[Workbench]:
        with workbench(tmp_path / "data") as made:
            yield made

    def test_end_to_end(self, bench: Workbench) -> None:
        """With a real worker, runner and trainer: the samples are distinct pictures and the journal names them."""
        bench.start_worker()
        with bind(Correlation("corr-end-to-end")):
            job = bench.submit(steps=20, sample_every_n_steps=10, sample_prompts=["a photo of mizu", "mizu at sea"])
        assert bench.finish(job).status is JobStatus.COMPLETED
        paths = bench.paths(job)
        samples = bench.of(job, "training.sample")
        assert [(entry.fields["step"], entry.fields["sample_index"]) for entry in samples] == [
            (step, index) for step in (0, 10, 20) for index in (0, 1)
        ]
        assert {entry.fields["sample_prompt"] for entry in samples} == {"a photo of mizu", "mizu at sea"}
        for entry in samples:
            with Image.open(paths.samples / entry.fields["sample_path"]) as image:
                assert image.format == "PNG"
                image.load()
        pictures = {(paths.samples / entry.fields["sample_path"]).read_bytes() for entry in samples}
        assert len(pictures) == len(samples)
        last = JournalReader(paths).read(after=JournalReader(paths).last_seq() - 1)[0]
        assert (last.event, last.correlation_id) == ("job.completed", "corr-end-to-end")
