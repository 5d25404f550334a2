"""What each route answers, right and wrong input alike, over real HTTP."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from isengard.events.models import EventName, Level
from isengard.jobs.models import JobStatus
from isengard.jobs.store import open_store
from standins.api_server import ApiServer, make_character, png

Queue = Callable[..., dict[str, Any]]


def detail(answer: httpx.Response) -> str:
    assert set(answer.json()) == {"detail"}
    assert isinstance(answer.json()["detail"], str)
    return str(answer.json()["detail"])


class TestSystem:
    def test_health_answers(self, client: httpx.Client) -> None:
        assert client.get("/health").json()["status"] == "ok"
        assert client.head("/health").status_code == 200

    def test_ready_names_each_dependency_and_the_missing_worker(self, client: httpx.Client) -> None:
        answer = client.get("/ready")
        checks = {check["name"]: check for check in answer.json()["checks"]}
        assert answer.status_code == 200
        assert answer.json()["status"] == "degraded"
        assert checks["database"]["ok"]
        assert checks["data_folder"]["ok"]
        assert not checks["worker"]["ok"]
        assert "isengard worker" in checks["worker"]["detail"]

    def test_info_tells_mode_trainers_and_limits(self, client: httpx.Client) -> None:
        info = client.get("/info").json()
        mock = next(trainer for trainer in info["trainers"] if trainer["name"] == "mock")
        assert (info["mode"], info["default_trainer"], mock["available"]) == ("fast-test", "mock", True)
        assert mock["parameters"]["properties"]["steps"]["minimum"] == 1
        assert info["limits"]["log_page"] == 1000

    def test_metrics_count_by_route_template_and_never_by_address(
        self, client: httpx.Client, job: dict[str, Any]
    ) -> None:
        client.get(f"/api/training/{job['id']}")
        client.get("/api/no/such/place/4711")
        client.request("PURGE", "/health")
        text = client.get("/metrics").text
        assert 'isengard_http_requests_total{method="GET",route="/api/training/{job_id}",status="200"}' in text
        assert 'route="unmatched",status="404"' in text
        assert 'method="other"' in text
        assert 'isengard_jobs{status="queued"}' in text
        assert "process_resident_memory_bytes" in text
        assert job["id"] not in text
        assert "4711" not in text

    def test_the_demo_starts_a_training_of_its_own_character_once_made(self, client: httpx.Client) -> None:
        first, second = client.post("/api/demo"), client.post("/api/demo")
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json()["character"]["image_count"] == 12
        assert second.json()["character"]["id"] == first.json()["character"]["id"]
        assert second.json()["job"]["id"] != first.json()["job"]["id"]


class TestCharacters:
    def test_the_whole_life_of_a_character(self, client: httpx.Client) -> None:
        made = client.post("/api/characters", json={"name": "Pip", "trigger_word": "pipbot", "description": "a robot"})
        character = made.json()
        assert made.status_code == 201
        assert character["id"].startswith("char-")
        assert set(character) == {
            *("id", "name", "description", "trigger_word", "image_count", "lora_path", "created_at", "updated_at")
        }
        path = f"/api/characters/{character['id']}"
        assert client.patch(path, json={"name": "Pop"}).json()["name"] == "Pop"
        assert client.get(path).json()["description"] == "a robot"
        assert client.patch(path, json={"description": None}).json()["description"] is None
        assert path.rpartition("/")[2] in {each["id"] for each in client.get("/api/characters").json()["characters"]}
        assert client.delete(path).status_code == 204
        assert client.get(path).status_code == 404

    def test_images_are_taken_served_captioned_and_removed(self, client: httpx.Client) -> None:
        character = make_character(client, images=0)
        path = f"/api/characters/{character['id']}/images"
        files = [("files", ("pip.png", png())), ("files", ("notes.pdf", b"%PDF-1.7"))]
        result = client.post(path, files=files)
        assert result.status_code == 201
        assert [image["filename"] for image in result.json()["uploaded"]] == ["pip.png"]
        assert result.json()["rejected"][0]["filename"] == "notes.pdf"
        assert result.json()["rejected"][0]["reason"]
        assert result.json()["total_images"] == 1
        captioned = client.put(f"{path}/pip.png/caption", json={"caption": "pipbot on a hill"})
        assert captioned.json()["caption"] == "pipbot on a hill"
        listed = client.get(path).json()
        assert (listed["total"], listed["images"][0]["caption"]) == (1, "pipbot on a hill")
        image = client.get(listed["images"][0]["url"])
        assert (image.status_code, image.headers["content-type"]) == (200, "image/png")
        assert client.delete(f"{path}/pip.png").status_code == 204
        assert client.get(f"{path}/pip.png").status_code == 404

    def test_a_check_of_the_dataset_finds_what_is_amiss(self, client: httpx.Client, character: dict[str, Any]) -> None:
        found = client.post(f"/api/characters/{character['id']}/check").json()
        assert found["ok"]
        assert found["image_count"] == 1
        assert {"few_images", "missing_captions"} <= {finding["code"] for finding in found["findings"]}

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"trigger_word": "x"}, "name"),
            ({"name": "", "trigger_word": "x"}, "name"),
            ({"name": "a", "trigger_word": "b", "colour": "red"}, "colour"),
            ({"name": ["a"], "trigger_word": "b"}, "name"),
            ({"name": "a\u0000b", "trigger_word": "b"}, "name"),
        ],
    )
    def test_a_bad_character_is_refused_by_field(self, client: httpx.Client, body: Any, field: str) -> None:
        answer = client.post("/api/characters", json=body)
        assert answer.status_code == 422
        assert field in detail(answer)

    def test_something_else_than_a_form_is_no_upload(self, client: httpx.Client, character: dict[str, Any]) -> None:
        path = f"/api/characters/{character['id']}/images"
        assert client.post(path, json={"files": []}).status_code == 422
        assert client.post(path, data={"files": "text"}, files={"other": b"x"}).status_code == 422
        broken = client.post(path, content=b"--x\r\nnonsense", headers={"content-type": "multipart/form-data"})
        assert broken.status_code == 422
        assert "files" in detail(broken)


class TestTraining:
    def test_a_job_is_made_whole_and_found_again(self, client: httpx.Client, character: dict[str, Any]) -> None:
        body = {"character_id": character["id"], "config": {"steps": 12, "learning_rate": 0.001}}
        made = client.post("/api/training", json=body, headers={"X-Correlation-ID": "my-request.1"})
        job = made.json()
        assert made.status_code == 201
        assert made.headers["location"] == f"/api/training/{job['id']}"
        assert job["id"].startswith("train-")
        assert (job["status"], job["trainer"], job["total_steps"]) == ("queued", "mock", 12)
        assert job["config"]["learning_rate"] == 0.001
        assert job["correlation_id"] == "my-request.1" == made.headers["x-correlation-id"]
        assert client.get(f"/api/training/{job['id']}").json() == job
        page = client.get("/api/training", params={"character_id": character["id"], "status": "queued,running"}).json()
        assert [each["id"] for each in page["jobs"]] == [job["id"]]

    def test_the_same_key_makes_one_job(self, client: httpx.Client, character: dict[str, Any]) -> None:
        body = {"character_id": character["id"], "config": {"steps": 5}}
        key = {"Idempotency-Key": f"key-{character['id']}"}
        first, second = (client.post("/api/training", json=body, headers=key) for _ in range(2))
        assert first.json()["id"] == second.json()["id"]
        assert second.headers["idempotency-replayed"] == "true"
        other = client.post("/api/training", json={**body, "config": {"steps": 6}}, headers=key)
        assert other.status_code == 409
        assert "Idempotency-Key" in detail(other) or "idempotency key" in detail(other)

    @pytest.mark.parametrize(
        ("config", "named"),
        [
            ({"steps": 0}, "config.steps"),
            ({"learning_rate": 2}, "config.learning_rate"),
            ({"stepz": 5}, "config.stepz"),
            ({"steps": "many"}, "config.steps"),
            ({"sample_prompts": "one"}, "config.sample_prompts"),
            ({"sample_prompts": [1]}, "config.sample_prompts.0: input should be a valid string"),
            ({"steps": 10**30}, "config.steps: the number is too large"),
        ],
    )
    def test_a_bad_parameter_is_refused_by_name(
        self, client: httpx.Client, character: dict[str, Any], config: dict[str, Any], named: str
    ) -> None:
        answer = client.post("/api/training", json={"character_id": character["id"], "config": config})
        assert answer.status_code == 422
        assert named in detail(answer)

    @pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
    def test_what_is_no_number_is_refused_by_name(
        self, client: httpx.Client, character: dict[str, Any], number: str
    ) -> None:
        """NaN is no JSON, but Python's json writes it."""
        text = f'{{"character_id": "{character["id"]}", "config": {{"steps": 5, "learning_rate": {number}}}}}'
        answer = client.post("/api/training", content=text, headers={"content-type": "application/json"})
        assert answer.status_code == 422
        assert "config.learning_rate" in detail(answer)

    def test_an_unknown_character_trainer_or_field_is_named(
        self, client: httpx.Client, character: dict[str, Any]
    ) -> None:
        unknown = client.post("/api/training", json={"character_id": "char-000000000000"})
        assert (unknown.status_code, "char-000000000000" in detail(unknown)) == (404, True)
        trainer = client.post("/api/training", json={"character_id": character["id"], "trainer": "psychic"})
        assert (trainer.status_code, "psychic" in detail(trainer)) == (422, True)
        empty = client.post("/api/training", json={"character_id": character["id"], "trainer": ""})
        assert (empty.status_code, "trainer" in detail(empty)) == (422, True)
        extra = client.post("/api/training", json={"character_id": character["id"], "confg": {}})
        assert (extra.status_code, "confg" in detail(extra)) == (422, True)

    def test_a_character_without_images_is_not_trained(self, client: httpx.Client) -> None:
        character = make_character(client, images=0)
        answer = client.post("/api/training", json={"character_id": character["id"]})
        assert answer.status_code == 422
        assert "images" in detail(answer)

    def test_cancel_resume_and_delete_answer_409_where_the_state_forbids(
        self, client: httpx.Client, job: dict[str, Any]
    ) -> None:
        path = f"/api/training/{job['id']}"
        assert client.post(f"{path}/resume").status_code == 409
        assert client.delete(path).status_code == 409
        cancelled = client.post(f"{path}/cancel")
        assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
        assert client.post(f"{path}/cancel").status_code == 409
        resumed = client.post(f"{path}/resume").json()
        assert (resumed["status"], resumed["attempt"]) == ("queued", 2)
        client.post(f"{path}/cancel")
        assert client.delete(path).status_code == 204
        assert client.get(path).status_code == 404

    def test_pages_of_jobs_continue_by_cursor(self, client: httpx.Client, queue: Queue) -> None:
        made = [queue()["id"] for _ in range(5)]
        character = client.get(f"/api/training/{made[0]}").json()["character_id"]
        found: list[str] = []
        cursor = None
        while True:
            query = {"character_id": character, "limit": 2, **({"cursor": cursor} if cursor else {})}
            page = client.get("/api/training", params=query).json()
            found += [job["id"] for job in page["jobs"]]
            cursor = page["cursor"]
            if cursor is None:
                break
        assert found == made[::-1]
        assert client.get("/api/training", params={"cursor": "nonsense"}).status_code == 422
        assert client.get("/api/training", params={"status": "sleeping"}).status_code == 422

    def test_a_parameter_without_a_value_is_not_given(self, client: httpx.Client, job: dict[str, Any]) -> None:
        character = job["character_id"]
        page = client.get(f"/api/training?status=&character_id={character}&limit=&cursor=").json()
        assert [found["id"] for found in page["jobs"]] == [job["id"]]
        series = client.get(f"/api/jobs/{job['id']}/metrics?keys=loss,lr&max_points=1000&from_step=&to_step=")
        assert (series.status_code, series.json()["series"]["loss"]) == (200, [])
        lines = client.get(f"/api/jobs/{job['id']}/logs/view?level=&event=&search=&limit=100&offset=0&order=asc").json()
        assert [entry["seq"] for entry in lines["entries"]] == [1, 2]

    def test_a_job_is_as_fresh_as_its_journal(self, api: ApiServer, client: httpx.Client, job: dict[str, Any]) -> None:
        with api.journal(job["id"]) as journal:
            journal.append(EventName.JOB_STARTED, "", {"status": "running", "stage": "training", "attempt": 1})
            fields = {"step": 40, "steps_total": 100, "loss": 0.25, "lr": 0.001, "eta_seconds": 9.5}
            journal.append(EventName.TRAINING_STEP, "", fields)
        for seen in (
            client.get(f"/api/training/{job['id']}").json(),
            client.get("/api/training", params={"character_id": job["character_id"]}).json()["jobs"][0],
        ):
            assert (seen["status"], seen["stage"], seen["current_step"]) == ("running", "training", 40)
            assert (seen["current_loss"], seen["eta_seconds"], seen["progress"]) == (0.25, 9.5, 40)

    def test_a_preflight_says_what_would_happen_and_queues_nothing(
        self, client: httpx.Client, character: dict[str, Any]
    ) -> None:
        good = client.post("/api/training/preflight", json={"character_id": character["id"], "config": {"steps": 7}})
        assert good.json()["ok"]
        assert good.json()["config"]["steps"] == 7
        bad = client.post("/api/training/preflight", json={"character_id": character["id"], "config": {"steps": 0}})
        assert not bad.json()["ok"]
        assert bad.json()["findings"][0]["field"] == "config.steps"
        assert client.get("/api/training", params={"character_id": character["id"]}).json()["jobs"] == []

    def test_a_preflight_estimates_gpu_memory_where_the_base_model_is_known(
        self, client: httpx.Client, character: dict[str, Any]
    ) -> None:
        plan = {"character_id": character["id"], "trainer": "diffusers"}
        sdxl = {"base_model": "stabilityai/stable-diffusion-xl-base-1.0", "resolution": 1024, "lora_rank": 16}
        memory = client.post("/api/training/preflight", json={**plan, "config": sdxl}).json()["memory"]
        parts = [memory[f"{name}_bytes"] for name in ("weights", "lora", "activations", "rest")]
        assert memory["total_bytes"] == pytest.approx(sum(parts), abs=4)
        assert memory["total_bytes"] > 5e9
        larger = {**sdxl, "lora_rank": 64}
        more = client.post("/api/training/preflight", json={**plan, "config": larger}).json()["memory"]
        assert more["lora_bytes"] == pytest.approx(4 * memory["lora_bytes"], abs=4)
        mock = client.post("/api/training/preflight", json={"character_id": character["id"]}).json()
        assert mock["memory"] is None
        nobody = client.post("/api/training/preflight", json={**plan, "character_id": "", "config": sdxl}).json()
        assert (nobody["ok"], nobody["memory"]) == (False, memory)

    def test_a_secret_given_to_a_job_shows_up_nowhere(
        self, api: ApiServer, client: httpx.Client, character: dict[str, Any]
    ) -> None:
        import secrets

        secret = f"zq{secrets.token_hex(12)}"
        body = {"character_id": character["id"], "secrets": {"MY_LOGIN": secret}}
        made = client.post("/api/training", json=body)
        job_id = made.json()["id"]
        refused = client.post("/api/training", json={**body, "secrets": {"PATH": secret}})
        wrong = client.post("/api/training", json={**body, "config": {secret: 1}})
        assert (refused.status_code, wrong.status_code) == (422, 422)
        with api.journal(job_id) as journal:
            journal.append(EventName.LOG, "nothing")
        shown = [made.text, refused.text, client.get(f"/api/jobs/{job_id}/logs").text]
        assert not any(secret in text for text in shown)
        assert secret not in (api.settings.paths.service_logs("api") / "api.log").read_text()


