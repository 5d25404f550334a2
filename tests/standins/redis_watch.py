"""Sees everything that passes through a redis-server: each command with its arguments, and what is kept at a moment."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

from standins.private_redis import RedisServer


class RedisWatch:
    """MONITOR on a connection of its own, from the moment it is made until `stop`."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._seen = bytearray()
        self._socket = socket.create_connection(("127.0.0.1", server.port))
        self._socket.sendall(b"MONITOR\r\n")
        assert self._socket.recv(5) == b"+OK\r\n"
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while data := self._socket.recv(1 << 16):
            self._seen += data

    def stop(self) -> bytes:
        """Everything that was said; Redis is asked to end the connection, so that nothing is still under way."""
        self._socket.shutdown(socket.SHUT_WR)
        self._reader.join()
        self._socket.close()
        return bytes(self._seen)

    def kept(self, folder: Path) -> bytes:
        """Every key with what it holds, and every file that the server wrote into its folder."""
        import redis

        parts: list[bytes] = []
        with redis.Redis(port=self._server.port) as client:
            parts = [_everything(client, key) for key in client.scan_iter()]
        return b"\n".join([*parts, *(file.read_bytes() for file in folder.rglob("*") if file.is_file())])


def _everything(client: Any, key: bytes) -> bytes:
    kind = client.type(key)
    held: object
    if kind == b"stream":
        held = client.xrange(key)
    elif kind == b"list":
        held = client.lrange(key, 0, -1)
    elif kind == b"string":
        held = client.get(key)
    else:
        held = client.dump(key)
    return key + b" " + repr(held).encode()
