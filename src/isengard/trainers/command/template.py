"""Fills a command's template: each argument by itself, never through a shell.

``{steps}`` stands for a parameter or a place of the job; ``{{`` and ``}}`` stand for braces. A value always stays
inside the argument it stands in, whatever it contains.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from isengard.core.errors import InvalidInput
from isengard.trainers.base import TrainingJob

_PLACE = re.compile(r"\{\{|\}\}|\{([a-z_]+)\}|[{}]")


_FIGURES = ("steps", "learning_rate", "batch_size", "resolution", "lora_rank", "seed")
_INTERVALS = ("sample_every_n_steps", "checkpoint_every_n_steps")
_PLACES = ("dataset", "output_dir", "output_name", "trigger_word", "character", "prompt", "job_id", "resume_from")
KNOWN = (*_FIGURES, *_INTERVALS, *_PLACES)
"""All names that a template may give."""


def values(job: TrainingJob, output: Path) -> dict[str, str]:
    """What a template may name: the common parameters of the job and its places; `output` is where it writes."""
    config = job.config
    prompts = [str(prompt) for prompt in config.get("sample_prompts") or []]
    return {name: _text(config.get(name)) for name in (*_FIGURES, *_INTERVALS)} | {
        "dataset": str(job.dataset),
        "output_dir": str(output),
        "output_name": str(config.get("output_name") or job.output.stem),
        "trigger_word": job.trigger_word,
        "character": job.character_name,
        "prompt": prompts[0] if prompts else f"a photo of {job.trigger_word or job.character_name}",
        "job_id": job.job_id,
        "resume_from": str(job.resume_from or ""),
    }


def literal(command: Sequence[str]) -> list[str]:
    """The template that is filled to `command` as it stands: every brace in it is a brace."""
    return [argument.replace("{", "{{").replace("}", "}}") for argument in command]


def fill(template: Sequence[str], known: Mapping[str, str]) -> list[str]:
    """Every argument with its places filled in.

    Raises:
        InvalidInput: A place has no value, or a brace stands alone; the detail names it and lists what there is.
    """
    return [_PLACE.sub(lambda match: _value(match, known), argument) for argument in template]


def check(template: Sequence[str]) -> None:
    """Whether every place of the template is one that there is, before there is a job to take the values from.

    Raises:
        InvalidInput: As `fill` does.
    """
    fill(template, dict.fromkeys(KNOWN, ""))


def _value(match: re.Match[str], known: Mapping[str, str]) -> str:
    token = match[0]
    if token in ("{{", "}}"):
        return token[0]
    name = match[1]
    if name is None:
        raise InvalidInput(
            f"a {token!r} stands alone in the command; write {token * 2!r} for a brace", field="config.command"
        )
    if name not in known:
        places = ", ".join(f"{{{key}}}" for key in known)
        raise InvalidInput(f"the command names {{{name}}}, which is none of {places}", field="config.command")
    return known[name]


def _text(value: Any) -> str:
    return "" if value is None else str(value)