class TestLogs:
    @pytest.fixture
    def logged(self, api: ApiServer, job: dict[str, Any]) -> str:
        """A job with two lines of its birth and thirty more."""
        with api.journal(job["id"]) as journal:
            for step in range(1, 11):
                journal.append(EventName.TRAINING_STEP, "", {"step": step, "loss": 1 / step, "attempt": 1})
                journal.append(EventName.SUBPROCESS_STDOUT, f"line {step} of the trainer")
                level = Level.ERROR if step == 6 else Level.WARN if step % 2 else Level.INFO
                journal.append(EventName.LOG, f"note {step}", {"number": step}, level=level)
        return str(job["id"])

    def test_the_raw_journal_is_ndjson_with_ranges(self, client: httpx.Client, logged: str) -> None:
        answer = client.get(f"/api/jobs/{logged}/logs")
        assert answer.headers["content-type"] == "application/x-ndjson"
        assert [json.loads(line)["seq"] for line in answer.text.splitlines()] == list(range(1, 33))
        part = client.get(f"/api/jobs/{logged}/logs", headers={"Range": "bytes=5-9"})
        assert (part.status_code, part.content) == (206, answer.content[5:10])
        assert part.headers["content-range"] == f"bytes 5-9/{len(answer.content)}"

    def test_a_page_counts_what_the_filters_leave(self, client: httpx.Client, logged: str) -> None:
        def view(**query: Any) -> dict[str, Any]:
            answer = client.get(f"/api/jobs/{logged}/logs/view", params=query)
            assert answer.status_code == 200
            return dict(answer.json())

        page = view(level="WARN,error", limit=2, offset=1)
        assert (page["total"], page["has_more"], len(page["entries"])) == (6, True, 2)
        assert page["entries"][0].keys() == {"seq", "timestamp", "level", "event", "message", "service", "fields"}
        assert view(event="training.step,log")["total"] == 20
        assert view(search="LINE 3 of")["total"] == 1
        newest = view(order="desc", limit=1)["entries"][0]
        assert (newest["seq"], newest["message"]) == (32, "note 10")
        assert view(offset=31)["has_more"] is False
        assert view(offset=500)["entries"] == []

    @pytest.mark.parametrize(
        ("query", "named"),
        [
            ({"level": "LOUD"}, "LOUD"),
            ({"limit": 0}, "limit"),
            ({"limit": 1001}, "limit"),
            ({"offset": -1}, "offset"),
            ({"order": "sideways"}, "order"),
            ({"limit": "ten"}, "limit"),
        ],
    )
    def test_a_bad_question_is_refused_by_name(
        self, client: httpx.Client, logged: str, query: dict[str, Any], named: str
    ) -> None:
        answer = client.get(f"/api/jobs/{logged}/logs/view", params=query)
        assert answer.status_code == 422
        assert named in detail(answer)

    def test_a_line_is_located_by_step_error_moment_and_number(self, client: httpx.Client, logged: str) -> None:
        def locate(**query: Any) -> dict[str, Any]:
            answer = client.get(f"/api/jobs/{logged}/logs/locate", params=query)
            assert answer.status_code == 200, answer.text
            return dict(answer.json())

        everything = client.get(f"/api/jobs/{logged}/logs/view").json()["entries"]
        error = locate(first_error=True)
        assert everything[error["offset"]]["message"] == "note 6"
        assert everything[locate(step=4)["offset"]]["fields"]["step"] == 4
        moment = everything[17]["timestamp"]
        assert locate(ts=moment)["seq"] == 18
        warnings = client.get(f"/api/jobs/{logged}/logs/view", params={"level": "WARN"}).json()["entries"]
        place = locate(seq=12, level="WARN")
        assert warnings[place["offset"]]["seq"] == place["seq"] == next(e["seq"] for e in warnings if e["seq"] >= 12)

    @pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
    def test_a_moment_that_utc_has_no_year_for_is_refused(self, client: httpx.Client, logged: str, moment: str) -> None:
        located = client.get(f"/api/jobs/{logged}/logs/locate", params={"ts": moment})
        assert (located.status_code, detail(located)) == (422, "ts lies outside of the years 1 to 9999")
        cursor = base64.urlsafe_b64encode(f"{moment}|train-x".encode()).decode().rstrip("=")
        assert client.get("/api/training", params={"cursor": cursor}).status_code == 422

    def test_locating_nothing_or_two_things_is_an_error(self, client: httpx.Client, logged: str) -> None:
        path = f"/api/jobs/{logged}/logs/locate"
        for number in ("0.5", "1767323045", "-1", "nan"):
            refused = client.get(path, params={"ts": number})
            assert refused.status_code == 422
            assert detail(refused).startswith("ts: ")
        assert client.get(path).status_code == 422
        assert client.get(path, params={"step": 1, "seq": 1}).status_code == 422
        assert client.get(path, params={"seq": 4000}).status_code == 404

    def test_metrics_are_series_by_key(self, client: httpx.Client, logged: str) -> None:
        found = client.get(f"/api/jobs/{logged}/metrics", params={"keys": "loss,nothing", "to_step": 5}).json()
        assert [(point["step"], point["value"]) for point in found["series"]["loss"]] == [
            (step, pytest.approx(1 / step)) for step in range(1, 6)
        ]
        assert found["series"]["loss"][0]["seq"] == 3
        assert found["series"]["nothing"] == []
        assert "loss" in found["keys"]
        assert client.get(f"/api/jobs/{logged}/metrics", params={"keys": ","}).status_code == 422
        assert client.get(f"/api/jobs/{logged}/metrics", params={"max_points": 1}).status_code == 422

    def test_the_summary_names_the_first_error_and_what_it_means(
        self, api: ApiServer, client: httpx.Client, logged: str
    ) -> None:
        assert client.get(f"/api/jobs/{logged}/summary").json()["first_error"]["message"] == "note 6"
        with api.journal(logged) as journal:
            fields = {"status": "failed", "error": "CUDA out of memory", "error_type": "OutOfMemoryError"}
            journal.append(EventName.JOB_FAILED, "CUDA out of memory", fields, level=Level.ERROR)
        summary = client.get(f"/api/jobs/{logged}/summary").json()
        assert (summary["status"], summary["error_type"]) == ("failed", "OutOfMemoryError")
        assert summary["cause"]["code"] == "cuda-oom"
        assert summary["cause"]["advice"]
        assert summary["last_seq"] == 33

    def test_a_failure_names_the_earlier_jobs_that_failed_alike(
        self, api: ApiServer, client: httpx.Client, character: dict[str, Any], queue: Queue
    ) -> None:
        kind = f"kind-of-{character['id']}"
        first, second = queue(), queue()
        for job in (first, second):
            with api.journal(job["id"]) as journal:
                fields = {"status": "failed", "error": "no", "failure_fingerprint": kind}
                journal.append(EventName.JOB_FAILED, "no", fields, level=Level.ERROR)
        store = open_store(api.settings)
        store.transition(first["id"], JobStatus.FAILED, failure_fingerprint=kind)
        store.close()
        seen = [client.get(f"/api/jobs/{job['id']}/summary").json()["failed_alike"] for job in (first, second)]
        assert seen == [{"count": 0, "job_ids": []}, {"count": 1, "job_ids": [first["id"]]}]
        assert client.get(f"/api/jobs/{queue()['id']}/summary").json()["failed_alike"] is None

    def test_the_stages_are_told_with_their_time_and_how_far_they_are(
        self, api: ApiServer, client: httpx.Client, job: dict[str, Any]
    ) -> None:
        with api.journal(job["id"]) as journal:
            journal.append(EventName.JOB_STARTED, "attempt 1 started", {"stage": "initializing", "attempt": 1})
            share = {"stage": "captioning", "attempt": 1, "phase": "captioning images", "phase_pct": 41.7}
            journal.append(EventName.JOB_STAGE, "5 of 12 images captioned", share)
        stages = client.get(f"/api/jobs/{job['id']}/stages").json()["stages"]
        assert [each["stage"] for each in stages] == ["queued", "initializing", "captioning"]
        assert [each["since"] is None for each in stages] == [True, True, False]
        assert (stages[2]["message"], stages[2]["pct"]) == ("5 of 12 images captioned", 41.7)
        assert [each["name"] for each in stages[2]["phases"]] == ["captioning images"]
        assert client.get(f"/api/training/{job['id']}").json()["phase_pct"] == 41.7

    def test_the_trace_tells_the_story_from_request_to_journal(
        self, client: httpx.Client, character: dict[str, Any]
    ) -> None:
        headers = {"X-Correlation-ID": f"story-{character['id']}"}
        job = client.post("/api/training", json={"character_id": character["id"]}, headers=headers).json()
        story = client.get(f"/api/jobs/{job['id']}/trace").json()
        assert story["correlation_id"] == headers["X-Correlation-ID"]
        assert {entry["source"] for entry in story["entries"]} == {"api", "journal"}
        assert [entry["timestamp"] for entry in story["entries"]] == sorted(
            entry["timestamp"] for entry in story["entries"]
        )

    def test_only_a_running_training_can_be_asked(self, client: httpx.Client, job: dict[str, Any]) -> None:
        path = f"/api/jobs/{job['id']}/requests"
        assert client.post(path, json={"kind": "sample"}).status_code == 409
        assert client.post(path, json={"kind": "coffee"}).status_code == 422


