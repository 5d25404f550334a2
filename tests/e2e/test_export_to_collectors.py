"""What a collector gets from real jobs, through its own outages and the exporter's restarts: everything, once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from isengard.cli.main import main
from isengard.core.correlation import accept
from isengard.core.tracing import attempt_span, trainer_span
from isengard.execution import control
from isengard.jobs.models import Job
from standins.otlp_receiver import OtlpReceiver, attributes, hexadecimal
from standins.workbench import Workbench, eventually, workbench

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    with workbench(tmp_path / "data") as made:
        yield made


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[OtlpReceiver]:
    made = OtlpReceiver(tmp_path / "collector")
    yield made
    made.kill()


class Exporting:
    """`isengard export` as a process."""

    def __init__(self, bench: Workbench, receiver: OtlpReceiver) -> None:
        self._argv = [sys.executable, "-m", "isengard", "export", "--data-dir", str(bench.settings.data_dir)]
        self._env = {"ISENGARD_OTLP_ENDPOINT": receiver.endpoint, "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        self.process = subprocess.Popen(self._argv, env={**os.environ, **self._env})
        return self.process

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(120) == 0


@pytest.fixture
def exporting(bench: Workbench, receiver: OtlpReceiver) -> Iterator[Exporting]:
    made = Exporting(bench, receiver)
    yield made
    if made.process.poll() is None:
        made.process.kill()
        made.process.wait()


def lines_taken(receiver: OtlpReceiver, job: Job) -> list[int]:
    """The numbers of the job's lines, in the order the collector took them."""
    records = [attributes(record) for record in receiver.taken("logs")]
    return [each["isengard.seq"] for each in records if each["isengard.job_id"] == job.id]


def spans_of(receiver: OtlpReceiver, job: Job) -> dict[str, dict[str, Any]]:
    """The job's spans by name; each once."""
    found = [span for span in receiver.taken("traces") if hexadecimal(span["traceId"]) == job.traceparent.split("-")[1]]
    assert len({span["spanId"] for span in found}) == len(found)
    return {span["name"]: span for span in found}


def test_a_collector_gets_every_line_once_and_a_trace_through_outages_and_a_restart(
    bench: Workbench, receiver: OtlpReceiver, exporting: Exporting
) -> None:
    bench.start_worker()
    first = bench.submit(steps=30)  # while nobody listens
    bench.finish(first)
    receiver.start()
    wanted = list(range(1, bench.entries(first)[-1].seq + 1))
    eventually(lambda: lines_taken(receiver, first) == wanted, "the first job's lines")

    second, _ = control.submit(
        bench.settings,
        bench.store,
        character_id=bench.character.id,
        trainer="mock",
        config={"steps": 80, "step_time_s": 0.03, "sample_every_n_steps": 0, "fail_mode": "exception"},
        correlation=accept("corr-of-caller", f"00-{TRACE}-{CALLER}-01"),
    )
    bench.jobs.append(second.id)
    environment = Path(f"/proc/{bench.trainer_pid(second)}/environ").read_bytes().split(b"\0")
    assert f"TRACEPARENT=00-{TRACE}-{trainer_span(second.id, 1)}-01".encode() in environment
    eventually(lambda: lines_taken(receiver, second), "the first of the second job's lines")
    receiver.kill()
    exporting.stop()
    exporting.start()
    bench.finish(second)
    receiver.start()
    wanted_too = list(range(1, bench.entries(second)[-1].seq + 1))
    eventually(lambda: set(lines_taken(receiver, second)) == set(wanted_too), "the second job's lines")
    assert lines_taken(receiver, first) == wanted
    assert lines_taken(receiver, second) == wanted_too
    record = receiver.taken("logs")[0]
    assert record["resource"]["service.name"] == "isengard"
    assert hexadecimal(record["traceId"]) == first.traceparent.split("-")[1]
    eventually(lambda: outcomes(receiver) == ["completed", "failed"], "the counts of both jobs")
    losses = [metric for metric in receiver.taken("metrics") if metric["name"] == "isengard.training.loss"]
    points = [attributes(point) for metric in losses for point in metric["gauge"]["dataPoints"]]
    assert sum(point["isengard.job_id"] == first.id for point in points) == 30
    eventually(lambda: "training job" in spans_of(receiver, second), "the job's span")
    check_trace(second, spans_of(receiver, second))


def outcomes(receiver: OtlpReceiver) -> list[str]:
    counts = [metric for metric in receiver.taken("metrics") if metric["name"] == "isengard.job.ended"]
    return [attributes(point)["isengard.outcome"] for each in counts for point in each["sum"]["dataPoints"]]


def check_trace(job: Job, spans: dict[str, dict[str, Any]]) -> None:
    root, attempt = spans["training job"], spans["attempt 1"]
    assert hexadecimal(root["parentSpanId"]) == CALLER
    assert hexadecimal(root["spanId"]) == job.traceparent.split("-")[2]
    assert attempt["parentSpanId"] == root["spanId"]
    assert hexadecimal(attempt["spanId"]) == attempt_span(job.id, 1)
    for name in ("queued", "initializing", "preparing_dataset", "training", "trainer mock"):
        assert spans[name]["parentSpanId"] == attempt["spanId"], name
        assert int(attempt["startTimeUnixNano"]) <= int(spans[name]["startTimeUnixNano"])
        assert int(spans[name]["endTimeUnixNano"]) <= int(attempt["endTimeUnixNano"])
    assert root["status"]["code"] == attempt["status"]["code"] == "STATUS_CODE_ERROR"
    (told,) = attempt["events"]
    assert "Traceback" in attributes(told)["exception.stacktrace"]


def test_a_line_the_collector_refuses_holds_up_no_other(
    bench: Workbench, receiver: OtlpReceiver, exporting: Exporting
) -> None:
    receiver.start()
    receiver.refuse("was claimed by nobody")
    job = bench.submit()
    with control.lines.writer(bench.settings, job.id, service="control", correlation_id="corr-1") as journal:
        for number in range(20):
            journal.append("log", "it was claimed by nobody" if number == 7 else f"remark {number}", {})
    last = bench.entries(job)[-1].seq
    eventually(lambda: last in lines_taken(receiver, job), "the last line")
    refused = next(entry.seq for entry in bench.entries(job) if "by nobody" in entry.msg)
    assert lines_taken(receiver, job) == [seq for seq in range(1, last + 1) if seq != refused]


def test_standard_output_gets_every_journal_line_once_across_restarts(bench: Workbench) -> None:
    argv = [sys.executable, "-m", "isengard", "export", "--stdout", "--data-dir", str(bench.settings.data_dir)]
    printed: list[bytes] = []
    for _ in range(2):
        job = bench.submit()
        with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            printed += [process.stdout.readline() for _ in bench.entries(job)]
            process.terminate()
            rest, _ = process.communicate(timeout=120)
            assert (rest, process.returncode) == (b"", 0)
    journals = [
        line for job in bench.jobs for line in (bench.settings.paths.job(job)).journal.read_bytes().splitlines()
    ]
    assert [orjson.loads(line) for line in printed] == [orjson.loads(line) for line in journals]


@pytest.mark.parametrize(
    ("settings", "words"),
    [({}, "ISENGARD_OTLP_ENDPOINT"), ({"ISENGARD_OTLP_SIGNALS": "smoke"}, "ISENGARD_OTLP_SIGNALS: ")],
)
def test_what_cannot_be_exported_is_one_line_and_exit_code_2(
    settings: dict[str, str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert main(["export", "--data-dir", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert len(said.splitlines()) == 1
