"""The one-file verifier agrees with the rest, from another process that has nothing else."""

from __future__ import annotations

import ast
import base64
import json
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from domicile.evidence import merkle
from domicile.evidence.keys import SigningKey
from domicile.evidence.note import Checkpoint, sign_note
from domicile.evidence.reader import LogReader
from tests.evidence.making import KEY, ORIGIN, entries, make_log
from tests.verifier.running import VERIFIER, verify
from verifier import domicile_verify as verifier

VKEY = str(KEY.verifier)


def log_of(directory: Path, **more: Any) -> verifier.Log:
    return verifier.Log(str(directory), verifier.Key.read(VKEY), **more)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 700])
def test_a_log_verifies(tmp_path: Path, size: int) -> None:
    log = make_log(tmp_path, size)
    code, said = verify("log", tmp_path, VKEY)
    assert code == 0, said
    assert f"{size} entries under the signed root {log.head.root.hex()}" in said


def test_it_can_be_read_in_ten_minutes() -> None:
    """One file of at most 400 lines, of the standard library and one signature library."""
    text = VERIFIER.read_text("utf-8")
    assert len(text.splitlines()) <= 400
    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name) or ""
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.Import, ast.ImportFrom))
    }
    others = {name.split(".")[0] for name in imported} - sys.stdlib_module_names
    assert others == {"cryptography"}


def test_long_paths(tmp_path: Path) -> None:
    for name in ("x001/000", *(f"{number:03d}" for number in range(1000))):
        target = tmp_path / "tile/entries" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"\0\1e" * 256)
    assert sum(1 for _ in log_of(tmp_path).contents(1001 * 256)) == 1001 * 256
    with pytest.raises(verifier.Wrong, match="tile/entries/x001/001 is missing"):
        list(log_of(tmp_path).contents(1001 * 256 + 1))


@pytest.mark.parametrize("index", [0, 5, 255, 256, 511, 599])
def test_a_proof_verifies_and_an_altered_one_does_not(tmp_path: Path, index: int) -> None:
    log = make_log(tmp_path / "log", 600)
    document = {**log.inclusion(index).to_json(), "entry": log.entry(index)}
    file = tmp_path / "proof.json"
    file.write_text(json.dumps(document))
    assert verify("proof", file, VKEY)[0] == 0
    altered = [
        {**document, "index": index ^ 1},
        {**document, "path": document["path"][:-1]},
        {**document, "path": [*document["path"], document["path"][0]]},
        {**document, "entry": {**document["entry"], "rows": 12345}},
        {**document, "checkpoint": document["checkpoint"].replace("\n600\n", "\n601\n")},
    ]
    for bad in altered:
        with pytest.raises(verifier.Wrong):
            verifier.audit_proof(bad, log_of(tmp_path))


def test_tampering_is_found(tmp_path: Path) -> None:
    make_log(tmp_path / "log", 300)
    other = str(SigningKey.generate(ORIGIN).verifier)
    code, said = verify("log", tmp_path / "log", other)
    assert (code, "has not signed the checkpoint" in said) == (1, True)
    shutil.copytree(tmp_path / "log", tmp_path / "copy")
    bundle = tmp_path / "copy/tile/entries/000"
    bundle.write_bytes(bundle.read_bytes().replace(b'"rows":7,', b'"rows":8,', 1))
    code, said = verify("log", tmp_path / "copy", VKEY)
    assert (code, "do not give the signed root" in said) == (1, True)
    (tmp_path / "log/tile/entries/001.p/44").unlink()
    code, said = verify("log", tmp_path / "log", VKEY)
    assert (code, "tile/entries/001 is missing" in said) == (1, True)


@pytest.mark.parametrize("arguments", [(), ("log",), ("diary", "x", VKEY), ("plan", "x", VKEY)])
def test_usage(arguments: tuple[str, ...]) -> None:
    code, said = verify(*arguments)
    assert code == 2
    assert "WHAT IT DOES NOT PROVE" in said


def test_its_root_is_ours(tmp_path: Path) -> None:
    """Two implementations of RFC 6962 that share no code, over a run of sizes."""
    log = make_log(tmp_path)
    for size in range(1, 40):
        log.append(entries(size - 1, size))
        head = LogReader(tmp_path, KEY.verifier).head
        assert verifier.audit_log([], log_of(tmp_path))[0].endswith(head.root.hex())


