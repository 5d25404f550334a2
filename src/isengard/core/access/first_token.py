"""Makes the first token of a server that other machines can reach. Prints nothing itself."""

from __future__ import annotations

import ipaddress

from isengard.core.access.roles import Role
from isengard.core.access.tokens import TokenFile
from isengard.core.settings import Settings

FIRST_NAME = "first"


def needs_tokens(settings: Settings) -> bool:
    """Whether requests have to show a token: off loopback always, on it once there is one."""
    return bool(settings.token) or not is_loopback(settings.host) or bool(TokenFile(settings.paths).all())


def ensure_first(settings: Settings) -> str | None:
    """A new operator's token if the server is reachable from elsewhere and has none yet, else None."""
    tokens = TokenFile(settings.paths)
    if is_loopback(settings.host) or settings.token or tokens.all():
        return None
    return tokens.create(FIRST_NAME, Role.OPERATOR)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
