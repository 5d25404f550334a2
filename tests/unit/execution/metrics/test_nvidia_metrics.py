"""GPU figures through NVIDIA's real binding, over a library that answers as a driver would."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from standins import nvidia_driver

READ = """
import json, os, sys
from pathlib import Path
from isengard.execution.metrics.gpu import GPUMonitor
monitor = GPUMonitor(os.environ.get("VISIBLE"), retry_s=0)
out = []
for action in sys.argv[1:]:
    if action == "lose":
        Path(os.environ["NVML_FAKE_LOST"]).touch()
    elif action == "return":
        Path(os.environ["NVML_FAKE_LOST"]).unlink()
    else:
        gpus, warning = monitor.read({4711})
        out.append([[gpu.to_dict() for gpu in gpus], warning])
monitor.close()
print(json.dumps(out))
"""


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return nvidia_driver.build(tmp_path_factory.mktemp("driver"))


def read(folder: Path | None, *actions: str, **environment: str) -> list[Any]:
    variables = os.environ | environment
    if folder is not None:
        variables |= {"LD_LIBRARY_PATH": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", READ, *actions], env=variables, capture_output=True, text=True, check=True
    )
    readings: list[Any] = json.loads(done.stdout)
    return readings


def test_two_gpus_tell_all_their_figures(driver: Path) -> None:
    [[gpus, warning]] = read(driver, "read", NVML_FAKE_PID="4711")
    assert warning == ""
    assert gpus[0] == {
        "index": 0,
        "name": "Fake GPU 0",
        "utilization_pct": 90.0,
        "memory_used_mb": 1024.0,
        "memory_total_mb": 24576.0,
        "process_memory_mb": 512.0,
        "temperature_c": 61,
        "power_w": 215.5,
        "sm_clock_mhz": 1815,
    }
    assert (gpus[1]["index"], gpus[1]["utilization_pct"], gpus[1]["memory_used_mb"]) == (1, 80.0, 2048.0)
    assert "process_memory_mb" not in gpus[1]


def test_a_figure_the_driver_does_not_support_is_left_out(driver: Path) -> None:
    [[gpus, _]] = read(driver, "read", NVML_FAKE_NO_POWER="1")
    assert "power_w" not in gpus[0]
    assert gpus[0]["temperature_c"] == 61


def test_only_the_gpus_the_job_sees_are_read(driver: Path) -> None:
    [[by_index, _]] = read(driver, "read", VISIBLE="1")
    [[by_uuid, _]] = read(driver, "read", VISIBLE="GPU-fa4e0000-0000-0000-0000-000000000001")
    [[none, _]] = read(driver, "read", VISIBLE="")
    assert [gpu["index"] for gpu in by_index] == [gpu["index"] for gpu in by_uuid] == [1]
    assert none == []


def test_a_device_cut_by_mig_gives_its_slices(driver: Path) -> None:
    [[gpus, _]] = read(driver, "read", NVML_FAKE_MIG="1", NVML_FAKE_COUNT="1")
    assert [(gpu["index"], gpu["name"]) for gpu in gpus] == [(0, "Fake GPU 4"), (0, "Fake GPU 5")]


def test_a_driver_that_vanishes_is_told_once_and_found_again(driver: Path, tmp_path: Path) -> None:
    readings = read(driver, "read", "lose", "read", "read", "return", "read", NVML_FAKE_LOST=str(tmp_path / "lost"))
    assert [len(gpus) for gpus, _ in readings] == [2, 0, 0, 2]
    assert [bool(warning) for _, warning in readings] == [False, True, False, False]
    assert "GPU is lost" in readings[1][1]


def test_a_machine_without_a_driver_has_no_gpus_and_no_warning() -> None:
    assert read(None, "read", "read") == [[[], ""], [[], ""]]
