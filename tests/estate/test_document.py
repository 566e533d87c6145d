"""Reading YAML: what it means, and one clear error for everything else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domicile.errors import DeclarationError
from domicile.estate.document import digest, parse_document, read_document, shown_key, suggestion


def test_scalars_are_those_of_yaml_1_2() -> None:
    text = b"""
norway: NO
on: on
yes: yes
date: 2025-09-25
time: 12:30
number: 20
old: 010
share: 19.9
truth: true
none: ~
empty:
quoted: "20"
long: 12345678901234567890
big: 1e999
"""
    assert parse_document(text, "x.yaml").data == {
        "norway": "NO",
        "on": "on",
        "yes": "yes",
        "date": "2025-09-25",
        "time": "12:30",
        "number": 20,
        "old": 10,
        "share": 19.9,
        "truth": True,
        "none": None,
        "empty": None,
        "quoted": "20",
        "long": "12345678901234567890",
        "big": "1e999",
    }


def test_lines() -> None:
    document = parse_document(b"# c\na: 1\nb:\n  - x\n  - {c: 2,\n     d: 3}\n", "x.yaml")
    assert document.data == {"a": 1, "b": ["x", {"c": 2, "d": 3}]}
    assert document.line(("a",)) == 2
    assert document.line(("b", 0)) == 4
    assert document.line(("b", 1, "d")) == 6
    assert document.line(("b", 1, "nothing")) == 5
    assert str(document.error(("b", 1, "d"), "odd")) == "x.yaml:6: b[1].d: odd"


def test_the_digest_is_of_the_content_alone() -> None:
    one = parse_document(b"a: 1\nb: [x, y]\n", "one.yaml")
    two = parse_document(b"# said\nb:\n- x\n- 'y'\na:   1\n", "two.yaml")
    assert digest(one.data) == digest(two.data)
    assert digest(one.data) != digest({"a": 1, "b": ["y", "x"]})


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        (b"", 1, "empty"),
        (b"# only a comment\n", 1, "empty"),
        (b"- a\n- b\n", 1, "a list"),
        (b"just words\n", 1, "a text"),
        (b"a: 1\nb: 2\na: 3\n", 3, "twice"),
        (b"a: {x: 1, x: 2}\n", 1, "twice"),
        (b"a:\n\tb: 1\n", 2, "tab"),
        (b"a: [1, 2\nb: 3\n", 2, "not YAML"),
        (b"a: 'open\n", 2, "not YAML"),
        (b"a: 1\n b: 2\n", 2, "not YAML"),
        (b"a: 1\n---\nb: 2\n", 2, "second document"),
        (b"a: &x 1\nb: *x\n", 2, "alias"),
        (b"a: &a [*a]\n", 1, "alias"),
        (b"a: {b: 1}\nc:\n  <<: {d: 2}\n", 3, "merge"),
        (b"a: !!python/object/apply:os.system [ls]\n", 1, "tag"),
        (b"a: !custom x\n", 1, "tag"),
        (b"? [a, b]\n: 1\n", 1, "key"),
        (b"a: 1\nb: caf\xe9\n", 2, "UTF-8"),
        ("a: 1\n".encode("utf-16"), 1, "UTF-8"),
        (b"a: 1\nb: x\x00y\n", 2, ""),
        (b"a: " + b"[" * 5000 + b"]" * 5000, 1, ""),
        (b"a: " + b"{a: " * 100 + b"1" + b"}" * 100, 1, "levels"),
    ],
)
def test_one_clear_error(content: bytes, line: int, said: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        parse_document(content, "estate.yaml")
    assert said in str(caught.value)
    assert caught.value.line == line
    assert str(caught.value).startswith(f"estate.yaml:{line}: ")


def test_a_bomb_of_aliases_is_refused_at_once() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(
        f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60)
    )
    with pytest.raises(DeclarationError, match="alias"):
        parse_document(bomb.encode(), "estate.yaml")


def outcome(content: bytes) -> str:
    """The digest, or the error's message; any other exception fails the test."""
    try:
        return digest(parse_document(content, "x.yaml").data)
    except DeclarationError as error:
        return str(error)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_data_or_one_error(content: bytes) -> None:
    assert outcome(content).startswith(("sha256:", "x.yaml:"))


@settings(deadline=None)
@given(st.text(alphabet="ab:-[]{},&*!|>'\"%@`#?\n\t ~<0", max_size=60))
def test_any_text_is_data_or_one_error(text: str) -> None:
    assert outcome(text.encode()).startswith(("sha256:", "x.yaml:"))


def test_files(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="no such file"):
        read_document(tmp_path / "nothing.yaml")
    with pytest.raises(DeclarationError, match="directory"):
        read_document(tmp_path)
    (tmp_path / "big.yaml").write_bytes(b"# " + b"x" * 9_000_000)
    with pytest.raises(DeclarationError, match="at most"):
        read_document(tmp_path / "big.yaml")
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_document(tmp_path / "bom.yaml").data == {"a": 1}


def test_words_for_messages() -> None:
    assert shown_key(("links", 0, "from")) == "links[0].from"
    assert suggestion("Contry", ["country", "holds"]) == (
        "Did you mean country? Known: country, holds."
    )
    assert suggestion("zzz", ["country"], names="") == ""
