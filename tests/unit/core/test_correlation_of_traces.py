"""What of a caller's trace context is taken over, and what is handed down."""

from __future__ import annotations

import pytest

from isengard.core.correlation import Correlation, accept

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = f"00-{TRACE}-{CALLER}-01"


def test_a_caller_with_a_trace_of_its_own_is_the_parent() -> None:
    bound = accept(None, GIVEN, "vendor=x")
    assert bound.traceparent.split("-")[1] == TRACE
    assert bound.traceparent.split("-")[2] != CALLER
    assert bound.parent == CALLER


@pytest.mark.parametrize("state", ["isengard=page", "vendor=x, isengard=page"])
def test_our_page_gives_the_trace_but_no_span_to_wait_for(state: str) -> None:
    bound = accept(None, GIVEN, state)
    assert (bound.traceparent.split("-")[1], bound.parent) == (TRACE, "")


@pytest.mark.parametrize("given", [None, "", "00-xyz", f"ff-{TRACE}-{CALLER}-01", f"00-{'0' * 32}-{CALLER}-01"])
def test_a_context_that_is_none_begins_a_new_trace(given: str | None) -> None:
    bound = accept(None, given)
    assert bound.parent == ""
    assert TRACE not in bound.traceparent


def test_what_is_handed_down_is_below_the_span_that_is_named() -> None:
    below = Correlation("corr-1", f"00-{TRACE}-{CALLER}-00").below("b7ad6b7169203331")
    assert below.environment()["TRACEPARENT"] == f"00-{TRACE}-b7ad6b7169203331-00"
