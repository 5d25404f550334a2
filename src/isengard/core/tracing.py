"""Which spans the trace of a job consists of, and their ids, which everybody who takes part can work out alone.

    whoever asked (its own traceparent)
    └─ the job                       id: that of the request that made it
       └─ attempt n                  the runner's parent
          ├─ a stage, several
          └─ the trainer's process   the TRACEPARENT that a trainer is given

A span is told by the journal and exported long after it happened, perhaps twice; because its id follows from what it
is, twice is the same span.
"""

from __future__ import annotations

import hashlib


def attempt_span(job_id: str, attempt: int) -> str:
    """The span id of an attempt."""
    return _span_id(job_id, "attempt", attempt)


def trainer_span(job_id: str, attempt: int) -> str:
    """The span id of an attempt's trainer process."""
    return _span_id(job_id, "trainer", attempt)


def stage_span(job_id: str, seq: int) -> str:
    """The span id of the stage that the journal's line `seq` began."""
    return _span_id(job_id, "stage", seq)


def trace_of(job_id: str) -> str:
    """The trace id of a job whose journal names none."""
    return hashlib.blake2b(job_id.encode(), digest_size=16).hexdigest()


def _span_id(*parts: object) -> str:
    return hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=8).hexdigest()
