"""What the settings of a cluster allow, and that those of one machine need none of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from isengard.core.errors import StartupError
from isengard.core.settings import Settings
from isengard.execution import launcher_ray
from isengard.execution.cluster import membership

REDIS = "redis://localhost:6379/0"
DATABASE = "postgresql://localhost/isengard"


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"remote": True, "database_url": DATABASE}, "ISENGARD_REMOTE needs ISENGARD_REDIS_URL"),
        ({"remote": True, "redis_url": REDIS}, "ISENGARD_REMOTE needs ISENGARD_DATABASE_URL"),
        ({"launcher": "ray"}, "ISENGARD_LAUNCHER=ray needs ISENGARD_REDIS_URL"),
        ({"launcher": "none"}, "ISENGARD_LAUNCHER=none needs ISENGARD_REDIS_URL"),
        ({"remote": True, "redis_url": REDIS, "database_url": DATABASE, "launcher": "ray"}, "starts its own trainings"),
        ({"redis_url": "localhost:6379"}, "ISENGARD_REDIS_URL"),
    ],
)
def test_settings_that_contradict_each_other_stop_the_start(tmp_path: Path, given: dict[str, Any], fault: str) -> None:
    with pytest.raises(StartupError, match=fault):
        membership.check(Settings(data_dir=tmp_path, **given))


@pytest.mark.parametrize(
    "given",
    [{}, {"redis_url": REDIS}, {"redis_url": REDIS, "launcher": "none"}, {"redis_url": REDIS, "launcher": "ray"}],
)
def test_settings_that_make_sense_start(tmp_path: Path, given: dict[str, Any]) -> None:
    membership.check(Settings(data_dir=tmp_path, **given))


def test_options_for_ray_are_checked_by_name(tmp_path: Path) -> None:
    good = Settings(data_dir=tmp_path, ray_options='{"num_cpus": 4, "label_selector": {"gpu": "a100"}}')
    assert launcher_ray.options(good) == {"num_cpus": 4, "label_selector": {"gpu": "a100"}}
    assert launcher_ray.options(Settings(data_dir=tmp_path)) == {}
    for wrong in ("[]", "{", '{"max_restarts": 3}', '{"name": "x"}'):
        with pytest.raises(StartupError, match="ISENGARD_RAY_OPTIONS"):
            launcher_ray.options(Settings(data_dir=tmp_path, ray_options=wrong))


def test_one_machine_loads_nothing_of_a_cluster() -> None:
    of_clusters = "[name for name in sys.modules if name in ('redis', 'ray') or 'coordinator' in name]"
    look = f"import sys, isengard.execution.worker; print({of_clusters})"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
