"""What a backup holds of a file of lines that is written meanwhile: the whole lines there were, wherever it was cut."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isengard.diagnostics import backup_contents
from isengard.diagnostics.backup_contents import pieces

lines = st.lists(st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"") + b"\n"), max_size=12).map(b"".join)
torn = st.binary(max_size=60).map(lambda data: data.replace(b"\n", b""))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=lines, half=torn, growth=st.lists(lines, max_size=8), piece=st.integers(1, 50))
def test_a_growing_journal_is_copied_up_to_a_whole_line_that_was_there_at_the_beginning(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    before: bytes,
    half: bytes,
    growth: list[bytes],
    piece: int,
) -> None:
    monkeypatch.setattr(backup_contents, "_PIECE", piece)
    path: Path = tmp_path_factory.mktemp("growing") / "events.jsonl"
    path.write_bytes(before + half)
    more = iter(growth)
    copied = b""
    with path.open("rb") as file, path.open("ab", buffering=0) as writer:
        for part in pieces(file, path.name):
            copied += part
            writer.write(next(more, b""))
    assert copied == before
