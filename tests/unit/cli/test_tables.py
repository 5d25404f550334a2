"""Tables on terminals of any width."""

from __future__ import annotations

import pytest

from isengard.cli.tables import laid_out

HEADINGS = ("JOB", "STATUS", "STEP", "ETA", "NOTE")
ROWS = [
    (
        "train-fm49xq6bq742",
        "failed",
        "3/200",
        "–",
        "CUDA out of memory. Tried to allocate 2.00 GiB, GPU 0 has 8",
    ),
    ("train-sjf7nzp2mp85", "running", "10/200", "5 s", ""),
]


def table(columns: int | None) -> list[str]:
    return list(laid_out(HEADINGS, ROWS, columns))


def test_in_a_pipe_each_row_is_one_line_of_aligned_columns() -> None:
    heading, first, second = table(None)
    assert first.endswith(ROWS[0][-1])
    assert (heading.index("STATUS"), first.index("failed"), second.index("running")) == (20, 20, 20)


@pytest.mark.parametrize("columns", [200, 80, 72, 60, 46, 40, 24])
def test_no_line_is_too_long_and_no_id_is_broken(columns: int) -> None:
    lines = table(columns)
    assert max(map(len, lines)) <= columns
    for row in ROWS:
        assert any(line.startswith(row[0]) for line in lines)
    assert " ".join(" ".join(lines).split()).count("Tried to allocate 2.00 GiB") == 1, "what matters most is cut off"


def test_a_note_goes_on_in_its_column_then_below_then_among_the_facts() -> None:
    assert table(72)[2].startswith(" " * 40)
    assert table(46)[:3] == [
        "JOB                 STATUS   STEP    ETA",
        "train-fm49xq6bq742  failed   3/200   –",
        "  CUDA out of memory. Tried to allocate 2.00",
    ]
    assert table(30)[:3] == ["JOB", "train-fm49xq6bq742", "  status failed, step 3/200,"]
    assert table(30)[-1] == "  eta 5 s"


def test_wide_characters_take_two_columns() -> None:
    _, wide, narrow = laid_out(("NAME", "MADE"), [("日本", "now"), ("abcd", "now")], None)
    assert wide == "日本  now"
    assert narrow == "abcd  now"
