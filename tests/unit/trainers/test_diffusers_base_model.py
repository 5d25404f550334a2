"""Finding the base model, and saying what is wrong with one."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from isengard.core.errors import InvalidInput
from isengard.core.settings import Settings
from isengard.datasets import demo
from isengard.trainers.base import TrainingJob
from isengard.trainers.diffusers import base_model
from isengard.trainers.diffusers.base_model import Kind
from isengard.trainers.diffusers.trainer import DiffusersTrainer
from isengard.trainers.parameters import validate_config


def _folder(path: Path, kind: str) -> Path:
    path.mkdir()
    (path / "model_index.json").write_text(json.dumps({"_class_name": kind}))
    return path


@pytest.mark.parametrize("kind", list(Kind))
def test_the_kind_is_read_from_the_index(tmp_path: Path, kind: Kind) -> None:
    assert base_model.kind_of(_folder(tmp_path / "model", kind.value)) is kind


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("/nowhere/at/all", "does not exist"),
        ("~/surely-not-there-5821", "does not exist"),
        ("./model.safetensors", "single weights file"),
        ("just-a-name", "neither a folder nor a Hugging Face model id"),
        ("a/b/c", "neither a folder nor a Hugging Face model id"),
        ("a/ b", "neither a folder nor a Hugging Face model id"),
    ],
)
def test_what_cannot_be_a_base_model_is_refused_when_the_job_is_made(reference: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason) as caught:
        validate_config(DiffusersTrainer(), {"base_model": reference})
    assert caught.value.field == "config.base_model"


def test_a_folder_without_a_pipeline_or_with_another_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"model_index\.json is missing"):
        validate_config(DiffusersTrainer(), {"base_model": str(tmp_path)})
    other = _folder(tmp_path / "other", "PixArtAlphaPipeline")
    with pytest.raises(
        InvalidInput, match="is a PixArtAlphaPipeline; LoRAs can be trained for StableDiffusionPipeline"
    ):
        validate_config(DiffusersTrainer(), {"base_model": str(other)})


def test_a_model_id_and_the_demo_are_taken_without_a_look_at_the_network() -> None:
    for reference in ("demo", "runwayml/stable-diffusion-v1-5", "black-forest-labs/FLUX.1-dev"):
        assert validate_config(DiffusersTrainer(), {"base_model": reference})["base_model"] == reference
    assert base_model.locate("demo") == demo.tiny_model()


def test_a_folder_that_vanished_is_noticed_before_a_process_is_started(tmp_path: Path) -> None:
    gone = _folder(tmp_path / "model", "StableDiffusionPipeline")
    config = validate_config(DiffusersTrainer(), {"base_model": str(gone)})
    (gone / "model_index.json").unlink()
    gone.rmdir()
    job = TrainingJob(
        "train-a", "c", "char-a", "Pip", "pip", config, *[tmp_path] * 4, output=tmp_path / "x.safetensors"
    )

    with pytest.raises(InvalidInput, match="does not exist"):
        DiffusersTrainer().launch(job, Settings(data_dir=tmp_path))


_KINDS = {"gated": (403, "GatedRepo"), "private": (401, "RepoNotFound"), "absent": (404, "RepoNotFound")}


class _Hub(http.server.BaseHTTPRequestHandler):
    """Answers every request as the hub does for a model of the kind that its owner is named after."""

    def do_GET(self) -> None:
        status, error_code = next(answer for kind, answer in _KINDS.items() if f"/{kind}/" in self.path)
        self.send_response(status)
        self.send_header("X-Error-Code", error_code)
        self.send_header("X-Error-Message", "as the hub says it")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _hub() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


_ASK = """
import sys
from isengard.trainers.diffusers import base_model
for model in sys.argv[1:]:
    try:
        base_model.locate(model)
    except Exception as error:
        print(type(error).__name__, "|", error)
"""


def _locate(models: list[str], endpoint: str, cache: Path, **environment: str) -> list[str]:
    """What a fresh process says that asks the hub at `endpoint`: its client reads the address when imported."""
    result = subprocess.run(
        [sys.executable, "-c", _ASK, *models],
        env={"HF_ENDPOINT": endpoint, "HF_HOME": str(cache), "PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return result.stdout.strip().splitlines()[-len(models) :]


def test_what_the_hub_refuses_is_told_apart(tmp_path: Path) -> None:
    with _hub() as endpoint:
        gated, private, absent = _locate([f"{kind}/model" for kind in _KINDS], endpoint, tmp_path)
    assert gated.startswith("BaseModelGated |")
    assert "accept its terms" in gated
    assert private.startswith("BaseModelNotFound |")
    assert "or it is private" in private
    assert absent.startswith("BaseModelNotFound |")
    assert "there is no model absent/model" in absent


def test_an_unreachable_hub_is_not_a_missing_model(tmp_path: Path) -> None:
    with _hub() as endpoint:
        pass  # closed again: nobody listens there now
    assert _locate(["someone/model"], endpoint, tmp_path)[0].startswith("HubUnreachable |")
    assert _locate(["someone/model"], endpoint, tmp_path, HF_HUB_OFFLINE="1")[0].startswith("HubUnreachable |")