class TestUnknownThings:
    @pytest.mark.parametrize(
        "path",
        [
            *("/api/training/{}", "/api/jobs/{}/logs", "/api/jobs/{}/logs/view", "/api/jobs/{}/stream"),
            *("/api/jobs/{}/metrics", "/api/jobs/{}/artifacts", "/api/jobs/{}/artifacts/model"),
            *("/api/jobs/{}/debug-bundle", "/api/jobs/{}/summary", "/api/jobs/{}/stages"),
            *("/api/jobs/{}/trace", "/api/jobs/{}/logs/locate"),
        ],
    )
    @pytest.mark.parametrize("job_id", ["train-000000000000", "train-UPPER", "%2e%2e", "train-%00", "char-x"])
    def test_a_job_that_does_not_exist_is_404(self, client: httpx.Client, path: str, job_id: str) -> None:
        answer = client.get(path.format(job_id))
        assert answer.status_code == 404, answer.text
        assert detail(answer)

    def test_addresses_methods_and_bodies_that_make_no_sense(self, client: httpx.Client) -> None:
        assert client.get("/api/nothing").status_code == 404
        wrong = client.put("/api/training")
        assert (wrong.status_code, detail(wrong)) == (405, "PUT is not possible at this address")
        assert wrong.headers["allow"] == "GET, POST", "every method of the address, not those of one route of it"
        assert client.put("/").headers["allow"] == "GET, HEAD"
        headers = {"content-type": "application/json"}
        assert client.post("/api/characters", content=b"{", headers=headers).status_code == 400
        assert client.post("/api/characters", content=b"", headers=headers).status_code == 422
        assert client.post("/api/characters", content=b'"\\ud800"', headers=headers).status_code == 400
        assert client.post("/api/characters", content=b"\xff\xfe", headers=headers).status_code == 400

    @pytest.mark.parametrize("kind", [{}, {"content-type": "application/x-www-form-urlencoded"}])
    def test_json_without_its_content_type_is_told_so(self, client: httpx.Client, kind: dict[str, str]) -> None:
        answer = client.post("/api/characters", content=b'{"name":"Pip","trigger_word":"pip"}', headers=kind)
        assert answer.status_code == 415
        assert "Content-Type: application/json" in detail(answer)

    def test_json_that_is_too_deep_is_413(self, client: httpx.Client) -> None:
        headers = {"content-type": "application/json"}
        for depth in (100, 2_000, 200_000):
            body = b'{"name":' + b"[" * depth + b"]" * depth + b"}"
            answer = client.post("/api/characters", content=body, headers=headers)
            assert answer.status_code == 413
            assert "deep" in detail(answer)

    def test_a_body_over_the_limit_is_413_announced_or_not(self, client: httpx.Client) -> None:
        big = b'{"name":"' + b"x" * (3 * 1024 * 1024) + b'"}'
        headers = {"content-type": "application/json"}
        announced = client.post("/api/characters", content=big, headers=headers)
        assert announced.status_code == 413
        assert "ISENGARD_MAX_BODY_MB" in detail(announced)
        chunked = client.post("/api/characters", content=iter([big[:100], big[100:]]), headers=headers)
        assert chunked.status_code == 413
        assert "ISENGARD_MAX_BODY_MB" in detail(chunked)
