"""Writes ``docs/settings.md`` and ``docs/cli.md`` from the code; ``--check`` only says whether they are up to date."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from isengard.cli.main import application
from isengard.core.settings import Settings

DOCS = Path(__file__).resolve().parent.parent / "docs"
_MADE = "<!-- Made by scripts/reference.py from the code; edit the descriptions there. -->\n"

_SETTINGS = """# Settings

{made}
Every setting is an environment variable. Options of the command line win over them. An empty variable counts as not
set. A value that is out of range stops the start with exit code 2 and names its variable. A folder for data is all that
a first start needs; the defaults do for one machine.

| variable | default | what |
|---|---|---|
{rows}
Secrets among them (`ISENGARD_TOKEN` and the addresses of database, Redis, artifacts and collector) are never handed to
a trainer and never shown: not in logs, not in `/info`, not in a debug bundle.

Variables of others that matter: `CUDA_VISIBLE_DEVICES` (which GPUs a training sees), `HF_HOME` and `HF_HUB_OFFLINE`
(where models lie, and whether the hub may be asked), `TRACEPARENT` and `ISENGARD_CORRELATION_ID` (the story that a
command belongs to).
"""

_CLI = """# Command line

{made}
The commands work on the data folder itself: none but `up`, `api`, `worker` and `demo` needs or starts a server. A job
moves only while a worker runs (`isengard up` or `isengard worker`).

- A job goes by its id or by the beginning of it: `isengard logs train-3f9` or `isengard logs 3f9`.
- `--json` prints JSON for programs. Without it, a terminal gets colours and bars, a pipe plain lines.
- Exit codes: 0 done; 1 an error, told in one line on stderr; 2 it could not start, or the command line is wrong;
  130 ended by Ctrl-C. A traceback is never shown; `ISENGARD_LOG_LEVEL=DEBUG` shows it.
- Text from trainings is made harmless before it reaches a terminal: control characters are written out.

{sections}"""


def settings_page() -> str:
    """The page of all settings."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = "–" if field.default is None else f"`{getattr(field.default, 'value', field.default)}`"
        rows.append(f"| `ISENGARD_{name.upper()}` | {default if default != '``' else '–'} | {field.description} |\n")
    return _SETTINGS.format(made=_MADE, rows="".join(rows))


def cli_page() -> str:
    """The page of all commands."""
    root = typer.main.get_command(application())
    sections = [_section(name, command) for name, command in _commands(root, "isengard")]
    return _CLI.format(made=_MADE, sections="\n".join(sections))


def _commands(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        full = f"{prefix} {name}"
        yield full, command
        if hasattr(command, "commands"):
            yield from _commands(command, full)


def _section(name: str, command: Any) -> str:
    shown = [each for each in command.params if not getattr(each, "hidden", False) and "--help" not in each.opts]
    arguments = [each for each in shown if each.param_type_name == "argument"]
    usage = " ".join([name, *(each.metavar or each.name.upper() for each in arguments), "[options]"])
    lines = [f"## {name}\n", f"{command.help.strip()}\n", f"```\n{usage}\n```\n"]
    if shown:
        lines += ["| option | what |", "|---|---|", *(_option(each) for each in shown), ""]
    return "\n".join(lines)


def _option(param: Any) -> str:
    if param.param_type_name == "argument":
        name = param.metavar or param.name.upper()
    else:
        name = ", ".join(sorted(param.opts, key=len))
        if not param.is_flag:
            name += f" {param.metavar or param.name.upper()}"
    return f"| `{name}` | {(param.help or '').replace('|', chr(92) + '|')} |"


def main() -> int:
    """Write or check both pages."""
    stale = []
    for name, text in (("settings.md", settings_page()), ("cli.md", cli_page())):
        path = DOCS / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(f"docs/{name}")
        if "--check" not in sys.argv[1:]:
            path.write_text(text, encoding="utf-8")
    if stale and "--check" in sys.argv[1:]:
        print(f"out of date: {', '.join(stale)}; run: make docs", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
