"""The live stream of a job, over real sockets: what a client gets, in which order, and what it never gets twice."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from isengard.events.models import EventName, Level
from standins.api_server import ApiServer, SseFrame, api_server, make_character, sse_frames
from standins.workbench import eventually

Queue = Callable[..., dict[str, Any]]


@contextmanager
def stream(client: httpx.Client, job_id: str, query: str = "", **headers: str) -> Iterator[Iterator[SseFrame]]:
    with client.stream("GET", f"/api/jobs/{job_id}/stream{query}", headers=headers) as response:
        assert response.status_code == 200
        yield (frame for frame in sse_frames(response) if not frame.comment)


def finish(api: ApiServer, job_id: str, steps: int = 3) -> int:
    """Write a run that completes; the number of its last line."""
    with api.journal(job_id) as journal:
        journal.append(EventName.JOB_STARTED, "started", {"status": "running", "attempt": 1})
        for step in range(1, steps + 1):
            journal.append(EventName.TRAINING_STEP, "", {"step": step, "steps_total": steps, "loss": 1 / step})
        return journal.append(EventName.JOB_COMPLETED, "done", {"status": "completed", "stage": "completed"})


def test_a_first_connection_gets_a_snapshot_and_then_what_is_new(
    api: ApiServer, client: httpx.Client, job: dict[str, Any]
) -> None:
    with stream(client, job["id"]) as frames:
        snapshot = next(frames)
        assert (snapshot.event, snapshot.seq) == ("snapshot", 2)
        assert snapshot.data["id"] == job["id"]
        assert snapshot.data["status"] == "queued"
        last = finish(api, job["id"])
        following = list(frames)
    assert [frame.seq for frame in following] == list(range(3, last + 1))
    assert [frame.event for frame in following] == ["progress"] * 4 + ["complete"]
    step = following[1].data
    assert (step["job_id"], step["correlation_id"], step["step"], step["loss"]) == (job["id"], "corr-of-runner", 1, 1)


def test_headers_keep_proxies_from_holding_frames_back(client: httpx.Client, job: dict[str, Any]) -> None:
    with client.stream("GET", f"/api/jobs/{job['id']}/stream") as response:
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-accel-buffering"] == "no"
        assert response.headers["x-correlation-id"]
        lines = response.iter_lines()
        assert next(lines) == "retry: 1000"
        assert next(lines).startswith("id: ")  # of the snapshot: a frame of its own would be one without data


def test_replay_from_the_start_has_every_line_once(api: ApiServer, client: httpx.Client, job: dict[str, Any]) -> None:
    last = finish(api, job["id"], steps=1500)  # more than one piece of the file
    with stream(client, job["id"], "?from=start") as frames:
        seen = [frame.seq for frame in frames]
    assert seen == list(range(1, last + 1))


@pytest.mark.parametrize("by", ["header", "query"])
def test_resuming_goes_on_right_after_the_line(
    api: ApiServer, client: httpx.Client, job: dict[str, Any], by: str
) -> None:
    last = finish(api, job["id"])
    query, headers = ("?after=4", {}) if by == "query" else ("", {"Last-Event-ID": "4"})
    with stream(client, job["id"], query, **headers) as frames:
        assert [frame.seq for frame in frames] == list(range(5, last + 1))


def test_the_header_wins_over_the_address_it_was_opened_with(
    api: ApiServer, client: httpx.Client, job: dict[str, Any]
) -> None:
    last = finish(api, job["id"])
    with stream(client, job["id"], "?from=start", **{"Last-Event-ID": "5"}) as frames:
        assert [frame.seq for frame in frames] == list(range(6, last + 1))


def test_after_the_terminal_line_the_answer_is_204(api: ApiServer, client: httpx.Client, job: dict[str, Any]) -> None:
    last = finish(api, job["id"])
    answer = client.get(f"/api/jobs/{job['id']}/stream", headers={"Last-Event-ID": str(last)})
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["x-correlation-id"]


def test_a_job_that_has_ended_gives_its_snapshot_and_its_end(
    api: ApiServer, client: httpx.Client, job: dict[str, Any]
) -> None:
    last = finish(api, job["id"])
    with stream(client, job["id"]) as frames:
        snapshot, end = list(frames)
    assert (snapshot.event, snapshot.data["status"], snapshot.seq) == ("snapshot", "completed", last - 1)
    assert (end.event, end.seq) == ("complete", last)


def test_a_failure_ends_the_stream_with_its_stack(api: ApiServer, client: httpx.Client, job: dict[str, Any]) -> None:
    fields = {"status": "failed", "error": "out of memory", "error_type": "OutOfMemoryError", "error_stack": "a\nb"}
    with api.journal(job["id"]) as journal:
        journal.append(EventName.JOB_FAILED, "out of memory", fields, level=Level.ERROR)
    with stream(client, job["id"], "?from=start") as frames:
        end = list(frames)[-1]
    assert end.event == "error"
    assert {name: end.data[name] for name in ("error", "error_type", "error_stack")} == {
        "error": "out of memory",
        "error_type": "OutOfMemoryError",
        "error_stack": "a\nb",
    }


def test_only_the_last_end_of_a_resumed_job_closes_the_stream(
    api: ApiServer, client: httpx.Client, job: dict[str, Any]
) -> None:
    with api.journal(job["id"]) as journal:
        journal.append(EventName.JOB_FAILED, "first try", {"status": "failed", "attempt": 1}, level=Level.ERROR)
    with stream(client, job["id"], "?after=2") as frames:
        assert [frame.event for frame in frames] == ["error"]
    with api.journal(job["id"]) as journal:
        journal.append(EventName.JOB_RESUMED, "again", {"status": "queued", "attempt": 2})
    with stream(client, job["id"], "?from=start") as frames:
        assert [next(frames).event for _ in range(4)] == ["progress"] * 4  # the first end among them
        with api.journal(job["id"]) as journal:
            journal.append(EventName.JOB_CANCELLED, "enough", {"status": "cancelled", "attempt": 2})
        assert [frame.event for frame in frames] == ["complete"]


def test_every_other_line_is_a_log_frame(api: ApiServer, client: httpx.Client, job: dict[str, Any]) -> None:
    with api.journal(job["id"]) as journal:
        journal.append(EventName.SUBPROCESS_STDERR, "warning: slow\r\nnext", {"stream": "stderr"}, level=Level.WARN)
        journal.append(EventName.TRAINING_SAMPLE, "", {"sample_path": "a.png", "step": 1})
        journal.append(EventName.TRAINING_CHECKPOINT, "", {"checkpoint_path": "a.safetensors", "step": 1})
        journal.append(EventName.JOB_CANCELLED, "", {"status": "cancelled"})
    with stream(client, job["id"], "?after=2") as frames:
        log, sample, checkpoint, end = list(frames)
    assert [log.event, sample.event, checkpoint.event, end.event] == ["log", "sample", "checkpoint", "complete"]
    assert set(log.data) == {"seq", "timestamp", "level", "event", "message", "service", "fields"}
    assert (log.data["level"], log.data["message"]) == ("WARN", "warning: slow\r\nnext")


@pytest.mark.parametrize("bad", ["-1", "abc", "1.5", "9" * 30, "٣"])
def test_a_position_that_is_no_number_is_refused(client: httpx.Client, job: dict[str, Any], bad: str) -> None:
    answer = client.get(f"/api/jobs/{job['id']}/stream", params={"after": bad})
    assert answer.status_code == 422
    assert "after" in answer.json()["detail"]


def test_a_position_beyond_the_journal_begins_afresh(client: httpx.Client, job: dict[str, Any]) -> None:
    with stream(client, job["id"], "?after=4000") as frames:
        assert next(frames).event == "snapshot"


def test_an_unknown_job_has_no_stream(client: httpx.Client) -> None:
    answer = client.get("/api/jobs/train-000000000000/stream")
    assert answer.status_code == 404
    assert "train-000000000000" in answer.json()["detail"]


def test_many_clients_all_get_everything_once(api: ApiServer, client: httpx.Client, job: dict[str, Any]) -> None:
    seen: dict[int, list[int]] = {}
    opened = threading.Barrier(41)

    def view(number: int) -> None:
        with api.client() as own, stream(own, job["id"]) as frames:
            next(frames)
            opened.wait(30)
            seen[number] = [frame.seq for frame in frames]

    threads = [threading.Thread(target=view, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    opened.wait(30)
    last = finish(api, job["id"], steps=400)
    for thread in threads:
        thread.join(30)
    assert len(seen) == 40
    assert all(numbers == list(range(3, last + 1)) for numbers in seen.values())


def test_a_websocket_gives_the_same_frames(api: ApiServer, client: httpx.Client, job: dict[str, Any]) -> None:
    finish(api, job["id"])
    with stream(client, job["id"], "?after=1") as frames:
        expected = [(frame.id, frame.event, frame.data) for frame in frames]
    address = f"ws://127.0.0.1:{api.port}/api/jobs/{job['id']}/ws"
    by_query, by_header = connect(f"{address}?after=1"), connect(address, additional_headers={"Last-Event-ID": "1"})
    for connection in (by_query, by_header):
        with connection:
            assert connection.response is not None
            assert connection.response.headers["x-correlation-id"]
            texts = [json.loads(text) for text in connection]
        assert [(text["id"], text["event"], text["data"]) for text in texts] == expected


def test_the_stream_of_all_jobs_shows_changes_and_removals(api: ApiServer, client: httpx.Client, queue: Queue) -> None:
    with client.stream("GET", "/api/stream") as response:
        frames = (frame for frame in sse_frames(response) if not frame.comment)
        assert next(frames).event == "snapshot"
        job = queue()

        def next_of(event: str) -> SseFrame:
            return next(frame for frame in frames if frame.event == event and frame.data["id"] == job["id"])

        assert next_of("job").data["status"] == "queued"
        with api.journal(job["id"]) as journal:
            journal.append(EventName.JOB_STARTED, "", {"status": "running", "stage": "training"})
        assert next_of("job").data["status"] == "running"
        with api.journal(job["id"]) as journal:
            journal.append(EventName.TRAINING_STEP, "", {"step": 7, "steps_total": 100, "loss": 0.5})
        assert next_of("job").data["current_step"] == 7
    end_and_delete(api, job["id"])


def end_and_delete(api: ApiServer, job_id: str) -> None:
    with api.client() as client:
        assert client.post(f"/api/training/{job_id}/cancel").status_code == 200
        assert client.delete(f"/api/training/{job_id}").status_code == 204


def test_a_client_of_all_jobs_comes_back_to_what_changed(api: ApiServer, client: httpx.Client, queue: Queue) -> None:
    with client.stream("GET", "/api/stream") as response:
        snapshot = next(sse_frames(response))
    job = queue()
    eventually(lambda: client.get(f"/api/training/{job['id']}").json()["last_seq"] == 2, "the job being written")
    with client.stream("GET", "/api/stream", headers={"Last-Event-ID": snapshot.id}) as response:
        frame = next(frame for frame in sse_frames(response) if not frame.comment)
        assert (frame.event, frame.data["id"]) == ("job", job["id"])
        assert frame.id.partition("-")[0] == snapshot.id.partition("-")[0]
    end_and_delete(api, job["id"])
    with client.stream("GET", "/api/stream", params={"after": frame.id}) as response:
        removed = next(each for each in sse_frames(response) if each.event == "removed")
        assert removed.data == {"id": job["id"]}
    other_run = {"Last-Event-ID": "00000000-5"}
    with client.stream("GET", "/api/stream", headers=other_run) as response:
        assert next(sse_frames(response)).event == "snapshot"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    limits = {"max_streams": 3, "stream_heartbeat_s": 0.1, "stream_stall_s": 0.6}
    with api_server(tmp_path_factory.mktemp("strict") / "data", **limits) as server:
        yield server


@pytest.fixture
def own_job(strict: ApiServer) -> dict[str, Any]:
    with strict.client() as client:
        character = make_character(client)
        body = {"character_id": character["id"], "trainer": "mock"}
        return dict(client.post("/api/training", json=body).json())


def test_an_idle_stream_gives_a_sign_of_life(strict: ApiServer, own_job: dict[str, Any]) -> None:
    with strict.client() as client, client.stream("GET", f"/api/jobs/{own_job['id']}/stream") as response:
        frames = sse_frames(response)
        assert next(frames).event == "snapshot"
        assert next(frames).comment


def test_one_client_too_many_is_told_when_to_come_back(strict: ApiServer, own_job: dict[str, Any]) -> None:
    path = f"/api/jobs/{own_job['id']}/stream"
    with strict.client() as client:
        with client.stream("GET", path), client.stream("GET", path), client.stream("GET", "/api/stream"):
            refused = client.get(path)
            assert refused.status_code == 503
            assert refused.headers["retry-after"] == "5"
            assert "ISENGARD_MAX_STREAMS" in refused.json()["detail"]
        eventually(lambda: _streams_open(client) == 0, "the places being free again")


def test_streams_are_refused_before_the_system_has_no_more_files_to_give(tmp_path: Path) -> None:
    """A server that let them all in could accept nobody any more, and open no journal either."""
    with api_server(tmp_path / "data", open_files=300) as server, ExitStack() as held, server.client() as client:
        answers = [held.enter_context(client.stream("GET", "/api/stream")) for _ in range(40)]
        refused = [answer for answer in answers if answer.status_code == 503]
        assert 0 < len(refused) < len(answers)
        assert {answer.status_code for answer in answers} == {200, 503}
        assert all("retry-after" in answer.headers for answer in refused)
        assert client.get("/health").status_code == 200
        assert client.get("/api/training").status_code == 200


def test_the_limit_of_open_files_is_raised_as_far_as_the_streams_need_it() -> None:
    script = (
        "import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (100, 700));"
        "from isengard.api.descriptors import streams_that_fit as fit;"
        "print(fit(50), r.getrlimit(r.RLIMIT_NOFILE)[0], fit(5000), r.getrlimit(r.RLIMIT_NOFILE)[0])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["50", "356", "222", "700"]


def test_a_client_that_does_not_read_costs_little_and_is_cut_off(strict: ApiServer, own_job: dict[str, Any]) -> None:
    with socket.create_connection(("127.0.0.1", strict.port)) as silent, strict.client() as client:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        silent.sendall(f"GET /api/jobs/{own_job['id']}/stream?from=start HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        eventually(lambda: _streams_open(client) == 1, "the stream being open")
        memory = strict.memory()
        with strict.journal(own_job["id"]) as journal:
            for _ in range(30_000):
                journal.append(EventName.LOG, "x" * 1000)
        eventually(lambda: _streams_open(client) == 0, "the silent client being cut off")
        assert strict.memory() - memory < 24 * 1024 * 1024  # of the 30 MB that were written
    eventually(lambda: strict.connections() == 0, "the sockets being closed")


def test_a_thousand_bytes_of_half_a_request_hold_no_place(strict: ApiServer) -> None:
    halves = [socket.create_connection(("127.0.0.1", strict.port)) for _ in range(50)]
    for half in halves:
        half.sendall(b"GET /api/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
    with strict.client() as client:
        assert client.get("/health").status_code == 200
        assert _streams_open(client) == 0
    for half in halves:
        half.close()
    eventually(lambda: strict.connections() == 0, "the sockets being closed")


def _streams_open(client: httpx.Client) -> int:
    lines = client.get("/metrics").text.splitlines()
    return int(float(next(line.split()[1] for line in lines if line.startswith("isengard_streams_open "))))


def test_a_server_that_stops_ends_its_streams_and_its_successor_goes_on(tmp_path: Path) -> None:
    with api_server(tmp_path / "data") as first:
        with first.client() as client:
            character = make_character(client)
            job = client.post("/api/training", json={"character_id": character["id"], "trainer": "mock"}).json()
            with stream(client, job["id"]) as frames:
                position = next(frames).seq
                assert first.process.poll() is None
                first.process.terminate()
                assert list(frames) == []
        assert first.process.wait(30) == 0
    with first.journal(job["id"]) as journal:
        journal.append(EventName.LOG, "written while no server ran")
    with (
        api_server(tmp_path / "data") as second,
        second.client() as client,
        stream(client, job["id"], "", **{"Last-Event-ID": str(position)}) as frames,
    ):
        assert next(frames).data["message"] == "written while no server ran"
