"""Open files: takes as many as the system allows, and says how many streams these are enough for.

A process may usually open 1,024 files and raise that by itself. A server that does not is full at a thousand viewers in
the worst of ways: it can accept nobody any more, not even to refuse, and cannot open a journal either.
"""

from __future__ import annotations

import contextlib
import resource

RESERVE = 256
"""For the database, journals of running jobs, uploads, and connections that are no streams."""
A_STREAM = 2
"""Its connection, and the journal if it is the only viewer of its job."""


def streams_that_fit(streams: int) -> int:
    """Raise this process's limit as far as `streams` need it and it may be; returns how many of them there is room for.

    At least one, so that a tiny limit is told by what goes wrong and not by a server that serves nobody.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = RESERVE + A_STREAM * streams
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):  # some systems allow less than they say
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    if soft == resource.RLIM_INFINITY:
        return streams
    return max(1, min(streams, (soft - RESERVE) // A_STREAM))
