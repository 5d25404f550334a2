"""`init`: the run of this process. Inside of a job its runner is found by the environment; a plain script makes a job.

Takes the process's last words: an exception that nobody catches, and its leaving, are the run's end unless it had one.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from isengard.core.paths import JobPaths, new_job_id
from isengard.core.plain import plain
from isengard.events import overflow
from isengard.events.reports import ENV_REPORTS, ENV_RUN
from isengard.sdk.card import Card
from isengard.sdk.numbers import step_number
from isengard.sdk.reporter import Places, Reporter
from isengard.sdk.retrying_spool import RetryingSpool
from isengard.sdk.run import Run
from isengard.sdk.runner_watch import RunnerWatch

MAX_NAME = 100


def init(
    name: str | None = None,
    *,
    character: str | None = None,
    steps: int | None = None,
    config: Mapping[str, Any] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
) -> Run:
    """The run of this process; the one that is going on, if there is one.

    Inside of a job that Isengard launched, `name`, `character` and `data_dir` say nothing new and are left aside. In a
    distributed training every process but the first (``RANK`` 0) gets a run that reports nothing.

    Args:
        name: What to file the job under, 1 to 100 characters; the script's file name when not given.
        character: Id or name of a character to file it under instead.
        steps: How many optimizer steps there will be.
        config: The script's own configuration, for people.
        data_dir: The data folder; ``ISENGARD_DATA_DIR`` or ``~/.isengard`` when not given.

    Raises:
        TypeError: An argument is nothing of its kind.
        ValueError: It is, but out of range. Nothing else is ever raised.
    """
    total = 0 if steps is None else step_number(steps)
    _check(name, character, config)
    with _door.lock:
        if _door.run is not None and _door.run.is_going_on:
            return _door.run
        _door.run = _make(name, character, total, plain(config or {}), data_dir)
        _door.listen()
        return _door.run


def _check(name: object, character: object, config: object) -> None:
    for argument, value in (("name", name), ("character", character)):
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{argument} must be a text, not {type(value).__name__}")
    if isinstance(name, str) and not (1 <= len(name.strip()) <= MAX_NAME and name.isprintable()):
        raise ValueError(f"name must have 1 to {MAX_NAME} characters on one line")
    if config is not None and not isinstance(config, Mapping):
        raise TypeError(f"config must be a mapping, not {type(config).__name__}")


def _make(
    name: str | None, character: str | None, steps: int, config: dict[str, Any], data_dir: str | os.PathLike[str] | None
) -> Run:
    warn = _Once()
    if os.environ.get("RANK", "0") not in ("0", ""):
        return Run("", None, None, None, None, warn)
    if ENV_REPORTS in os.environ:
        return _in_job(Path(os.environ[ENV_REPORTS]), os.environ.get(ENV_RUN, ""), steps, config, warn)
    try:
        return _in_plain_script(name, character, steps, config, data_dir, warn)
    except Exception as error:  # a setting that is wrong, say: no reason to keep a training from running
        warn(f"this run is not recorded: {error}")
        return Run("", None, None, None, None, warn)


def _in_job(reports: Path, mark: str, steps: int, config: dict[str, Any], warn: Callable[[str], None]) -> Run:
    """The run of a script that a runner started; the runner named its spool."""
    paths = JobPaths(reports.parent.parent)
    attempt = mark.rpartition("/")[2]
    places = _places(paths, int(attempt) if attempt.isdigit() else 1)
    spool = RetryingSpool(reports, paths.job_id, warn)
    run = Run(paths.job_id, Reporter(places, spool, steps), spool, None, places, warn)
    if config:
        run.note("the script's configuration", settings=config)
    return run


def _in_plain_script(
    name: str | None,
    character: str | None,
    steps: int,
    config: dict[str, Any],
    data_dir: str | os.PathLike[str] | None,
    warn: Callable[[str], None],
) -> Run:
    from isengard.core.settings import load  # noqa: PLC0415 - pydantic, which `import isengard` does without

    settings = load(data_dir=Path(os.fspath(data_dir)) if data_dir is not None else None)
    script = _script()
    card = Card(
        job_id=new_job_id(),
        data_dir=str(settings.data_dir),
        pid=os.getpid(),
        interactive=_is_interactive(),
        script=script,
        name=name or (Path(script).stem if script else "notebook")[:MAX_NAME],
        character=character,
        steps=steps,
        settings=config,
    )
    paths = settings.paths.job(card.job_id)
    spool = RetryingSpool(paths.reports, card.job_id, warn)
    places = _places(paths, 1)
    try:
        paths.make()
        left = card.write(paths.trainer)
    except OSError as error:
        folder = overflow.make(card.job_id)
        warn(f"{card.data_dir} cannot be written now ({error.strerror}); the run is kept in {folder} until it can")
        left = card.write(folder)
        places = replace(places, samples=folder, checkpoints=folder)
        spool.turn_away()
    keeper = RunnerWatch(paths, left, warn)
    keeper.look(now=True)
    return Run(card.job_id, Reporter(places, spool, steps), spool, keeper, places, warn)


def _places(paths: JobPaths, attempt: int) -> Places:
    return Places(paths.samples, paths.checkpoints, paths.requests, attempt)


def _script() -> str:
    main = sys.modules.get("__main__")
    return str(getattr(main, "__file__", "") or "")


def _is_interactive() -> bool:
    return hasattr(sys, "ps1") or "ipykernel" in sys.modules


class _Once:
    """Says each sentence once."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def __call__(self, sentence: str) -> None:
        if sentence not in self._said and len(self._said) < 20:
            self._said.add(sentence)
            with contextlib.suppress(Exception):  # stderr may be gone
                print(f"isengard: {sentence}", file=sys.stderr)


class _Door:
    """The one run of this process, and its last words."""

    def __init__(self) -> None:
        self.run: Run | None = None
        self.lock = threading.Lock()
        self._listens = False
        self._exit_code: Any = None

    def listen(self) -> None:
        """From now on an end of the process is the run's end."""
        if self._listens:
            return
        self._listens = True
        atexit.register(self._leave)
        before = sys.excepthook

        def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
            if self.run is not None:
                self.run.fail(error, implied=True)
            before(kind, error, trace)

        sys.excepthook = hook
        leave = sys.exit

        def note_code(code: Any = None) -> NoReturn:
            self._exit_code = code  # nothing else tells it: SystemExit passes no hook
            leave(code)

        sys.exit = note_code

    def _leave(self) -> None:
        if self.run is not None:
            self.run.fail(SystemExit(self._exit_code), implied=True)


_door = _Door()
