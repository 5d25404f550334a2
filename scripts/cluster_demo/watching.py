"""What a page is shown of one job: its stream from the first line on, over either API, through every interruption."""

from __future__ import annotations

import threading
import time

import httpx


class Watcher:
    """Follows one job's stream, in a thread; after an interruption it goes on at the other API behind the last line.

    A stream ends with the job; it begins again behind the last line when the job is tried again, as the page's does.

    Attributes:
        seen: Numbers of the lines in the order in which they were shown.
    """

    def __init__(self, urls: list[str], job_id: str) -> None:
        self.job_id = job_id
        self.seen: list[int] = []
        self.events: list[str] = []
        self._urls = urls
        self._stop = False
        threading.Thread(target=self._run, name=f"watch-{job_id}", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stop = True

    def _run(self) -> None:
        turn = 0
        while not self._stop:
            try:
                self._follow(self._urls[turn % len(self._urls)])
            except (httpx.HTTPError, OSError):
                time.sleep(0.5)
            turn += 1

    def _follow(self, url: str) -> None:
        place = {"after": self.seen[-1]} if self.seen else {"from": "start"}
        timeout = httpx.Timeout(60, connect=10)
        with httpx.stream("GET", f"{url}/api/jobs/{self.job_id}/stream", params=place, timeout=timeout) as answer:
            if answer.status_code == 204:  # there is nothing behind the last line for now
                time.sleep(1)
            frame: dict[str, str] = {}
            for line in answer.iter_lines():
                if line:
                    name, _, value = line.partition(": ")
                    frame[name] = value
                    continue
                self._take(frame)
                frame = {}

    def _take(self, frame: dict[str, str]) -> None:
        if frame.get("id", "").isdigit() and frame.get("event") != "snapshot":
            self.seen.append(int(frame["id"]))
            self.events.append(frame["event"])
