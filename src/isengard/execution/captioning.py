"""The captioning stage: a model of the person's own describes every image that came without a caption.

The model runs in a process of its own, marked as one of the run's, so that a cancel ends it and nothing of it remains.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from isengard.core.errors import TrainingFailed
from isengard.datasets.captioner import check_folder
from isengard.datasets.captions import SUFFIX
from isengard.events.models import EventName, TrainingStage
from isengard.events.reports import ENV_RUN
from isengard.execution.recorder import Recorder

_LAST_LINES = 20


@dataclass(frozen=True, slots=True)
class Captions:
    """How the captions of one run are made.

    Attributes:
        model: Folder of the model.
        prefix: Stands before what the model says; the trigger word.
        run: The run's mark (`execution.process.mark`), without the variable's name.
    """

    model: Path
    prefix: str
    run: str


async def caption_images(
    captions: Captions, folder: Path, names: Sequence[str], recorder: Recorder, stop: asyncio.Event
) -> bool:
    """Write a caption beside each image of `folder` that `names` names; False when `stop` was set before the end.

    Raises:
        InvalidInput: There is no model.
        TrainingFailed: The model failed; its traceback is the stack.
    """
    check_folder(captions.model)
    recorder.enter(TrainingStage.CAPTIONING, f"captioning {len(names)} images with {captions.model.name}")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "isengard.datasets.captioner",
        str(captions.model),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, ENV_RUN: captions.run},
    )
    work = asyncio.create_task(_follow(process, captions, folder, names, recorder))
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            await work
        return work.done()
    finally:
        for task in (work, stopped):
            task.cancel()
        await asyncio.gather(work, stopped, return_exceptions=True)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _follow(
    process: asyncio.subprocess.Process, captions: Captions, folder: Path, names: Sequence[str], recorder: Recorder
) -> None:
    assert process.stdin and process.stdout and process.stderr  # noqa: S101, PT018 - all three are pipes
    errors = asyncio.create_task(process.stderr.read())
    process.stdin.write("".join(f"{folder / name}\n" for name in names).encode())
    process.stdin.close()
    done = 0
    async for line in process.stdout:
        if (said := _read(line)) is None:
            continue
        done += 1
        name, words = said
        text = f"{captions.prefix}, {words}" if captions.prefix and words else captions.prefix or words
        (folder / name).with_suffix(SUFFIX).write_text(text, encoding="utf-8")
        message = f"{done} of {len(names)} images captioned"
        percent = round(100 * done / len(names), 1)
        recorder.job(EventName.JOB_STAGE, message, phase="captioning images", phase_pct=percent, caption_of=name)
    if await process.wait() or done < len(names):
        raise _failure((await errors).decode("utf-8", "replace"), done, len(names))


def _read(line: bytes) -> tuple[str, str] | None:
    """Image and caption; None for whatever else a library prints."""
    try:
        said = json.loads(line)
        return str(said["file"]), str(said["caption"])
    except (ValueError, KeyError, TypeError):
        return None


def _failure(errors: str, done: int, total: int) -> TrainingFailed:
    lines = [line for line in errors.splitlines() if line.strip()]
    last = lines[-1] if lines else "it said nothing"
    kind = last.partition(":")[0].rpartition(".")[2]
    return TrainingFailed(
        f"the captioning model failed at image {done + 1} of {total}: {last[:300]}",
        error_type=kind if kind.isidentifier() else "CaptioningFailed",
        stack="\n".join(lines[-_LAST_LINES:]) or None,
    )
