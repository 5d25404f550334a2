"""`isengard token`: make, list and take back access tokens. A token is shown once, when it is made."""

from __future__ import annotations

from typing import Annotated

import typer

from isengard.cli.options import DataDirOption, JsonOption, settings_for
from isengard.cli.tables import print_table
from isengard.cli.terminal import print_json, say
from isengard.core.access.roles import Role
from isengard.core.access.tokens import TokenFile

_HEADINGS = ("NAME", "ROLE", "MADE")
_group = typer.Typer(help="List, make and take back access tokens.", rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(_group, name="token")


@_group.callback(invoke_without_command=True)
def tokens(context: typer.Context, json: JsonOption = False, data_dir: DataDirOption = None) -> None:
    """List the tokens by name; what they are is not kept."""
    if context.invoked_subcommand is not None:
        return
    known = TokenFile(settings_for(data_dir).paths).all()
    if json:
        print_json({"tokens": [{"name": one.name, "role": one.role, "created_at": one.created_at} for one in known]})
    elif not known:
        say("no tokens; make one with: isengard token create NAME")
    else:
        print_table(_HEADINGS, [(one.name, one.role.value, one.created_at) for one in known])


@_group.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Whom or what it is for.")],
    role: Annotated[Role, typer.Option(help="viewer may look, operator may do everything.")] = Role.OPERATOR,
    json: JsonOption = False,
    data_dir: DataDirOption = None,
) -> None:
    """Make a token and show it, this once. A running server takes it at once if it asked for tokens when it started."""
    settings = settings_for(data_dir)
    settings.paths.prepare()
    token = TokenFile(settings.paths).create(name, role)
    if json:
        print_json({"name": name, "role": role, "token": token})
    else:
        say(token)


@_group.command("revoke")
def revoke(
    name: Annotated[str, typer.Argument(help="The token's name.")],
    json: JsonOption = False,
    data_dir: DataDirOption = None,
) -> None:
    """Take a token back; its sessions end with it."""
    TokenFile(settings_for(data_dir).paths).revoke(name)
    if json:
        print_json({"revoked": name})
    else:
        say(f"{name} is no longer valid")
