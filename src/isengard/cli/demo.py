"""`isengard demo`: the whole thing once, for real: services, a character, a LoRA training with its live bar.

start services ─ the API answers ─ make the character ─ train, with a bar ─ write the bundle ─ say where all of it is
                                                                         └ --oneshot: end with the right exit code
                                                                         └ else: keep serving until Ctrl-C
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isengard.cli import listener
from isengard.cli.options import DataDirOption
from isengard.cli.progress import raise_unless_completed, watch
from isengard.cli.supervisor import Supervisor
from isengard.cli.terminal import complain, say
from isengard.core.errors import IsengardError, StartupError
from isengard.core.settings import Settings, load

if TYPE_CHECKING:
    from isengard.jobs.models import Job

TRAINER = "diffusers"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    oneshot: Annotated[bool, typer.Option("--oneshot", help="End after the training instead of serving on.")] = False,
    port: Annotated[int | None, typer.Option(help="Port to listen on; default 8000, or a free one.")] = None,
    data_dir: DataDirOption = None,
) -> None:
    """Train a small LoRA for real and watch it: needs the extra `train`, no GPU and no download."""
    settings = load(data_dir=data_dir, port=port)
    settings.paths.prepare()
    _require_trainer(settings)
    with _listen(settings, chosen=port is not None) as door:
        listener.announce_first_token(settings)
        showing = Showing(settings, oneshot=oneshot)
        supervisor = Supervisor(settings, door, stop_jobs=False, companion=showing)
        showing.finish = supervisor.finish
        raise typer.Exit(supervisor.run())


def _require_trainer(settings: Settings) -> None:
    """Raise `TrainerUnavailable`, saying how to get it: the demo never pretends with another trainer."""
    from isengard.trainers import registry

    registry.load_usable(TRAINER, settings)


def _listen(settings: Settings, *, chosen: bool) -> socket.socket:
    try:
        return listener.bind(settings)
    except StartupError as error:
        if chosen or error.field != "port":
            raise
        return listener.bind(settings.model_copy(update={"port": 0}))


class Showing:
    """The demo's own part, in a thread beside the services.

    Attributes:
        finish: Ends the services with an exit code.
    """

    def __init__(self, settings: Settings, *, oneshot: bool) -> None:
        self.finish: Callable[[int], None] = _nobody
        self._settings = settings
        self._oneshot = oneshot
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, url: str) -> None:
        """Start it."""
        self._thread = threading.Thread(target=self._run, args=(url,), name="demo", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop showing; the training itself is not touched."""
        self._stopping.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self, url: str) -> None:
        code = 0
        try:
            self._show(url)
        except IsengardError as error:
            complain(error.detail)
            code = 1
        if self._oneshot and not self._stopping.is_set():
            self.finish(code)

    def _show(self, url: str) -> None:
        from isengard.execution import demo as recipe
        from isengard.jobs.store import open_store

        with closing(open_store(self._settings)) as store:
            character, job = recipe.start(self._settings, store)
            say(f"{character.name} ({character.image_count} images) is being learned by the trainer {job.trainer}")
            say(f"  page     {url}/jobs/{job.id}")
            paths = self._settings.paths.job(job.id)
            fold = watch(paths, stop=self._stopping.is_set)
            if self._stopping.is_set():
                return
            bundle = self._write_bundle(store.get_job(job.id))
            say(f"  samples  {paths.samples}")
            say(f"  journal  {paths.journal}")
            say(f"  bundle   {bundle}")
            raise_unless_completed(job.id, fold, self._settings)
            say(f"  LoRA     {self._newest_lora(character.id)}")
            if not self._oneshot:
                say(f"Look at {url}/jobs/{job.id}; Ctrl-C ends the services.")

    def _write_bundle(self, job: Job) -> Path:
        from isengard.diagnostics.bundle import write_bundle

        return write_bundle(self._settings, job, self._settings.data_dir / f"{job.id}_debug.zip")

    def _newest_lora(self, character_id: str) -> Path:
        folder = self._settings.paths.loras(character_id)
        found = sorted(folder.rglob("*.safetensors"), key=lambda path: path.stat().st_mtime)
        return found[-1] if found else folder


def _nobody(_code: int) -> None:
    """Nobody to end yet."""
