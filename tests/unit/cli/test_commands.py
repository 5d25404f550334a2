"""The commands on a data folder without a server: what they print, what they change, how they end."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from isengard.cli import hints
from isengard.cli.main import application, main
from isengard.core.paths import JobPaths
from isengard.core.redaction import Redactor
from isengard.events.models import EventName, Level
from isengard.jobs.models import JobStatus
from isengard.journal import JournalReader, JournalWriter
from standins.workbench import Workbench, workbench

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    with workbench(tmp_path / "data") as made:
        yield made


@pytest.fixture
def run(bench: Workbench, capsys: pytest.CaptureFixture[str]) -> Run:
    """Carry out a command on the bench's data folder: exit code, stdout, stderr."""

    def carry_out(*arguments: str) -> tuple[int, str, str]:
        code = main([*arguments, "--data-dir", str(bench.settings.data_dir)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return carry_out


def parsed(answer: tuple[int, str, str]) -> Any:
    code, out, err = answer
    assert (code, err) == (0, "")
    return json.loads(out)


def write_lines(paths: JobPaths, *lines: tuple[EventName, str, Level, dict[str, Any]]) -> None:
    with JournalWriter.open(paths, service="runner", redactor=Redactor(), correlation_id="corr-lines") as writer:
        for event, msg, level, fields in lines:
            writer.append(event, msg, fields, level=level)


def commands_of(command: str = "") -> dict[str, tuple[str | None, list[str | None]]]:
    """Help and parameters of each command of the command line as it is loaded for `command`."""
    group: Any = typer.main.get_command(application(command))
    return {name: (each.help, [parameter.name for parameter in each.params]) for name, each in group.commands.items()}


def test_a_command_that_is_loaded_alone_is_the_one_of_the_whole_command_line() -> None:
    """`isengard up` loads the module of `up` alone; so each command's module has to be the one that is written down."""
    everything = commands_of()
    for name, whole in everything.items():
        alone = commands_of(name)
        assert alone[name] == whole
        assert len(alone) < len(everything), f"{name} stands in no table of `cli/main.py`"


def test_jobs_lists_what_was_queued_and_filters_by_status(bench: Workbench, run: Run) -> None:
    job = bench.submit(steps=7)
    listed = parsed(run("jobs", "--json"))
    assert [(each["id"], each["status"], each["total_steps"]) for each in listed["jobs"]] == [(job.id, "queued", 7)]
    assert parsed(run("jobs", "--json", "--status", "running,failed"))["jobs"] == []
    code, out, _ = run("jobs")
    assert code == 0
    assert out.splitlines()[0].split()[:2] == ["JOB", "STATUS"]
    assert out.splitlines()[1].split()[:4] == [job.id, "queued", "mock", "0/7"]


def test_an_unknown_status_is_one_line_and_exit_code_1(run: Run) -> None:
    code, out, err = run("jobs", "--status", "sleeping")
    assert (code, out) == (1, "")
    assert "sleeping" in err
    assert err.count("\n") == 1


def test_a_job_goes_by_the_beginning_of_its_id(bench: Workbench, run: Run) -> None:
    job = bench.submit()
    for given in (job.id, job.id[:10], job.id.removeprefix("train-")[:5]):
        assert parsed(run("logs", given, "--json", "-n", "1"))["job_id"] == job.id


def test_a_beginning_that_several_jobs_share_is_refused_with_their_names(bench: Workbench, run: Run) -> None:
    jobs = [bench.submit() for _ in range(2)]
    code, _, err = run("cancel", "train-")
    assert code == 1
    assert all(job.id in err for job in jobs)
    assert {bench.store.get_job(job.id).status for job in jobs} == {JobStatus.QUEUED}


@pytest.mark.parametrize("given", ["train-000000000000", "../../etc/passwd", "", "train-\x1b[2J"])
def test_an_unknown_job_is_one_clear_line(given: str, bench: Workbench, run: Run) -> None:
    code, out, err = run("logs", given)
    assert (code, out) == (1, "")
    assert err.startswith("isengard: no job has the id")
    assert err.count("\n") == 1
    assert "\x1b" not in err


def test_a_folder_that_is_no_data_folder_is_not_made_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "slip"
    assert main(["jobs", "--data-dir", str(missing)]) == 1
    assert "is not a data folder" in capsys.readouterr().err
    assert not missing.exists()


def test_an_invalid_setting_is_exit_code_2_and_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ISENGARD_MODE", "turbo")
    assert main(["jobs"]) == 2
    assert "ISENGARD_MODE" in capsys.readouterr().err


def test_train_queues_with_parameters_from_file_and_command_line(bench: Workbench, run: Run, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("steps: 50\nlearning_rate: 1e-3\nseed: 5\n")
    job = json.loads(run("train", "-c", bench.character.name, "--config", str(config), "--set", "steps=9", "--json")[1])
    assert (job["config"]["steps"], job["config"]["learning_rate"], job["config"]["seed"]) == (9, 0.001, 5)
    assert bench.store.get_job(job["id"]).status is JobStatus.QUEUED


def test_train_says_when_no_worker_is_there_to_run_it(bench: Workbench, run: Run) -> None:
    code, _, err = run("train", "-c", bench.character.id)
    assert code == 0
    assert f"isengard up --data-dir {bench.settings.data_dir}" in err, "typed as told, it finds the job"


def test_a_command_to_type_names_the_data_folder_only_where_the_environment_does_not(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = bench.settings.model_copy(update={"data_dir": tmp_path / "my data"})
    assert hints.command("jobs", settings) == f"isengard jobs --data-dir '{tmp_path}/my data'"
    monkeypatch.setenv("ISENGARD_DATA_DIR", str(tmp_path / "my data"))
    assert hints.command("jobs", settings) == "isengard jobs"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--set", "steps=0"], "steps"),
        (["--set", "learning_rate=.nan"], "learning_rate"),
        (["--set", "stepz=5"], "stepz"),
        (["--set", "steps"], "KEY=VALUE"),
        (["--trainer", "nobody"], "nobody"),
        (["--config", "/nowhere.yaml"], "/nowhere.yaml"),
        (["--secret", "ISENGARD_TEST_UNSET"], "ISENGARD_TEST_UNSET"),
    ],
)
def test_train_names_what_is_wrong_and_queues_nothing(
    arguments: list[str], named: str, bench: Workbench, run: Run
) -> None:
    code, out, err = run("train", "-c", bench.character.id, *arguments)
    assert (code, out) == (1, "")
    assert named in err
    assert "Traceback" not in err
    assert bench.store.list_jobs().jobs == []


def test_the_same_idempotency_key_queues_once(bench: Workbench, run: Run) -> None:
    first = json.loads(run("train", "-c", bench.character.id, "--idempotency-key", "k-1", "--json")[1])
    second = json.loads(run("train", "-c", bench.character.id, "--idempotency-key", "k-1", "--json")[1])
    assert first["id"] == second["id"]
    assert len(bench.store.list_jobs().jobs) == 1


def test_check_says_what_it_thinks_and_queues_nothing(bench: Workbench, run: Run) -> None:
    good = parsed(run("train", "-c", bench.character.id, "--check", "--json"))
    assert (good["ok"], good["image_count"]) == (True, 3)
    code, out, _ = run("train", "-c", bench.character.id, "--check", "--set", "steps=0", "--json")
    assert code == 1
    assert [each["field"] for each in json.loads(out)["findings"] if each["severity"] == "error"] == ["config.steps"]
    assert bench.store.list_jobs().jobs == []


def test_cancel_resume_and_delete_walk_a_job_through_its_states(bench: Workbench, run: Run) -> None:
    job = bench.submit()
    assert parsed(run("cancel", job.id, "--json"))["status"] == "cancelled"
    code, _, err = run("cancel", job.id)
    assert code == 1
    assert "cancelled already" in err
    assert parsed(run("resume", job.id, "--json"))["attempt"] == 2
    assert run("delete", job.id)[0] == 1
    run("cancel", job.id)
    assert parsed(run("delete", job.id, "--json")) == {"id": job.id, "deleted": True}
    assert not bench.paths(job).root.exists()


def test_logs_filters_by_level_event_and_text(bench: Workbench, run: Run) -> None:
    job = bench.submit()
    write_lines(
        bench.paths(job),
        (EventName.LOG, "all is well", Level.INFO, {}),
        (EventName.LOG, "getting warm", Level.WARN, {}),
        (EventName.TRAINING_STEP, "", Level.INFO, {"step": 3, "loss": 0.25}),
        (EventName.LOG, "it broke", Level.ERROR, {}),
    )

    def seqs(*filters: str) -> list[int]:
        return [json.loads(line)["seq"] for line in run("logs", job.id, "--json", *filters)[1].splitlines()]

    assert seqs() == [1, 2, 3, 4, 5, 6]
    assert seqs("--level", "warning,ERROR") == [4, 6]
    assert seqs("--event", "training.step,job.queued") == [2, 5]
    assert seqs("--search", "BROKE") == [6]
    assert seqs("--level", "INFO", "-n", "2") == [3, 5]
    assert seqs("--after", "4") == [5, 6]
    assert run("logs", job.id, "--level", "LOUD")[0] == 1


def test_logs_json_is_the_journal_byte_for_byte(bench: Workbench, run: Run) -> None:
    job = bench.submit()
    write_lines(bench.paths(job), (EventName.LOG, "schön \u001b[31m", Level.INFO, {"n": 1}))
    assert run("logs", job.id, "--json")[1] == bench.paths(job).journal.read_text()


def test_characters_are_made_listed_and_given_images(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("RGB", (32, 32), (10, 20, 30)).save(folder / "one.png")
    (folder / "one.txt").write_text("a photo of zed")
    (folder / "broken.png").write_bytes(b"not a picture")
    made = parsed(run("characters", "create", "Zed", "--trigger", "zed", "--images", str(folder), "--json"))
    assert made["image_count"] == 1
    assert [each["filename"] for each in made["rejected"]] == ["broken.png"]
    Image.new("RGB", (32, 32), (200, 20, 30)).save(tmp_path / "two.png")
    assert parsed(run("characters", "add", "Zed", str(tmp_path / "two.png"), "--json"))["total"] == 2
    listed = parsed(run("characters", "--json"))["characters"]
    assert {(each["name"], each["image_count"]) for each in listed} >= {("Zed", 2)}
    code, _, err = run("characters", "add", "Zed", str(tmp_path / "three.png"))
    assert code == 1
    assert "three.png" in err


def test_a_folder_may_hold_more_images_than_the_system_gives_files(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(150):
        Image.new("RGB", (8, 8), (number, 90, 160)).save(folder / f"p{number}.png")
    archive = tmp_path / "more.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        Image.new("RGB", (8, 8), (200, 90, 160)).save(tmp_path / "z.png")
        zipped.write(tmp_path / "z.png", "z.png")
    argv = [sys.executable, "-m", "isengard", "characters", "create", "Zed", "--trigger", "zed", "--json"]
    argv += ["--images", str(folder), "--images", str(archive), "--data-dir", str(tmp_path / "data")]
    done = subprocess.run(
        ["sh", "-c", 'ulimit -n 100; exec "$@"', "sh", *argv], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["image_count"] == 151


def test_debug_bundle_is_written_where_asked_and_shows_the_first_error(
    bench: Workbench, run: Run, tmp_path: Path
) -> None:
    job = bench.submit()
    stack = "Traceback (most recent call last):\n  File 'train.py', line 3\nValueError: no such image"
    write_lines(
        bench.paths(job),
        (EventName.LOG, "before", Level.INFO, {}),
        (EventName.LOG, "it broke", Level.ERROR, {"error": "no such image", "error_stack": stack}),
        (EventName.LOG, "after", Level.INFO, {}),
    )
    code, out, _ = run("debug-bundle", job.id, "--output", str(tmp_path), "--show-error")
    assert code == 0
    with zipfile.ZipFile(tmp_path / f"{job.id}_debug.zip") as bundle:
        assert bundle.testzip() is None
        assert bundle.read(f"{job.id}/events.jsonl") == bench.paths(job).journal.read_bytes()
    shown = out.splitlines()
    assert next(line for line in shown if line.startswith("> ")).endswith("it broke  Error: no such image")
    assert "    ValueError: no such image" in shown
    order = [next(i for i, line in enumerate(shown) if word in line) for word in ("before", "it broke", "after")]
    assert order == sorted(order)
    facts = parsed(run("debug-bundle", job.id, "--output", str(tmp_path / "x.zip"), "--show-error", "--json"))
    assert facts["first_error"]["entry"]["msg"] == "it broke"
    assert facts["size_bytes"] == (tmp_path / "x.zip").stat().st_size


def test_a_bundle_that_cannot_be_written_leaves_nothing_behind(bench: Workbench, run: Run, tmp_path: Path) -> None:
    job = bench.submit()
    code, out, err = run("debug-bundle", job.id, "--output", str(tmp_path / "no" / "folder.zip"))
    assert (code, out) == (1, "")
    assert "could not be written" in err


def test_trace_tells_the_story_of_one_request_in_time_order(bench: Workbench, run: Run) -> None:
    job = bench.submit()
    other = bench.submit()
    logs = bench.settings.paths.service_logs("api")
    logs.mkdir(parents=True)
    early, late = "2020-01-01T00:00:00.000000Z", "2040-01-01T00:00:00.000000Z"
    line = {"level": "INFO", "event": "log", "service": "api", "correlation_id": job.correlation_id}
    (logs / "api.log.1").write_text(json.dumps({"ts": early, "msg": "request came in", **line}) + "\n")
    (logs / "api.log").write_text(
        json.dumps({"ts": late, "msg": "much later", **line})
        + "\n"
        + json.dumps({"ts": late, "msg": f"about {job.correlation_id}", "level": "INFO", "correlation_id": "other"})
        + "\n{torn"
    )
    told = [json.loads(each) for each in run("trace", job.correlation_id, "--json")[1].splitlines()]
    assert (told[0]["source"], told[0]["msg"]) == ("api", "request came in")
    assert [each["event"] for each in told if each["source"] == job.id] == ["job.created", "job.queued"]
    assert told[-1]["msg"] == "much later"
    assert other.id not in {each["source"] for each in told}
    assert run("trace", job.id)[1].count("\n") == len(told)


def test_trace_of_an_unknown_id_says_so(run: Run) -> None:
    assert run("trace", "corr-nobody")[0] == 1
    assert run("trace", "not a valid id!")[0] == 1


def test_doctor_finds_a_missing_default_trainer(bench: Workbench, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert parsed(run("doctor", "--json"))["ok"] is True
    monkeypatch.setenv("ISENGARD_MODE", "production")
    monkeypatch.delenv("ISENGARD_AITOOLKIT_DIR", raising=False)
    code, out, _ = run("doctor", "--json")
    failed = [each for each in json.loads(out)["checks"] if each["state"] == "fail"]
    assert code == 1
    assert [each["name"] for each in failed] == ["trainer ai-toolkit (default)"]
    assert "ISENGARD_AITOOLKIT_DIR" in failed[0]["remedy"]


def test_doctor_finds_a_name_of_a_trainer_that_there_is_not(
    bench: Workbench, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISENGARD_TRAINERS", "mock,difusers")
    code, out, _ = run("doctor")
    assert code == 1
    assert "ISENGARD_TRAINERS names difusers, which is not installed" in out


def test_doctor_finds_secrets_that_lie_about_without_repeating_them(bench: Workbench, run: Run) -> None:
    assert run("doctor", "--secrets")[0] == 0
    secret = f"hf_{secrets.token_hex(17)}"
    spilt = bench.settings.data_dir / "notes.txt"
    spilt.write_text(f"first line\nlogin {secret}\n")
    code, out, err = run("doctor", "--secrets")
    assert code == 1
    assert f"{spilt}:2" in out
    assert secret not in out + err


def test_redact_masks_files_and_image_metadata(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    secret = secrets.token_hex(20)
    text = tmp_path / "run.log"
    text.write_text(f"ok\npassword={secret}\nstep 5/10\n")
    assert main(["redact", str(text)]) == 0
    assert capsysbinary.readouterr().out == b"ok\npassword=***\nstep 5/10\n"
    info = PngInfo()
    info.add_text("parameters", f"api_key={secret}")
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png", pnginfo=info)
    assert main(["redact", str(tmp_path / "a.png"), "--output", str(tmp_path / "b.png")]) == 0
    assert secret.encode() in (tmp_path / "a.png").read_bytes()
    assert secret.encode() not in (tmp_path / "b.png").read_bytes()
    assert main(["redact", str(text), "--json"]) == 0
    found = json.loads(capsysbinary.readouterr().out)["findings"]
    assert [each["line"] for each in found] == [2]


def test_redact_never_writes_over_its_own_source(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "run.log"
    text.write_text("password=x1y2z3w4")
    assert main(["redact", str(text), "--output", str(text)]) == 1
    assert text.read_text() == "password=x1y2z3w4"
    assert "--output" in capsys.readouterr().err


def test_logs_follows_the_journal_to_its_last_line(bench: Workbench, run: Run) -> None:
    job = bench.submit(steps=5)
    bench.start_worker()
    code, out, err = run("logs", job.id, "-f", "--json")
    assert (code, err) == (0, "")
    events = [json.loads(line)["event"] for line in out.splitlines()]
    assert events[0] == "job.created"
    assert events[-1] == "job.completed"
    assert out.encode() == bench.paths(job).journal.read_bytes()
    assert JournalReader(bench.paths(job)).last_seq() == len(events)


def test_train_follow_ends_with_the_fate_of_the_training(bench: Workbench, run: Run) -> None:
    bench.start_worker()
    base = ("train", "-c", bench.character.id, "--follow", "--set", "resolution=64", "--set", "step_time_s=0")
    code, out, _ = run(*base, "--set", "steps=5")
    assert code == 0
    assert "step 5/5" in out
    code, _, err = run(*base, "--set", "steps=5", "--set", "fail_mode=nan")
    assert code == 1
    assert "what it means: The loss is no longer a number" in err
    assert "try: Use a lower learning rate." in err
    assert "failed" in err.splitlines()[-1]


def test_train_follow_for_a_program_prints_the_job_as_it_ended_and_nothing_else(bench: Workbench, run: Run) -> None:
    bench.start_worker()
    base = ("train", "-c", bench.character.id, "--follow", "--json", "--set", "resolution=64", "--set", "step_time_s=0")
    code, out, err = run(*base, "--set", "steps=5")
    assert (code, json.loads(out)["status"]) == (0, "completed")
    assert "step 5/5" in err, "a person still sees the way there"
    code, out, err = run(*base, "--set", "steps=5", "--set", "fail_mode=nan")
    assert (code, json.loads(out)["status"]) == (1, "failed")
    assert err.splitlines()[-1].startswith("isengard: train-")
