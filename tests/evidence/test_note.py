"""Keys and signed notes against the published vectors of golang.org/x/mod/sumdb/note."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile.errors import EvidenceError
from domicile.evidence.keys import SigningKey, VerifierKey, key_id
from domicile.evidence.merkle import EMPTY_ROOT
from domicile.evidence.note import Checkpoint, open_note, parse_note, sign_note
from tests.evidence.making import KEY, ORIGIN

# The example of the Go package's documentation.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
SIGNED = (
    f"{TEXT}\n— PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_the_published_note_verifies() -> None:
    key = VerifierKey.parse(PETER)
    assert str(key) == PETER
    text, signers = open_note(SIGNED.encode(), [key])
    assert text == TEXT
    assert signers == (key,)


def test_the_published_key_signs_the_published_note(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(PETER_PRIVATE + "\n")
    path.chmod(0o600)
    key = SigningKey.load(path)
    assert str(key.verifier) == PETER
    assert sign_note(TEXT, key) == SIGNED


def test_the_key_id_is_the_specification_s() -> None:
    public = base64.b64decode(PETER.rsplit("+", 1)[1])[1:]
    assert key_id("PeterNeumann", public).hex() == "c74f20a3"


def test_unknown_signatures_are_ignored_and_a_known_wrong_one_refuses() -> None:
    other = SigningKey("witness.example", b"\x07" * 32)
    note = sign_note(TEXT, KEY)
    by_other = sign_note(TEXT, other).splitlines(keepends=True)[-1]
    text, signers = open_note((note + by_other).encode(), [KEY.verifier])
    assert (text, signers) == (TEXT, (KEY.verifier,))
    both = open_note((note + by_other).encode(), [KEY.verifier, other.verifier])
    assert both[1] == (KEY.verifier, other.verifier)
    wrong = by_other.replace(by_other.split()[2], base64.b64encode(
        other.verifier.id + KEY.sign(b"else")).decode())  # fmt: skip
    with pytest.raises(EvidenceError, match=r"witness\.example does not verify"):
        open_note((note + wrong).encode(), [KEY.verifier, other.verifier])
    with pytest.raises(EvidenceError, match="expected witness"):
        open_note(note.encode(), [other.verifier])


@given(st.data())
def test_a_changed_byte_never_verifies_as_another_text(data: st.DataObject) -> None:
    content = bytearray(SIGNED.encode())
    at = data.draw(st.integers(0, len(TEXT.encode()) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(EvidenceError):
        open_note(bytes(content), [VerifierKey.parse(PETER)])


@pytest.mark.parametrize(
    "content",
    [b"", b"text\n", b"text\n\n", b"text\n\nno dash\n", "t\n\n— a b\n".encode(), b"\xff\n\n",
     "t\n\n— a+b AAAAAAAA\n".encode(), "t\n\n— a AAAAAAAA".encode(), b"a\x01\n\nb\n"],
)  # fmt: skip
def test_misshapen_notes(content: bytes) -> None:
    with pytest.raises(EvidenceError, match="note:"):
        parse_note(content)


@pytest.mark.parametrize(
    "text",
    ["", "o\n1\n", "o\n01\nAAAA\n", "o\n-1\nAAAA\n", "o\n1\nAAAA\n", "o\n1\n!\n", "\n1\nx\n",
     "o\n" + "9" * 5000 + "\nx\n", "o\n٣\nx\n",
     "o\n1\n" + base64.b64encode(EMPTY_ROOT).decode() + "\n\n"],
)  # fmt: skip
def test_misshapen_checkpoints(text: str) -> None:
    with pytest.raises(EvidenceError, match="checkpoint"):
        Checkpoint.parse(text)


def test_checkpoints_are_read_back_with_extensions() -> None:
    head = Checkpoint(ORIGIN, 20852163, EMPTY_ROOT, ("one", "two"))
    assert Checkpoint.parse(head.text) == head
    signed = sign_note(head.text, KEY).encode()
    assert Checkpoint.verify(signed, [KEY.verifier], origin=ORIGIN) == head
    with pytest.raises(EvidenceError, match="expected elsewhere"):
        Checkpoint.verify(signed, [KEY.verifier], origin="elsewhere")


def test_keys_are_saved_for_their_owner_only(tmp_path: Path) -> None:
    key, path = SigningKey.generate("a/b"), tmp_path / "log.key"
    key.save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert SigningKey.load(path).verifier == key.verifier
    assert [p.name for p in tmp_path.iterdir()] == ["log.key"]
    with pytest.raises(EvidenceError, match="File exists"):
        key.save(path)
    path.chmod(0o640)
    with pytest.raises(EvidenceError, match="mode 0640"):
        SigningKey.load(path)


@pytest.mark.parametrize(
    "text", ["", "x", PETER, PETER_PRIVATE[:-4], PETER_PRIVATE.replace("c7", "c8")]
)
def test_damaged_signing_keys(tmp_path: Path, text: str) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(EvidenceError, match="key"):
        SigningKey.load(path)


@pytest.mark.parametrize(
    "text", ["", "a", "a+b", PETER.replace("c7", "c8"), PETER[:-4], "a b" + PETER]
)
def test_damaged_verifier_keys(text: str) -> None:
    with pytest.raises(EvidenceError, match="key"):
        VerifierKey.parse(text)


def test_verifier_keys_from_text_or_file(tmp_path: Path) -> None:
    (tmp_path / "k").write_text(PETER + "\n")
    assert VerifierKey.load(tmp_path / "k") == VerifierKey.load(PETER)
    with pytest.raises(EvidenceError, match="No such file"):
        VerifierKey.load(tmp_path / "absent")


def test_a_signing_key_never_shows_its_seed() -> None:
    assert bytes(range(32)).hex() not in repr(KEY)
    assert repr(KEY) == f"SigningKey({ORIGIN}+{KEY.verifier.id.hex()})"
