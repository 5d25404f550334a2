"""The ring of frames: whatever comes in whichever pieces, a client that keeps up misses nothing."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from isengard.api.frames import frame, frame_of
from isengard.api.ring import CHUNK_BYTES, Ring, chunk_of
from isengard.journal import Entry


@given(
    batches=st.lists(st.integers(1, 40), max_size=30),
    start=st.integers(0, 1000),
    max_frames=st.integers(2, 60),
    lag=st.integers(0, 5),
)
def test_a_client_gets_every_frame_once_or_is_told_that_it_fell_out(
    batches: list[int], start: int, max_frames: int, lag: int
) -> None:
    ring = Ring(start, max_frames=max_frames)
    position, last, behind = start, start, 0
    for size in batches:
        ring.append([frame(last + number, "log", b"{}") for number in range(1, size + 1)])
        last += size
        assert ring.head == last
        behind += 1
        if behind <= lag:
            continue
        behind = 0
        while position < last:
            if not ring.holds(position):
                position = last - 1 if ring.holds(last - 1) else last  # as read from the file
                continue
            chunk = ring.after(position)
            assert chunk is not None
            assert [each.seq for each in chunk.frames] == list(range(position + 1, chunk.position + 1))
            assert chunk.sse == b"".join(each.sse for each in chunk.frames)
            position = chunk.position
    assert ring.after(last) is None


def test_it_is_bounded_in_bytes() -> None:
    ring = Ring(0, max_bytes=10_000)
    for number in range(1, 1001):
        ring.append([frame(number, "log", b"x" * 1000)])
    held = [position for position in range(1000) if ring.holds(position)]
    assert 1 <= 1000 - held[0] <= 10


def test_chunks_stop_at_the_end_of_the_stream_and_at_their_size() -> None:
    end = frame(2, "complete", b"{}", is_last=True)
    chunk = chunk_of([frame(1, "log", b"{}"), end, frame(3, "log", b"{}")])
    assert (chunk.position, chunk.is_last) == (2, True)
    big = [frame(number, "log", b"x" * (CHUNK_BYTES // 2)) for number in range(1, 6)]
    assert chunk_of(big).position == 2


def test_a_cleared_ring_keeps_its_place() -> None:
    ring = Ring(5)
    ring.append([frame(6, "log", b"{}")])
    ring.clear()
    assert (ring.head, ring.holds(5), ring.holds(6)) == (6, False, True)


@given(st.text(), st.dictionaries(st.text(), st.text(), max_size=3))
def test_no_text_breaks_out_of_its_frame(text: str, fields: dict[str, str]) -> None:
    line = orjson.loads(orjson.dumps({"m": text.encode("utf-8", "replace").decode(), "f": {}}))
    clean = {
        key.encode("utf-8", "replace").decode(): value.encode("utf-8", "replace").decode()
        for key, value in fields.items()
    }
    made = frame_of(Entry(7, ts="t", level="INFO", event="log", msg=line["m"], fields=clean), None)
    head, _, data = made.sse.partition(b"data: ")
    assert head == b"id: 7\nevent: log\n"
    assert data.endswith(b"\n\n")
    assert b"\n" not in data[:-2]
    assert b"\r" not in data
    parsed = orjson.loads(made.text())
    assert (parsed["id"], parsed["event"], parsed["data"]["message"]) == ("7", "log", line["m"])
