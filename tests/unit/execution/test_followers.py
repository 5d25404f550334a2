"""What a runner listens to can be told to end at any moment, also in the one in which something arrives."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import pytest

from isengard.core.paths import DataDir
from isengard.execution.followers import Followers, Nudges
from isengard.execution.outbox import Outbox
from isengard.execution.recorder import Recorder
from isengard.execution.spool import SpoolReader


@pytest.mark.parametrize("turns", range(5))
async def test_a_cancellation_that_comes_together_with_a_nudge_is_not_lost(tmp_path: Path, turns: int) -> None:
    paths = DataDir(tmp_path).job("train-followed")
    paths.make()
    nudges = Nudges()
    outbox = cast(Outbox, None)  # neither spool nor inbox holds anything to write
    recorder = Recorder(outbox, paths, attempt=1, steps_total=1)
    followers = Followers(paths, recorder, nudges, lambda message: None, SpoolReader(paths.reports))
    task = asyncio.create_task(followers.run())
    for _ in range(5):
        await asyncio.sleep(0)

    nudges.of_report()
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()

    await asyncio.wait([task], timeout=5)
    assert task.cancelled()
