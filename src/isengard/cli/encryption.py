"""TLS from two files: proves at the start that they serve, and says what of them does not. Serves nothing itself."""

from __future__ import annotations

import ssl

from isengard.core.errors import StartupError
from isengard.core.settings import Settings

_FAULTS = {9: "is not valid yet (or this machine's clock is wrong)", 10: "has expired"}
"""By OpenSSL's codes of verification."""


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


def complaint_of_clients(settings: Settings) -> str:
    """What every client will hold against the certificate, though it can be served; empty for nothing.

    Found by a handshake with ourselves: Python's TLS has no other way to look at a certificate's dates.
    """
    if settings.tls_cert is None or settings.tls_key is None:
        return ""
    served, asking = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    served.load_cert_chain(settings.tls_cert, settings.tls_key, _no_password)
    asking.check_hostname = False
    asking.load_verify_locations(settings.tls_cert)
    asking.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # whoever signed it is the client's business
    try:
        _shake_hands(served, asking)
    except ssl.SSLError as error:  # anything else is for those who check more than the dates
        fault = _FAULTS.get(getattr(error, "verify_code", 0))
        return f"{settings.tls_cert}: the certificate {fault}; browsers will refuse this server" if fault else ""
    return ""


def _shake_hands(served: ssl.SSLContext, asking: ssl.SSLContext) -> None:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = asking.wrap_bio(to_client, to_server)
    server = served.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue


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
