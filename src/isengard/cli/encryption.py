"""TLS from two files: proves at the start that they serve, and says what of them does not. Serves nothing itself."""

from __future__ import annotations

import ssl

from isengard.core.errors import StartupError
from isengard.core.settings import Settings


def check(settings: Settings) -> None:
    """Raise `StartupError` unless the settings name no certificate, or one that fits its key."""
    if settings.tls_cert is None or settings.tls_key is None:
        return
    for name, path in (("tls_cert", settings.tls_cert), ("tls_key", settings.tls_key)):
        try:
            path.open("rb").close()
        except OSError as error:
            raise StartupError(
                f"ISENGARD_{name.upper()}: {path} cannot be read: {error.strerror}", field=name
            ) from None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.tls_cert, settings.tls_key, _no_password)
    except (ssl.SSLError, ValueError, _Locked) as error:
        raise StartupError(f"{settings.tls_cert} and {settings.tls_key} {_why(error)}", field="tls_key") from None


def of_this_server() -> ssl.SSLContext:
    """For asking the server that this process has just started: it is known by its address, not by its certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class _Locked(Exception):
    """The key asks for a password, which nobody is there to type."""


def _no_password() -> str:
    raise _Locked


def _why(error: Exception) -> str:
    if isinstance(error, _Locked):
        return "cannot be used: the key has a password; take it off with 'openssl pkey'"
    if "MISMATCH" in str(getattr(error, "reason", "")):
        return "do not belong together: the key is another certificate's"
    return "are no certificate chain and private key in PEM"
