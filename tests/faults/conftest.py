"""What the fault tests share. `FAULT_ROUNDS` says how often the random ones strike; `make faults` sets it to 100."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.site import Site, site
from standins.workbench import Workbench, workbench

_A_SHORT_BOUT = 5


@pytest.fixture(scope="session")
def rounds() -> int:
    """How often a fault at a random moment is tried."""
    return int(os.environ.get("FAULT_ROUNDS", _A_SHORT_BOUT))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    with workbench(tmp_path / "data", max_running_jobs=8) as made:
        yield made


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One for all tests of a module that leave it as they found it: running, with nothing left of their jobs."""
    with site(tmp_path_factory.mktemp("site"), grace_period_s=4) as made:
        yield made
