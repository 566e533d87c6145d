"""`domicile log show, proof, fsck`, through the command line's own entrance."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from domicile.cli.main import main
from domicile.evidence import kinds, place
from domicile.evidence.keys import SigningKey, VerifierKey
from domicile.evidence.proof import Proof
from tests.evidence.making import DIGEST, entries


@pytest.fixture
def estate(tmp_path: Path) -> Path:
    """An estate's path, beside which a log of 301 entries lies."""
    file = tmp_path / "estate.yaml"
    log = place.open_log(place.state_directory(file), "video-store")
    log.append(entries(0, 300))
    log.append([kinds.make("undo", "video-store", plan=DIGEST, undoes=DIGEST, steps=4)])
    return file


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["log", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_show(estate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "show", "--estate", str(estate), "--from", "298")
    lines = out.splitlines()
    assert code == 0
    assert [int(line.split()[0]) for line in lines] == [298, 299, 300]
    assert "undo" in lines[2]
    assert "steps=4" in lines[2]
    assert f"plan={DIGEST[:15]}…" in lines[2]
    _, out, _ = run(capsys, "show", "--estate", str(estate), "--from", "2", "--to", "3")
    assert len(out.splitlines()) == 2
    _, out, _ = run(capsys, "show", "--estate", str(estate), "--kind", "undo")
    assert len(out.splitlines()) == 1


@pytest.mark.parametrize("extra", [[], ["--to", "0"], ["--kind", "survey"]])
def test_show_json_is_one_document(
    estate: Path, capsys: pytest.CaptureFixture[str], extra: list[str]
) -> None:
    code, out, err = run(capsys, "show", "--estate", str(estate), "--json", *extra)
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert (document["size"], document["origin"]) == (301, "domicile/video-store")
    assert len(document["entries"]) == {0: 301, 1: 1}.get(extra.count("--to"), 0) * (
        "--kind" not in extra
    )
    for item in document["entries"][:300]:
        assert item["entry"]["rows"] == item["index"]


def test_proof_verifies_offline(estate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "proof", "17", "--estate", str(estate))
    document = json.loads(out)
    assert code == 0
    assert set(document) == {"checkpoint", "index", "entry_hash", "path", "entry"}
    key = VerifierKey.load(place.verifier_path(place.state_directory(estate)))
    head = Proof.from_json(document).verify(key, entry=document["entry"])
    assert head.size == 301


def test_proof_beyond_the_log(estate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "proof", "301", "--estate", str(estate))
    assert (code, out) == (2, "")
    assert "no entry 301: the log has 301" in err


def test_fsck(estate: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["--estate", str(estate)]
    assert run(capsys, "fsck", *arguments)[:2] == (0, "the log verifies\n")
    evidence = tmp_path / ".domicile" / "evidence"
    (evidence / "tile/0/005").write_bytes(b"\0" * 8192)
    code, out, _ = run(capsys, "fsck", *arguments, "--json")
    assert code == 0
    assert json.loads(out) == {
        "ok": True,
        "findings": [{
            "problem": "leftover", "path": "tile/0/005", "fails": False,
            "said": "is beyond the head: an append was interrupted",
        }],
    }  # fmt: skip
    bundle = evidence / "tile/entries/000"
    bundle.write_bytes(bundle.read_bytes().replace(b'"rows":7,', b'"rows":8,', 1))
    code, out, _ = run(capsys, "fsck", *arguments)
    assert code == 1
    assert "entry 7 is not the one in the tile" in out
    assert "1 wrong" in out


def test_a_copy_elsewhere_with_a_given_key(
    estate: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    state = place.state_directory(estate)
    moved = tmp_path / "auditor"
    (state / "evidence").rename(moved)
    key = place.verifier_path(state).read_text().strip()
    assert run(capsys, "fsck", "--evidence", str(moved), "--key", key)[0] == 0
    other = str(SigningKey.generate("domicile/video-store").verifier)
    code, out, _ = run(capsys, "fsck", "--evidence", str(moved), "--key", other)
    assert code == 1
    assert "signed by" in out


def test_mistakes_are_one_clear_error(estate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "show", "--estate", "/nowhere/estate.yaml")
    assert (code, out) == (2, "")
    assert "there is no evidence in /nowhere/.domicile/evidence" in err
    code, out, err = run(capsys, "show", "--estate", str(estate), "--kind", "diary")
    assert (code, out) == (2, "")
    assert "expected one of survey, plan" in err


def test_a_directory_that_is_not_there_is_no_log_that_failed(
    estate: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = str(place.verifier_path(place.state_directory(estate)))
    for where in (tmp_path / "none", estate):
        assert main(["verify", "--evidence", str(where), "--key", key]) == 2
        assert "there is no evidence in" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert main(["verify", "--evidence", str(tmp_path / "empty"), "--key", key]) == 1
