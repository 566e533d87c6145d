"""Addresses in the bytes of files: none missed, none invented."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domicile.survey import residue_files
from domicile.survey.residue_files import EmailSet, FileResidue, scan_files


def scan(folder: Path, data: bytes, *emails: str, kept: tuple[str, ...] = (), piece: int = 64) -> (
    FileResidue
):  # fmt: skip
    path = folder / "file"
    path.write_bytes(data)
    return scan_files([path], emails, kept=kept, piece=piece)[0]


@pytest.mark.parametrize("before", [b"", b" ", b"\x15", b"A", b"9", b".", b"\xff", b"joh"])
@pytest.mark.parametrize("after", [b"", b" ", b"\x00", b"Z", b"7", b".", b".nl", b"\xc3"])
def test_an_address_is_found_whatever_stands_beside_it(
    tmp_path: Path, before: bytes, after: bytes
) -> None:
    found = scan(tmp_path, before + b"Ann@Example.ORG" + after, "ann@example.org")
    assert found.exact + found.adjoining == 1
    assert found.people == 1
    assert not found.clean


def test_exact_and_adjoining_are_told_apart(tmp_path: Path) -> None:
    data = b"<ann@example.org> joann@example.org ann@example.org.uk ann@example.org. end"
    found = scan(tmp_path, data, "ann@example.org")
    assert (found.exact, found.adjoining, found.explained, found.people) == (2, 2, 0, 1)


def test_a_longer_address_that_stays_explains_a_shorter_one(tmp_path: Path) -> None:
    data = b"joann@example.org ann@example.org.uk"
    kept = ("joann@example.org", "ann@example.org.uk")
    found = scan(tmp_path, data, "ann@example.org", kept=kept)
    assert (found.exact, found.adjoining, found.explained) == (0, 0, 2)
    assert found.clean
    found = scan(tmp_path, data + b" ann@example.org", "ann@example.org", kept=kept)
    assert (found.exact, found.explained) == (1, 2)


def test_an_address_that_both_stays_and_left_is_found(tmp_path: Path) -> None:
    found = scan(tmp_path, b"xann@example.org", "ann@example.org", kept=("ann@example.org",))
    assert found.adjoining == 1


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("piece", [1, 2, 7, 16, 64])
def test_every_cut_between_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: bool, piece: int
) -> None:
    monkeypatch.setattr(residue_files, "LITERALS", 0 if many else 50_000)
    for shift in range(20):
        data = b"\x00" * shift + b"x@ai ann@example.org b@c" + b"\x01" * 5
        found = scan(tmp_path, data, "ann@example.org", "b@c", "x@ai", piece=piece)
        assert (found.size, found.exact, found.people) == (len(data), 3, 3), shift


LOCALS = st.text("ab.+-", min_size=1, max_size=6)
HOSTS = st.text("ab.-", min_size=1, max_size=5)
ADDRESSES = st.builds("{}@{}".format, LOCALS, HOSTS)


@given(
    emails=st.lists(ADDRESSES, min_size=1, max_size=8),
    noise=st.lists(st.sampled_from([b"a", b"b", b"@", b".", b"\x00", b"A", b"\xff"]) | st.binary()),
    at=st.integers(0, 50),
    piece=st.integers(1, 20),
)
@settings(max_examples=200, deadline=None)
def test_the_same_as_looking_for_each_address_alone(
    tmp_path_factory: pytest.TempPathFactory,
    emails: list[str],
    noise: list[bytes],
    at: int,
    piece: int,
) -> None:
    data = b"".join([*noise[:at], *(e.upper().encode() for e in emails[:3]), *noise[at:]])
    wanted = {e.encode() for e in emails}
    low = data.lower()
    expected = sum(
        low.startswith(address, start) for address in wanted for start in range(len(low))
    )
    addresses = EmailSet(emails)
    both = [sorted(addresses.find(low, 0, len(low))), sorted(addresses.search(low, 0, len(low)))]
    assert both[0] == both[1]
    found = scan(tmp_path_factory.mktemp("f"), data, *emails, piece=piece)
    assert found.exact + found.adjoining == expected
    assert found.people == sum(address in low for address in wanted)


def test_non_ascii_addresses_in_both_cases(tmp_path: Path) -> None:
    data = "JÖRG@example.org jörg@example.org".encode()
    assert scan(tmp_path, data, "JÖRG@example.org").exact == 2


def test_what_is_no_address_is_ignored() -> None:
    assert len(EmailSet(["", "ann", "@", "@x", "ann@", " ann@example.org "])) == 1


def test_a_file_that_cannot_be_read_is_not_clean(tmp_path: Path) -> None:
    found = scan_files([tmp_path / "gone", tmp_path], ["ann@example.org"])
    assert [f.problem for f in found] == [
        "not read: FileNotFoundError", "not read: IsADirectoryError",
    ]  # fmt: skip
    assert not any(f.clean for f in found)


def test_a_real_database_that_deleted_without_erasing(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite"
    with sqlite3.connect(path) as con:
        con.execute("PRAGMA secure_delete = OFF")
        con.execute("CREATE TABLE p (a TEXT, b TEXT, c TEXT)")
        rows = [(f"x{i}", f"person{i}@example.org", f"y{i}") for i in range(200)]
        con.executemany("INSERT INTO p VALUES (?, ?, ?)", rows)
    emails = [email for _, email, _ in rows]
    assert scan_files([path], emails)[0].people == 200
    with sqlite3.connect(path) as con:
        con.execute("PRAGMA secure_delete = OFF")
        con.execute("DELETE FROM p WHERE a <> 'x0'")
    con.close()
    assert scan_files([path], emails[1:])[0].people > 0
    con = sqlite3.connect(path)
    con.execute("VACUUM")
    con.close()
    assert scan_files([path], emails[1:])[0].clean
    assert scan_files([path], emails)[0].people == 1


def test_counts_never_values(tmp_path: Path) -> None:
    found = scan(tmp_path, b"zanzibar@example.org", "zanzibar@example.org")
    assert "zanzibar" not in repr(found)
    assert os.fspath(tmp_path) in found.path
