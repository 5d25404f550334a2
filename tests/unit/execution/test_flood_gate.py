"""Floods of output: the beginning, the end and a count of what is missing; never half a line."""

from hypothesis import given
from hypothesis import strategies as st

from isengard.execution.flood_gate import FloodGate
from isengard.execution.token_bucket import TokenBucket


def gate(burst: int) -> FloodGate:
    return FloodGate(TokenBucket(0, burst, clock=lambda: 0.0))


def test_what_is_no_flood_goes_through_as_it_came() -> None:
    through = gate(10_000)
    assert through.admit(b"half a ") + through.admit(b"line\n\xff") + through.rest() == b"half a line\n\xff"
    assert through.missed() == (0, 0)


def test_of_a_flood_the_beginning_and_the_end_are_kept_and_the_middle_is_counted() -> None:
    block = b"".join(b"%07d a line of a flood\n" % number for number in range(10_000))
    through = gate(3_000_000)

    kept = b"".join(through.admit(block) for _ in range(40)) + through.rest()

    lines, size = through.missed()
    assert kept.startswith(block)
    assert kept.endswith(b"0009999 a line of a flood\n")
    assert b"\n[isengard: %d bytes of a flood are left out here]\n" % size in kept
    assert kept.count(b"a line of a flood") + lines == 400_000


def test_after_a_gap_output_goes_on_at_the_beginning_of_a_line() -> None:
    clock = [0.0]
    through = FloodGate(TokenBucket(1_000_000, 10_000, clock=lambda: clock[0]))
    for _ in range(10):
        assert through.admit(b"x" * 100_000) == b""
    clock[0] = 1.0
    assert through.admit(b"end of a secret") == b""
    assert through.admit(b" and more\nnext line\n").endswith(b"left out here]\nnext line\n")


@given(st.lists(st.binary(max_size=80_000), max_size=12), st.integers(0, 200_000))
def test_nothing_is_lost_without_being_counted(chunks: list[bytes], burst: int) -> None:
    through = gate(burst)
    kept = b"".join(map(through.admit, chunks)) + through.rest()
    _, missing = through.missed()
    whole = b"".join(chunks)
    if missing:
        before, notice, after = kept.partition(b"\n[isengard: %d bytes of a flood are left out here]\n" % missing)
        assert notice
        assert whole.startswith(before)
        assert whole.endswith(after)
        assert len(before) + missing + len(after) == len(whole)
    else:
        assert kept == whole
