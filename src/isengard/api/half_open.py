"""Half-open connections: has the kernel give up a client that fell silent without a word (power cut, cable, sleep).

Such a client sends no FIN and no RST, and a slow training shows it so little that nothing ever fills up: without this
the connection, its descriptor and its stream live on for the quarter of an hour that the kernel goes on trying, or for
ever where nothing is sent. Options of the listening socket are inherited by every connection it accepts.
"""

from __future__ import annotations

import contextlib
import socket

_PROBES = 4


def give_up_silent_clients(listener: socket.socket, after_s: float) -> None:
    """Have connections of `listener` break when sent bytes, or probes of an idle one, go unanswered for `after_s`.

    That goes for a client, too, that answers but takes nothing for so long. What a system does not know is left out.
    """
    between = max(1, round(after_s / (2 * _PROBES)))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_USER_TIMEOUT", max(1, round(after_s * 1000))),  # Linux
        ("TCP_KEEPIDLE", max(1, round(after_s / 2))),
        ("TCP_KEEPALIVE", max(1, round(after_s / 2))),  # what macOS calls the one above
        ("TCP_KEEPINTVL", between),
        ("TCP_KEEPCNT", _PROBES),
    ):
        option = getattr(socket, name, None)
        if option is not None:
            with contextlib.suppress(OSError):  # a socket that is no TCP socket knows none of them
                listener.setsockopt(socket.IPPROTO_TCP, option, value)
