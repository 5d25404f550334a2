"""Commands that a person is told to type: with the data folder, where the environment does not name it already."""

from __future__ import annotations

import shlex

from isengard.core.settings import Settings, load


def command(words: str, settings: Settings) -> str:
    """``isengard {words}`` for the data folder of `settings`, as it would have to be typed in the same shell."""
    if settings.data_dir == load().data_dir:
        return f"isengard {words}"
    return f"isengard {words} --data-dir {shlex.quote(str(settings.data_dir))}"
