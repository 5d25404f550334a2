"""`isengard debug-bundle`, `trace`, `doctor`, `redact`: what to reach for when something went wrong."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isengard.cli import workspace
from isengard.cli.humanize import size
from isengard.cli.log_lines import render
from isengard.cli.options import DataDirOption, JobArgument, JsonOption, settings_for
from isengard.cli.terminal import inert, json_text, print_json, say
from isengard.core.errors import InvalidInput, NotFound, StorageError

if TYPE_CHECKING:
    from isengard.core.redaction import Redactor
    from isengard.diagnostics.first_error import FirstError
    from isengard.jobs.models import Character, Job

_STATES = {"ok": "✓", "info": "·", "warn": "!", "fail": "✗"}
_IMAGES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
_PIECE = 64 * 1024


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("debug-bundle")(debug_bundle)
    app.command("trace")(trace)
    app.command("doctor")(doctor)
    app.command("redact")(redact)


def debug_bundle(
    job: JobArgument,
    output: Annotated[Path | None, typer.Option(help="Where to write it; default {job_id}_debug.zip here.")] = None,
    show_error: Annotated[bool, typer.Option("--show-error", help="Also print the first error.")] = False,
    json: JsonOption = False,
    data_dir: DataDirOption = None,
) -> None:
    """Write everything about a job into a ZIP that can be given away: secrets are masked in all of it."""
    from isengard.diagnostics import first_error
    from isengard.diagnostics.bundle import write_bundle
    from isengard.journal import JournalReader

    with workspace.existing(data_dir) as place:
        found = place.job(job)
        name = f"{found.id}_debug.zip"
        target = Path(name) if output is None else output / name if output.is_dir() else output
        with _spinner(f"writing {target}", json):
            write_bundle(place.settings, found, target, _character_of(place, found))
        error = first_error.find(JournalReader(place.settings.paths.job(found.id))) if show_error else None
    if json:
        facts: dict[str, Any] = {
            "job_id": found.id,
            "path": str(target.absolute()),
            "size_bytes": target.stat().st_size,
        }
        print_json({**facts, "first_error": _error_facts(error)} if show_error else facts)
        return
    say(f"{target} ({size(target.stat().st_size)})")
    if show_error:
        _say_error(found, error)


def trace(
    correlation_id: Annotated[str, typer.Argument(metavar="CORRELATION_ID", help="The id; a job's id will do.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    data_dir: DataDirOption = None,
) -> None:
    """Tell the whole story of one request in time order: service logs, journals, trainer."""
    from isengard.diagnostics import trace as tracing

    data = workspace.existing_settings(data_dir).paths
    is_job = correlation_id.startswith("train-")
    stories = tracing.correlations_of(data, workspace.resolve_job(data, correlation_id)) if is_job else [correlation_id]
    colour, told = sys.stdout.isatty(), False
    for line in tracing.trace(data, *stories):
        told = True
        if json:
            print(json_text(line.to_dict()))
        else:
            print(f"{inert(line.source):<18} {render(line.entry, colour=colour)}")
    if not told:
        raise NotFound(f"no line has the correlation id {correlation_id!r}")


def doctor(
    secrets: Annotated[
        bool, typer.Option("--secrets", help="Look for secrets in the clear in the data folder.")
    ] = False,
    json: JsonOption = False,
    data_dir: DataDirOption = None,
) -> None:
    """Say what is wrong with this installation and how to put it right. Exit code 1 if something is."""
    if secrets:
        _search_secrets(data_dir, json)
        return
    from isengard.diagnostics.doctor import State, examine

    checks = []
    for check in examine(settings_for(data_dir)):
        checks.append(check)
        if not json:
            say(f"{_STATES[check.state]} {check.name}: {check.detail}")
            if check.remedy:
                say(f"    {check.remedy}")
    ok = all(check.state is not State.FAIL for check in checks)
    if json:
        print_json({"ok": ok, "checks": checks})
    if not ok:
        raise typer.Exit(1)


def redact(
    file: Annotated[Path, typer.Argument(help="A text or image file; - for standard input.")],
    output: Annotated[Path | None, typer.Option(help="Where to write; default standard output.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Only list what would be masked.")] = False,
) -> None:
    """Mask the secrets of a file with the rules that everything here goes through. The file itself is left alone."""
    from isengard.core.redaction import Redactor

    redactor = Redactor.configured(os.environ, settings_for(None).redact_patterns)
    if str(file) != "-" and not file.is_file():
        raise NotFound(f"there is no file {file}", field="file")
    if json:
        _list_findings(file, redactor)
        return
    if output is not None and str(file) != "-" and output.exists() and output.samefile(file):
        raise InvalidInput("--output must not be the file itself", field="output")
    try:
        with nullcontext(sys.stdout.buffer) if output is None else output.open("wb") as target:
            for piece in _redacted(file, redactor):
                target.write(piece)
            target.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StorageError(f"{output or file}: {error.strerror}") from error


def _redacted(file: Path, redactor: Redactor) -> Iterator[bytes]:
    from isengard.diagnostics import redacted_files

    if str(file) == "-":
        stream = redactor.stream()
        while piece := os.read(sys.stdin.fileno(), _PIECE):
            yield stream.feed(piece)
        yield stream.flush()
    elif file.suffix.lower() in _IMAGES:
        yield from redacted_files.image(file, redactor)
    else:
        yield from redacted_files.text(file, redactor)


def _list_findings(file: Path, redactor: Redactor) -> None:
    data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    text = data.decode("utf-8", "surrogateescape")
    print_json(
        {
            "findings": [
                {"kind": found.kind, "line": text.count("\n", 0, found.start) + 1, "length": found.end - found.start}
                for found in redactor.find(text)
            ]
        }
    )


def _search_secrets(data_dir: Path | None, json: bool) -> None:
    from isengard.core.redaction import Redactor
    from isengard.diagnostics.secret_search import search

    settings = workspace.existing_settings(data_dir)
    data = settings.paths
    redactor = Redactor.configured(os.environ, settings.redact_patterns)
    with _spinner(f"reading {data.root}", json):
        spills = list(search(data, redactor))
    if json:
        found = [{"path": redactor.text(str(each.path)), "line": each.line, "kind": each.kind} for each in spills]
        print_json({"ok": not spills, "spills": found})
    else:
        for each in spills:
            say(f"✗ {redactor.text(str(each.path))}:{each.line}: {each.kind}")
        say(f"{len(spills)} secrets in the clear below {data.root}" if spills else "no secret in the clear")
    if spills:
        raise typer.Exit(1)


def _spinner(text: str, quiet: bool) -> AbstractContextManager[Any]:
    """Something moving while it takes long, where somebody looks."""
    if quiet or not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console

    return Console(stderr=True).status(inert(text))


def _character_of(place: workspace.Workspace, job: Job) -> Character | None:
    try:
        return place.store.get_character(job.character_id)
    except NotFound:
        return None


def _say_error(job: Job, error: FirstError | None) -> None:
    if error is None:
        say(f"{job.id} has no error in its journal")
        return
    colour = sys.stdout.isatty()
    say(f"\nThe first error of {job.id}, line {error.entry.seq} of its journal:\n")
    for entry in error.before:
        print(f"  {render(entry, colour=colour)}")
    print(f"> {render(error.entry, colour=colour)}")
    if error.stack and not error.entry.fields.get("error_stack"):
        say("\n".join(f"    {line}" for line in error.stack.rstrip().splitlines()))
    for entry in error.after:
        print(f"  {render(entry, colour=colour)}")
    say(f"\nWhat it means: {error.cause.title}. {error.cause.explanation}")
    for advice in error.cause.advice:
        say(f"  try: {advice}")


def _error_facts(error: FirstError | None) -> dict[str, Any] | None:
    if error is None:
        return None
    return {
        "entry": error.entry.to_dict(),
        "stack": error.stack,
        "cause": error.cause,
        "before": [entry.to_dict() for entry in error.before],
        "after": [entry.to_dict() for entry in error.after],
    }
