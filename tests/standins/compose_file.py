"""Reads deploy/compose.yaml as Docker Compose would: merges, and variables put in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
_VARIABLE = re.compile(r"\$\{(?P<name>[A-Z0-9_]+)(?:(?P<kind>:-|:\?)(?P<rest>[^}]*))?\}")


class Missing(Exception):
    """A variable that has to be given was not."""


def compose_file(variables: Mapping[str, str]) -> dict[str, Any]:
    """The file with `variables` in their places; raises `Missing`."""
    loaded = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return dict(_filled({name: part for name, part in loaded.items() if not name.startswith("x-")}, variables))


def needed_variables() -> set[str]:
    """The variables without which it refuses to start."""
    found = _VARIABLE.finditer((DEPLOY / "compose.yaml").read_text())
    return {match["name"] for match in found if match["kind"] == ":?"}


def image_environment() -> dict[str, str]:
    """What the Dockerfile sets."""
    (line,) = re.findall(r"^ENV ((?:.*\\\n)*.*)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    pairs = (pair.split("=", 1) for pair in line.replace("\\\n", " ").split())
    return {name: value for name, value in pairs if name != "PATH"}


def health_check() -> list[str]:
    """The command by which the image tells whether it is well."""
    (line,) = re.findall(r"HEALTHCHECK (?:.*\\\n\s*)*CMD (\[.*\])$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    return [str(word) for word in yaml.safe_load(line)]


def _filled(part: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(part, dict):
        return {name: _filled(value, variables) for name, value in part.items()}
    if isinstance(part, list):
        return [_filled(value, variables) for value in part]
    return _VARIABLE.sub(lambda match: _value(match, variables), part) if isinstance(part, str) else part


def _value(match: re.Match[str], variables: Mapping[str, str]) -> str:
    given = variables.get(match["name"], "")
    if not given and match["kind"] == ":?":
        raise Missing(match["name"])
    return given or (match["rest"] or "" if match["kind"] == ":-" else "")
