"""Which names from outside are taken, and as what."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath, PureWindowsPath
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from isengard.datasets.limits import Refused
from isengard.datasets.names import MAX_STEM_BYTES, clean_name, shown, stem_key


@pytest.mark.parametrize(
    ("raw", "stored"),
    [
        ("pip_01.png", "pip_01.png"),
        ("Pip 01 (final).JPG", "Pip 01 (final).jpg"),
        ("set/a/pip.png", "pip.png"),
        ("./pip.png", "pip.png"),
        ("ピカチュウ.png", "ピカチュウ.png"),
        ("हिन्दी.png", "हिन्दी.png"),
        ("cafe\u0301.png", "café.png"),
        ("50%.png", "50_.png"),
        ("a#b?c*d|e<f>.png", "a_b_c_d_e_f_.png"),
        ("robot \U0001f916.png", "robot _.png"),
        ("v1.2.final.png", "v1.2.final.png"),
        ("shell.php.png", "shell.php.png"),
        ("no ending", "no ending"),
        ("-rf.png", "_rf.png"),
        ("a..b.png", "a..b.png"),
        ("console.png", "console.png"),
        ("x" * 300 + ".png", "x" * MAX_STEM_BYTES + ".png"),
        ("é" * 100 + ".png", "é" * (MAX_STEM_BYTES // 2) + ".png"),
    ],
)
def test_an_ordinary_name_is_kept_as_far_as_it_is_portable(raw: str, stored: str) -> None:
    assert clean_name(raw) == stored


@pytest.mark.parametrize(
    "raw",
    [
        "../x.png",
        "a/../../x.png",
        "..\\x.png",
        "a\\..\\..\\x.png",
        "/etc/passwd.png",
        "\\\\server\\share\\x.png",
        "C:\\x.png",
        "c:x.png",
        "%2e%2e%2fx.png",
        "%2e%2e/x.png",
        "..%2fx.png",
        "..%5cx.png",
        "%252e%252e%252fx.png",
        "%25252e%25252e%25252fx.png",
        "a%2fb.png",
        "a%00.png",
        "a%2500.png",
        "..\uff0fx.png",
        "\uff0e\uff0e/x.png",
        "\u2025/x.png",
        "a\x00.png",
        "a.png\x00.txt",
        "a\n.png",
        "a\r.png",
        "a\x1b[31m.png",
        "a\x7f.png",
        "a\x85.png",
        "gpj.\u202egnp.png",
        "a\u2066b.png",
        "a\u200bb.png",
        "\ufeffa.png",
        "a\u2028b.png",
        "a\udc80.png",
        "CON.png",
        "con",
        "nul.tar.png",
        "Lpt1.png",
        "COM¹.png",
        "aux .png",
        "CONIN$.png",
        ".htaccess",
        ".png",
        "",
        "   ",
        "...",
        "a/..",
        "dir/",
        "y" * 5000 + ".png",
    ],
)
def test_a_name_that_could_reach_or_fake_something_is_refused(raw: str) -> None:
    with pytest.raises(Refused):
        clean_name(raw)


PIECES = st.one_of(
    st.sampled_from(
        ["..", ".", "/", "\\", ":", "C", "con", "a", "é", " ", "~", "-", ".png", ".txt", "$", "'", ";", "\n"]
    ),
    st.sampled_from(["%2e", "%2f", "%5c", "%00", "%25", "\x00", "\u202e", "\uff0e", "\uff0f", "\u200d", "`", "&"]),
)


@given(raw=st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=8).map("".join)))
@example(raw="%" + "25" * 40 + "2e%2e/")
def test_a_stored_name_is_a_plain_file_name_everywhere(raw: str) -> None:
    try:
        name = clean_name(raw)
    except Refused:
        return
    assert PurePosixPath(name).name == name == PureWindowsPath(name).name
    assert not PureWindowsPath(name).is_reserved()
    assert not set(name) & set('/\\:*?"<>|%#\x00')
    assert not name.startswith((".", "-", " "))
    assert not name.endswith((".", " "))
    assert all(unicodedata.category(char) not in ("Cc", "Cs") for char in name)
    assert unquote(name) == name
    assert unicodedata.normalize("NFC", name) == name
    assert len(name.encode()) <= 255 - len(".incoming-")
    assert clean_name(name) == name


@given(raw=st.text(max_size=300))
def test_what_is_shown_of_a_name_is_short_and_inert(raw: str) -> None:
    text = shown(raw)
    assert len(text) <= 201
    assert all(unicodedata.category(char) not in ("Cc", "Cs", "Zl") for char in text)
    assert "\u202e" not in text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a.png", "a.jpg"),
        ("A.png", "a.png"),
        ("café.png", "cafe\u0301.png"),
        ("ﬁn.png", "fin.png"),
        ("Straße.png", "STRASSE.jpg"),
    ],
)
def test_names_that_would_share_a_caption_somewhere_have_one_key(one: str, other: str) -> None:
    assert stem_key(one) == stem_key(other)


def test_different_names_have_different_keys() -> None:
    assert len({stem_key(name) for name in ("a.png", "b.png", "a-2.png", "a.b.png", "a b.png")}) == 5


@pytest.mark.parametrize("end", ["-rf.jzpx", "-rf.JZpx", " .jzpx", ". . ."])
def test_a_name_that_was_shortened_stays_as_it_is(end: str) -> None:
    for length in range(110, 121):
        name = clean_name("x" * length + end + "x" * 100)
        assert clean_name(name) == name
        assert not name.endswith((".", " "))
