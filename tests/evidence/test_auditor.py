"""The one-file verifier agrees with the rest, from another process that has nothing else."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from domicile.evidence import auditor
from domicile.evidence.keys import SigningKey
from domicile.evidence.reader import LogReader
from tests.evidence.making import KEY, ORIGIN, entries, make_log

VKEY = str(KEY.verifier)


def run(*arguments: str) -> tuple[int, str]:
    """Run the file by itself: isolated, without Domicile on the path."""
    command = [sys.executable, "-I", "-O", auditor.__file__, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 700])
def test_a_log_verifies(tmp_path: Path, size: int) -> None:
    log = make_log(tmp_path, size)
    code, said = run(str(tmp_path), VKEY)
    assert code == 0, said
    assert f"{size} entries under the signed root {log.head.root.hex()}" in said


def test_long_paths(tmp_path: Path) -> None:
    path = tmp_path / "tile/entries/x001/x234/067.p/1"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\0\1e")
    found = auditor.entries(tmp_path, 1234067 * 256 + 1)
    with pytest.raises(FileNotFoundError, match="entries/000"):
        next(found)
    (tmp_path / "tile/entries/x001/000").write_bytes(b"\0\1e" * 256)
    for number in range(1000):
        target = tmp_path / f"tile/entries/{number:03d}"
        target.write_bytes(b"\0\1e" * 256)
    assert sum(1 for _ in auditor.entries(tmp_path, 1001 * 256)) == 1001 * 256


@pytest.mark.parametrize("index", [0, 5, 255, 256, 511, 599])
def test_a_proof_verifies_and_an_altered_one_does_not(tmp_path: Path, index: int) -> None:
    log = make_log(tmp_path / "log", 600)
    document = {**log.inclusion(index).to_json(), "entry": log.entry(index)}
    file = tmp_path / "proof.json"
    file.write_text(json.dumps(document))
    assert run("--proof", str(file), VKEY)[0] == 0
    altered = [
        {**document, "index": index ^ 1},
        {**document, "path": document["path"][:-1]},
        {**document, "entry": {**document["entry"], "rows": 12345}},
        {**document, "checkpoint": document["checkpoint"].replace("\n600\n", "\n601\n")},
    ]
    for bad in altered:
        with pytest.raises(auditor.Wrong):
            auditor.audit_proof(bad, VKEY)


def test_tampering_is_found(tmp_path: Path) -> None:
    make_log(tmp_path / "log", 300)
    other = str(SigningKey.generate(ORIGIN).verifier)
    assert run(str(tmp_path / "log"), other) == (
        1, f"DOES NOT VERIFY: {ORIGIN} has not signed the checkpoint\n",
    )  # fmt: skip
    shutil.copytree(tmp_path / "log", tmp_path / "copy")
    bundle = tmp_path / "copy/tile/entries/000"
    bundle.write_bytes(bundle.read_bytes().replace(b'"rows":7,', b'"rows":8,', 1))
    assert run(str(tmp_path / "copy"), VKEY)[0] == 1
    (tmp_path / "log/tile/entries/001.p/44").unlink()
    assert run(str(tmp_path / "log"), VKEY)[0] == 1
    assert run()[0] == 2


def test_its_root_is_ours(tmp_path: Path) -> None:
    """Two implementations of RFC 6962 that share no code, over a run of sizes."""
    log = make_log(tmp_path)
    for size in range(1, 40):
        log.append(entries(size - 1, size))
        head = LogReader(tmp_path, KEY.verifier).head
        assert auditor.audit_log(tmp_path, VKEY).startswith(
            f"{size} entries under the signed root {head.root.hex()}"
        )
