"""Secrets that somebody wrote into a job's configuration instead of giving them as secrets.

The configuration is stored in a row, copied into files and answered to whoever asks, so it is masked before any of
that. What was masked is kept among the job's secrets under names that no variable can have, and comes back when the
runner hands the configuration to the trainer. Decision 0175.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from isengard.core.errors import InvalidInput
from isengard.core.redaction import Redactor
from isengard.core.settings import Settings
from isengard.execution.job_secrets import MAX_CHARACTERS

_PREFIX = "config:"
"""Begins the name of what was masked; the rest says where in the configuration it stood."""

_SEPARATOR = "\x1f"


def part(
    settings: Settings, config: Mapping[str, Any], secrets: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """`config` as it may be stored, and what was taken out of it, by names of its own.

    Args:
        secrets: What the job was given; masked wherever it stands in `config`.

    Raises:
        InvalidInput: It is more than can be looked for in everything the job writes.
    """
    redactor = Redactor.configured(os.environ, settings.redact_patterns).with_known(*secrets.values())
    masked: dict[str, Any] = redactor.value(dict(config))
    hidden = {_PREFIX + place: text for place, text in _taken_out(config, masked, ())}
    if sum(map(len, (*secrets.values(), *hidden.values()))) > MAX_CHARACTERS:
        raise InvalidInput(
            f"what holds secrets in it, with the job's own, has more than {MAX_CHARACTERS} characters; "
            "give them as secrets instead",
            field="config",
        )
    return masked, hidden


def whole(config: Mapping[str, Any], secrets: Mapping[str, str]) -> dict[str, Any]:
    """The configuration as it was given."""
    restored: dict[str, Any] = dict(config)
    for name, text in secrets.items():
        if name.startswith(_PREFIX):
            restored = _put(restored, name.removeprefix(_PREFIX).split(_SEPARATOR), text)
    return restored


def variables(secrets: Mapping[str, str]) -> dict[str, str]:
    """Those of `secrets` that are for the trainer's environment."""
    return {name: text for name, text in secrets.items() if not name.startswith(_PREFIX)}


def _taken_out(given: Any, masked: Any, place: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if given is masked:
        return
    if isinstance(given, Mapping) and isinstance(masked, Mapping):
        for (_, old), (name, new) in zip(given.items(), masked.items(), strict=True):
            yield from _taken_out(old, new, (*place, str(name)))
    elif isinstance(given, list | tuple) and isinstance(masked, list | tuple):
        for index, (old, new) in enumerate(zip(given, masked, strict=True)):
            yield from _taken_out(old, new, (*place, str(index)))
    elif given != masked:
        yield _SEPARATOR.join(place), str(given)


def _put(value: Any, place: list[str], text: str) -> Any:
    """A copy of `value` with `text` at `place`; as it is where it has no such place any more."""
    if not place:
        return text
    first, rest = place[0], place[1:]
    if isinstance(value, Mapping) and first in value:
        return {**value, first: _put(value[first], rest, text)}
    if isinstance(value, list | tuple) and first.isdigit() and int(first) < len(value):
        return [_put(item, rest, text) if index == int(first) else item for index, item in enumerate(value)]
    return value
