"""A real OTLP/HTTP receiver: takes protobuf requests, keeps each on disk before it answers, and can be killed.

    python otlp_receiver.py FOLDER PORT

What it took is read back with `taken`, each record as a dictionary. Told ``refuse`` (a file of that name with a text in
it), it answers 400 to any request with that text in it, as a collector does to what it cannot read.
"""

from __future__ import annotations

import gzip
import itertools
import os
import socket
import subprocess
import sys
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_KINDS = {
    "/v1/logs": ("logs", ExportLogsServiceRequest, ("resourceLogs", "scopeLogs", "logRecords")),
    "/v1/metrics": ("metrics", ExportMetricsServiceRequest, ("resourceMetrics", "scopeMetrics", "metrics")),
    "/v1/traces": ("traces", ExportTraceServiceRequest, ("resourceSpans", "scopeSpans", "spans")),
}
PATIENCE_S = 120.0


class _Handler(BaseHTTPRequestHandler):
    folder: Path
    numbers = itertools.count()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        name, request, _ = _KINDS[self.path]
        request.FromString(body)  # raises for what is no such request: the client then gets no answer
        refused = self.folder / "refuse"
        if refused.exists() and refused.read_bytes() in body:
            self.send_response(400)
        else:
            target = self.folder / f"{name}-{time.time_ns()}-{next(self.numbers)}.pb"
            target.with_suffix(".partial").write_bytes(body)
            os.replace(target.with_suffix(".partial"), target)
            self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


class OtlpReceiver:
    """A receiver in a process of its own on a free loopback port; `kill` and `start` keep what it took."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._process = subprocess.Popen([sys.executable, __file__, str(self.folder), str(self.port)])
        deadline = time.monotonic() + PATIENCE_S
        while not self._answers():
            assert self._process.poll() is None, "the receiver ended"
            assert time.monotonic() < deadline, "the receiver does not answer"
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.endpoint, timeout=PATIENCE_S):
                return True
        except OSError:
            return False

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def refuse(self, text: str) -> None:
        (self.folder / "refuse").write_text(text)

    def taken(self, kind: str) -> list[dict[str, Any]]:
        """The log records, metrics or spans it took, in the order it took them, with their resource's attributes."""
        _, request, (resources, scopes, records) = next(each for each in _KINDS.values() if each[0] == kind)
        found = []
        for path in sorted(self.folder.glob(f"{kind}-*.pb")):
            for of_resource in MessageToDict(request.FromString(path.read_bytes())).get(resources, []):
                about = attributes(of_resource["resource"])
                for scope in of_resource.get(scopes, []):
                    found += [{**record, "resource": about} for record in scope.get(records, [])]
        return found


def attributes(record: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a record as plain values."""
    return {each["key"]: _plain(each.get("value", {})) for each in record.get("attributes", [])}


def _plain(value: dict[str, Any]) -> Any:
    for kind, held in value.items():
        if kind == "intValue":
            return int(held)
        if kind == "arrayValue":
            return [_plain(each) for each in held.get("values", [])]
        if kind == "kvlistValue":
            return {each["key"]: _plain(each.get("value", {})) for each in held.get("values", [])}
        return held
    return None


def hexadecimal(encoded: str) -> str:
    """An id as it is written in a traceparent; the JSON of protobuf has it in base 64."""
    import base64

    return base64.b64decode(encoded).hex()


if __name__ == "__main__":
    _Handler.folder = Path(sys.argv[1])
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), _Handler).serve_forever()
