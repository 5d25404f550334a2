"""Run in a network namespace of its own: an API, viewers with another address, and then no way back to that address.

Usage: ``unshare --user --map-root-user --net python pulled_cable.py FOLDER``
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from faults.site import site
from faults.test_faults_clients import open_stream, sockets_of
from standins.workbench import eventually

VIEWERS = 20
FAR_AWAY = "10.99.0.1"


def main(folder: Path) -> None:
    """Cut the cable of all viewers and count how many are given up."""
    _ip("link", "set", "lo", "up")
    _ip("address", "add", FAR_AWAY, "dev", "lo")
    patience = {"ISENGARD_STREAM_HEARTBEAT_S": "0.5", "ISENGARD_STREAM_STALL_S": "2"}
    with site(folder, environment=patience) as running:
        emission = running.emit(count=100_000, pause_s=0.2)
        emission.wait_for(3)
        base = sockets_of(running.api.pid)
        viewers = [open_stream(running, emission, come_from=FAR_AWAY) for _ in range(VIEWERS)]
        for viewer in viewers:
            assert viewer.recv(15) == b"HTTP/1.1 200 OK"
        assert sockets_of(running.api.pid) == base + VIEWERS
        _ip("address", "delete", FAR_AWAY, "dev", "lo")
        _ip("route", "add", "blackhole", FAR_AWAY)
        began = time.monotonic()
        eventually(lambda: sockets_of(running.api.pid) <= base, "the viewers being given up")
        print(f"given up: {VIEWERS} of {VIEWERS} in {time.monotonic() - began:.1f} s")
        emission.enough()
        running.conclude(emission)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
