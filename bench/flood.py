"""A child that prints 100 MB/s: does the runner keep up, and what does it cost? Prints a Markdown table.

Each shape is a training of its own under a real runner: ordinary lines, a line that never ends, a bar redrawn without
end, bytes that are no UTF-8. The child paces itself; what it could not get rid of in time is what the runner made it
wait for. Run: ``python bench/flood.py [--seconds 10] [--rate 100]``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from isengard.execution import control
from standins.workbench import Workbench, workbench

CHILD = """
import json, os, sys, time
shape, seconds, rate = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
block = {
    "lines": b"".join(b"epoch 3: loaded image %06d.png of the dataset, 512x768, bucket 7\\n" % n for n in range(3000)),
    "one endless line": b"x" * 200_000,
    "redraws": b"".join(b"\\rtrain:  25%%|##   | %06d/900000 [00:01<00:03, 9.1it/s]" % n for n in range(3000)),
    "no UTF-8": bytes(range(128, 256)) * 1500 + b"\\n",
}[shape]
start = time.monotonic(); written = 0; longest = 0.0
while (now := time.monotonic() - start) < seconds:
    if written > now * rate * 1e6:
        time.sleep(0.001)
        continue
    before = time.monotonic()
    written += os.write(1, block)
    longest = max(longest, time.monotonic() - before)
json.dump([written, time.monotonic() - start, longest], open(sys.argv[4], "w"))
"""


def flood(bench: Workbench, folder: Path, shape: str, seconds: float, rate: float) -> list[str]:
    result = folder / "result.json"
    script = folder / "child.py"
    script.write_text(CHILD)
    command = [sys.executable, str(script), shape, str(seconds), str(rate), str(result)]
    config = {"command": command, "steps": 1, "expect_lora": False, "profile": "generic"}
    job, _ = control.submit(
        bench.settings, bench.store, character_id=bench.character.id, trainer="command", config=config
    )
    bench.jobs.append(job.id)
    bench.wait_for_event(job, "subprocess.start")
    pid = bench.runner_pid(job)
    memory, processor = 0, 0.0
    while bench.store.get_job(job.id).status in ("queued", "running"):
        try:
            status = Path(f"/proc/{pid}/status").read_text()
            times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            break
        memory = max(memory, int(status.partition("VmHWM:")[2].split()[0])) if "VmHWM" in status else memory
        processor = (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")
        time.sleep(0.2)
    bench.finish(job)
    written, took, longest = json.loads(result.read_text())
    paths = bench.paths(job)
    raw = sum(path.stat().st_size for path in paths.trainer.glob("output.log*"))
    return [
        shape,
        f"{written / took / 1e6:.0f}",
        f"{1000 * longest:.0f}",
        f"{processor / took:.2f}",
        f"{memory / 1024:.0f}",
        f"{paths.journal.stat().st_size / 1e6:.2f}",
        f"{raw / 1e6:.0f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rate", type=float, default=100)
    arguments = parser.parse_args()
    headings = (
        "shape",
        "MB/s taken",
        "longest write, ms",
        "cores of the runner",
        "memory, MiB",
        "journal, MB",
        "log, MB",
    )
    print("|", " | ".join(headings), "|")
    print("|---" * len(headings) + "|")
    with tempfile.TemporaryDirectory() as folder, workbench(Path(folder) / "data") as bench:
        bench.start_worker()
        for shape in ("lines", "one endless line", "redraws", "no UTF-8"):
            row = flood(bench, Path(folder), shape, arguments.seconds, arguments.rate)
            print("|", " | ".join(row), "|", flush=True)


if __name__ == "__main__":
    main()