def test_consistency_is_ours_in_both_directions(tmp_path: Path) -> None:
    """Every pair of sizes: our proofs are accepted, and with any hash altered they are not."""
    leaves = [merkle.leaf_hash(bytes([n])) for n in range(24)]

    def subtree(level: int, index: int) -> bytes:
        return merkle.complete_root(leaves[index << level : (index + 1) << level])

    roots = [merkle.root(subtree, n) for n in range(25)]
    for new in range(1, 25):
        for old in range(1, new + 1):
            path = merkle.consistency_path(subtree, old, new)
            expected = (roots[old], roots[new] if old < new else roots[old])
            assert verifier.grown(old, new, roots[old], path, True) == expected
            for at in range(len(path)):
                altered = [*path[:at], bytes(32), *path[at + 1 :]]
                assert verifier.grown(old, new, roots[old], altered, True) != expected
            with pytest.raises(verifier.Wrong, match="another length"):
                verifier.grown(old, new, roots[old], [*path, bytes(32)], True)


def test_a_kept_checkpoint_finds_a_rollback_and_a_rewrite(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log", 5)
    (tmp_path / "kept").write_text(log.checkpoint())
    shutil.copytree(tmp_path / "log", tmp_path / "older")
    log.append(entries(5, 9))
    (tmp_path / "later").write_text(log.checkpoint())
    assert verify("log", tmp_path / "log", VKEY, "--since", tmp_path / "kept")[0] == 0
    code, said = verify("log", tmp_path / "older", VKEY, "--since", tmp_path / "later")
    assert (code, "5 entries, but you kept a head of 9: rolled back" in said) == (1, True)
    rewritten = make_log(tmp_path / "other")
    rewritten.append(entries(100, 109))
    code, said = verify("log", tmp_path / "other", VKEY, "--since", tmp_path / "kept")
    assert (code, "the first 5 entries are not those you kept" in said) == (1, True)


def test_consistency_of_two_heads(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log", 5)
    old = log.checkpoint()
    log.append(entries(5, 300))
    path = [base64.b64encode(p).decode() for p in log.consistency(5).path]
    document = {"old": old, "new": log.checkpoint(), "path": path}
    assert verifier.audit_consistency(document, log_of(tmp_path)) == [
        "the log of 300 entries begins with the log of 5"
    ]
    fork = make_log(tmp_path / "fork")
    fork.append(entries(50, 350))
    with pytest.raises(verifier.Wrong, match="does not begin"):
        verifier.audit_consistency({**document, "new": fork.checkpoint()}, log_of(tmp_path))
    with pytest.raises(verifier.Wrong, match="another length"):
        verifier.audit_consistency({**document, "path": path[1:]}, log_of(tmp_path))


@contextmanager
def served(directory: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(directory)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_over_http(tmp_path: Path) -> None:
    make_log(tmp_path, 300)
    with served(tmp_path) as address:
        code, said = verify("log", address, VKEY)
        assert (code, "300 entries" in said) == (0, True)
        (tmp_path / "tile/entries/000").unlink()
        code, said = verify("log", address, VKEY)
        assert (code, "tile/entries/000 is missing" in said) == (1, True)


@pytest.mark.parametrize(
    "content",
    [b"[" * 100_000, b'{"index": 1e999}', b"\xff", b"", b'{"checkpoint": []}', b"9" * 5000],
)
def test_a_hostile_document_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "proof.json").write_bytes(content)
    code, said = verify("proof", tmp_path / "proof.json", VKEY)  # and nothing on standard error
    assert (code, said.startswith("DOES NOT VERIFY: "), said.count("\n")) == (1, True, 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda note: note.replace("\n5\n", f"\n{10**18}\n", 1),
        lambda note: note.replace("\n5\n", "\n-5\n", 1),
        lambda note: note.replace("\n5\n", f"\n{'9' * 5000}\n", 1),
        lambda note: note.replace("\n5\n", "\u20285\n", 1),
        lambda note: note.replace("\n", "\r\n"),
        lambda note: note.encode().hex(),
    ],
)
def test_a_hostile_checkpoint_is_one_line(tmp_path: Path, change: Any) -> None:
    log = make_log(tmp_path / "log", 5)
    (tmp_path / "log/checkpoint").write_text(change(log.checkpoint()), newline="")
    code, said = verify("log", tmp_path / "log", VKEY)
    assert (code, said.startswith("DOES NOT VERIFY: ")) == (1, True), said


def test_entries_have_no_fractions(tmp_path: Path) -> None:
    """What JSON of Python takes, and canonical JSON does not."""
    for number in (b"1.5", b"NaN", b"-Infinity", b"1e3"):
        content = b'{"kind":"x","n":' + number + b',"time":"2026-01-23T10:00:00Z"}'
        root = merkle.leaf_hash(content)
        directory = tmp_path / number.decode()
        (directory / "tile/entries/000.p").mkdir(parents=True)
        bundle = len(content).to_bytes(2, "big") + content
        (directory / "tile/entries/000.p/1").write_bytes(bundle)
        note = sign_note(Checkpoint(ORIGIN, 1, root).text, KEY)
        (directory / "checkpoint").write_text(note)
        code, said = verify("log", directory, VKEY)
        assert (code, "invalid literal" in said or "convert" in said) == (1, True), said
