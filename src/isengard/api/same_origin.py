"""Whether a request was meant for this server and made by its own page: by ``Host``, ``Origin`` and what browsers add.

A page of another site must not reach the server through its visitor's browser, on any method, stream or socket. The
``Host`` must be a name of ours (DNS rebinding gives a foreign name our address), an ``Origin`` must be the server
itself (``null`` is not). Says nothing of who the visitor is.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import Self

from starlette.datastructures import Headers
from starlette.types import Scope

from isengard.core.access.first_token import needs_tokens
from isengard.core.errors import Forbidden
from isengard.core.settings import Settings

_HOST = re.compile(
    r"(?:(?P<name>[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?)\.?|\[(?P<v6>[0-9A-Fa-f:.]{2,45})\])(?::(?P<port>[0-9]{1,5}))?"
)
_ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<host>[^/?#@\\\s]+)")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_CHANGES_NOTHING = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class OwnHosts:
    """The names and addresses that this server answers to.

    Attributes:
        names: Host names in lower case.
        local_only: Whether an address must be a loopback one. So it is where nobody is asked for a token: whatever else
            a browser takes for this machine (``0.0.0.0``) or a proxy passes on is then to be named in the settings.
    """

    names: frozenset[str]
    local_only: bool

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Those of a server with `settings`."""
        configured = {name.strip().lower().rstrip(".") for name in settings.allowed_hosts.split(",") if name.strip()}
        bound = set() if _address(settings.host) else {settings.host.lower()}
        names = {"localhost", socket.gethostname().lower(), *bound, *configured}
        return cls(frozenset(names), local_only=not needs_tokens(settings))

    def knows(self, host: str) -> bool:
        """Whether `host`, a ``Host`` header, names this server; its port may be any, for a tunnel has its own."""
        match = _HOST.fullmatch(host)
        if match is None or int(match["port"] or 0) > 65535:
            return False
        name = (match["v6"] or match["name"]).lower()
        address = _address(name)
        if name in self.names or (match["v6"] and f"[{name}]" in self.names):
            return True
        if address is None:
            return name.endswith(".localhost")
        return _is_loopback(address) if self.local_only else not address.is_unspecified


_IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def _address(name: str) -> _IpAddress | None:
    try:
        return ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return None


def _is_loopback(address: _IpAddress) -> bool:
    inner = getattr(address, "ipv4_mapped", None)
    return bool((inner or address).is_loopback)


def check_host(headers: Headers, own: OwnHosts) -> None:
    """Raise `Forbidden` unless the one ``Host`` header names this server."""
    host = ", ".join(headers.getlist("host"))
    if not own.knows(host):
        raise Forbidden(
            f"the Host header {host[:100]!r} is not one that this server answers to; ISENGARD_ALLOWED_HOSTS adds names"
        )


def check_origin(scope: Scope, headers: Headers) -> None:
    """Raise `Forbidden` for a request that another site's page makes through the visitor's browser."""
    origins, host = headers.getlist("origin"), headers.get("host", "")
    if origins:
        if len(origins) > 1 or not _is_ours(origins[0], host, scope["scheme"]):
            raise Forbidden(f"requests from the origin {', '.join(origins)[:100]!r} are not accepted here")
        return
    is_reading = scope.get("method", "GET") in _CHANGES_NOTHING
    referer = _ORIGIN.match(headers.get("referer", ""))  # of browsers that send no origin with a form
    if not is_reading and referer is not None and not _is_ours(referer[0], host, scope["scheme"]):
        raise Forbidden("requests from another site's page are not accepted here")
    from_elsewhere = headers.get("sec-fetch-site") in ("cross-site", "same-site")
    if from_elsewhere and not (is_reading and headers.get("sec-fetch-mode") == "navigate"):
        raise Forbidden("requests from another site's page are not accepted here")


def _is_ours(origin: str, host: str, scheme: str) -> bool:
    """Whether `origin` is `host`; behind a proxy, which may speak TLS for us, in either scheme."""
    match = _ORIGIN.fullmatch(origin.lower())
    if match is None or (scheme in ("https", "wss") and match["scheme"] != "https"):
        return False
    implied = _DEFAULT_PORTS[match["scheme"]]
    return match["host"].removesuffix(implied) == host.lower().removesuffix(implied)
