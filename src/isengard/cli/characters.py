"""`isengard characters`: the subjects to be learned and their images."""

from __future__ import annotations

from io import BufferedReader
from pathlib import Path
from typing import Annotated

import typer

from isengard.cli import workspace
from isengard.cli.humanize import ago
from isengard.cli.options import DataDirOption, JsonOption
from isengard.cli.path_stream import PathStream
from isengard.cli.tables import print_table
from isengard.cli.terminal import print_json, say
from isengard.core.errors import InvalidInput

_HEADINGS = ("CHARACTER", "NAME", "TRIGGER", "IMAGES", "LORA", "MADE")
_group = typer.Typer(help="List and make characters, add images to them.", rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(_group, name="characters")


@_group.callback(invoke_without_command=True)
def characters(context: typer.Context, json: JsonOption = False, data_dir: DataDirOption = None) -> None:
    """List the characters; the commands below make them and add images."""
    if context.invoked_subcommand is not None:
        return
    from isengard.api.views import character_view

    with workspace.existing(data_dir) as place:
        everyone = place.store.list_characters()
    if json:
        print_json({"characters": [character_view(each).model_dump(mode="json") for each in everyone]})
    elif not everyone:
        say("no characters yet; make one with: isengard characters create NAME --trigger WORD")
    else:
        rows = [
            (each.id, each.name, each.trigger_word, str(each.image_count), each.lora_path or "–", ago(each.created_at))
            for each in everyone
        ]
        print_table(_HEADINGS, rows)


@_group.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Its name.")],
    trigger: Annotated[str, typer.Option("--trigger", help="The word that stands for it in prompts.")],
    description: Annotated[str | None, typer.Option(help="Free text.")] = None,
    images: Annotated[list[Path] | None, typer.Option(help="An image, a zip or a folder; may be repeated.")] = None,
    json: JsonOption = False,
    data_dir: DataDirOption = None,
) -> None:
    """Make a character."""
    from isengard.api.views import character_view
    from isengard.datasets.characters import Characters

    files = _files(images or [])
    with workspace.made(data_dir) as place:
        character = Characters(place.store, place.settings.paths).create(name, trigger, description)
        rejected = _ingest(place, character.id, files) if files else []
        character = place.store.get_character(character.id)
    if json:
        print_json({**character_view(character).model_dump(mode="json"), "rejected": rejected})
    else:
        say(f"{character.id} is made, with {_images(character.image_count)}")
        _say_rejected(rejected)


@_group.command("add")
def add(
    character: Annotated[str, typer.Argument(help="Id or name of the character.")],
    images: Annotated[list[Path], typer.Argument(help="Images, zips or folders; captions in .txt beside them.")],
    json: JsonOption = False,
    data_dir: DataDirOption = None,
) -> None:
    """Add images to a character."""
    files = _files(images)
    with workspace.existing(data_dir) as place:
        found = place.character(character)
        rejected = _ingest(place, found.id, files)
        total = place.store.get_character(found.id).image_count
    if json:
        print_json({"character_id": found.id, "added": total - found.image_count, "rejected": rejected, "total": total})
    else:
        say(f"{_images(total - found.image_count)} added; {found.name} has {total}")
        _say_rejected(rejected)


def _images(count: int) -> str:
    return f"{count} image{'' if count == 1 else 's'}"


def _files(given: list[Path]) -> list[Path]:
    """The files meant; a folder stands for what lies directly in it. Raises `InvalidInput` for what is not there."""
    files: list[Path] = []
    for path in given:
        if path.is_dir():
            files += sorted(each for each in path.iterdir() if each.is_file() and not each.name.startswith("."))
        elif path.is_file():
            files.append(path)
        else:
            raise InvalidInput(f"there is no file {path}", field="images")
    return files


def _ingest(place: workspace.Workspace, character_id: str, paths: list[Path]) -> list[dict[str, str]]:
    """Add what can be added; returns what could not be, with the reasons."""
    from isengard.core.redaction import Redactor
    from isengard.datasets.intake import Intake
    from isengard.datasets.limits import Limits
    from isengard.datasets.names import shown
    from isengard.datasets.uploads import IncomingFile

    intake = Intake(place.store, place.settings.paths, Limits.of(place.settings))
    unreadable = {path.name: reason for path in paths if (reason := _fault(path))}
    files = [IncomingFile(path.name, BufferedReader(PathStream(path))) for path in paths if path.name not in unreadable]
    mask = Redactor().filename
    rejected = [{"filename": shown(mask(name)), "reason": reason} for name, reason in unreadable.items()]
    if files:
        result = intake.ingest(character_id, files)
        rejected += [{"filename": each.filename, "reason": each.reason} for each in result.rejected]
    return rejected


def _fault(path: Path) -> str:
    """Why a file cannot be read; empty if it can."""
    try:
        path.open("rb").close()
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return ""


def _say_rejected(rejected: list[dict[str, str]]) -> None:
    for each in rejected:
        say(f"  not taken: {each['filename']}: {each['reason']}")
