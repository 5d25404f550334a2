"""Several hosts on one machine: network namespaces with addresses of their own on one bridge. Links can be cut.

Needs root. Where that is not permitted, `NotPermitted` says why.
"""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


class NotPermitted(Exception):
    """This machine does not allow network namespaces; the text says what refused."""


@dataclass
class Host:
    """A namespace with an address."""

    name: str
    address: str
    link: str

    def command(self, *argv: str) -> list[str]:
        """`argv` as it is run on this host."""
        return ["ip", "netns", "exec", self.name, *argv]

    def cut(self) -> None:
        """Pull the cable: packets vanish, nobody is told."""
        _ip("link", "set", self.link, "nomaster")

    def mend(self, bridge: str) -> None:
        """Plug it in again."""
        _ip("link", "set", self.link, "master", bridge)


@dataclass
class Network:
    """A bridge, which is this process's own address, and the hosts on it."""

    tag: str
    prefix: str
    hosts: dict[str, Host] = field(default_factory=dict)

    @property
    def bridge(self) -> str:
        return f"ib{self.tag}"

    @property
    def address(self) -> str:
        return f"{self.prefix}.1"

    @property
    def range(self) -> str:
        return f"{self.prefix}.0/24"

    def add(self, name: str) -> Host:
        number = len(self.hosts) + 2
        host = Host(f"isengard-{self.tag}-{name}", f"{self.prefix}.{number}", f"iv{self.tag}{number}")
        self.hosts[name] = host
        _ip("netns", "add", host.name)
        _ip("link", "add", host.link, "type", "veth", "peer", "name", "eth0", "netns", host.name)
        _ip("link", "set", host.link, "master", self.bridge, "up")
        _ip("-n", host.name, "addr", "add", f"{host.address}/24", "dev", "eth0")
        _ip("-n", host.name, "link", "set", "eth0", "up")
        _ip("-n", host.name, "link", "set", "lo", "up")
        return host

    def cut(self, name: str) -> None:
        self.hosts[name].cut()

    def mend(self, name: str) -> None:
        self.hosts[name].mend(self.bridge)


@contextmanager
def network(*names: str) -> Iterator[Network]:
    """A network with hosts of these names; everything is removed at the end, whatever still runs in it."""
    if os.geteuid() != 0:
        raise NotPermitted("network namespaces need root")
    made = Network(secrets.token_hex(3), f"10.{64 + secrets.randbelow(64)}.{secrets.randbelow(256)}")
    try:
        _ip("link", "add", made.bridge, "type", "bridge")
        _ip("addr", "add", f"{made.address}/24", "dev", made.bridge)
        _ip("link", "set", made.bridge, "up")
        for name in names:
            made.add(name)
        yield made
    finally:
        for host in made.hosts.values():
            subprocess.run(["ip", "netns", "del", host.name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", made.bridge], check=False, capture_output=True)


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotPermitted(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
