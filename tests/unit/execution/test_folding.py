"""Lines out of bytes: whole, bounded, inert, whatever pieces they come in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from isengard.execution.folding import MAX_CHARACTERS, MAX_PENDING, LineFolder, Piece, clean


def lines_of(*chunks: bytes) -> list[Piece]:
    folder = LineFolder()
    pieces = [piece for chunk in chunks for piece in folder.feed(chunk)]
    return [piece for piece in [*pieces, *folder.end()] if not piece.redraw]


def test_a_progress_bar_is_one_line_with_its_frames_as_redraws() -> None:
    folder = LineFolder()

    pieces = folder.feed(b"\r10%\r20%\r30%\ndone\n")

    assert [piece.text for piece in pieces if not piece.redraw] == ["30%", "done"]
    assert pieces[-2].redraws == 3


def test_frames_without_a_line_feed_are_seen_as_they_come() -> None:
    folder = LineFolder()

    assert folder.feed(b"\r10%") == []
    assert [piece.text for piece in folder.feed(b"\r20%")] == ["10%"]
    assert [piece.text for piece in folder.idle()] == ["20%"]
    assert folder.idle() == [], "the same frame was shown twice"


def test_carriage_return_line_feed_ends_a_line_even_when_split_between_reads() -> None:
    assert [piece.text for piece in lines_of(b"one\r", b"\ntwo\r\n")] == ["one", "two"]


def test_a_line_without_end_is_cut_and_counted() -> None:
    endless = lines_of(*[b"x" * 65_536] * 100)

    assert len(endless) == 1
    assert endless[0].text == "x" * MAX_CHARACTERS + f" … ({100 * 65_536 - MAX_CHARACTERS} more)"


def test_a_folder_keeps_no_more_than_its_limit() -> None:
    folder = LineFolder()
    for _ in range(50):
        folder.feed(b"y" * 100_000)

    assert len(folder._pending) <= MAX_PENDING


def test_text_is_inert() -> None:
    assert clean(b"\x1b[1;31mred\x1b[0m \x1b]0;title\x07\x1b]8;;http://x\x1b\\link\x00\x08\t.") == "red link\t."
    assert clean(b"caf\xc3\xa9 \xff") == "café \ufffd"
    assert clean(b"\xc2\x9b31mhidden \xc2\x85") == "hidden"


@given(st.lists(st.binary(max_size=60), max_size=12))
def test_how_the_bytes_are_split_does_not_matter(chunks: list[bytes]) -> None:
    whole = [piece.text for piece in lines_of(b"".join(chunks))]

    assert [piece.text for piece in lines_of(*chunks)] == whole


@given(st.binary(max_size=400))
def test_no_line_holds_a_control_character(data: bytes) -> None:
    for piece in lines_of(data):
        assert not any(ord(char) < 32 and char != "\t" for char in piece.text)
        assert "\x1b" not in piece.text
        piece.text.encode("utf-8")
