"""A workbench for each test; its workers, runners and trainers are real processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from standins.workbench import Workbench, workbench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    with workbench(tmp_path / "data", max_running_jobs=8) as made:
        yield made
