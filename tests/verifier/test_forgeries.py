"""Every forgery is refused with a reason that names it, and the genuine evidence is not."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.verifier.forgeries import (
    FORGERIES,
    GREW,
    LOG,
    PAGE,
    PDF,
    PLAN,
    PROOF,
    RECEIPT,
    Case,
    Question,
    genuine,
)
from verifier import domicile_verify as verifier


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return genuine(tmp_path_factory.mktemp("genuine"))


@pytest.fixture
def case(made: Case, tmp_path: Path) -> Case:
    return replace(made, directory=Path(shutil.copytree(made.directory, tmp_path / "log")))


@pytest.mark.parametrize("ask", [LOG, PLAN, RECEIPT, PROOF, PAGE, PDF, GREW])
def test_the_genuine_evidence_verifies(case: Case, ask: Question) -> None:
    assert ask(case)


@pytest.mark.parametrize("name", FORGERIES)
def test_it_is_refused_with_its_reason(case: Case, name: str) -> None:
    forgery = FORGERIES[name]
    forged = forgery.make(case)
    with pytest.raises((verifier.Wrong, ValueError, OSError)) as caught:
        forgery.ask(forged)
    said = f"{type(caught.value).__name__} {caught.value}"
    assert re.search(forgery.reason, said), said


def test_the_table_lists_them_all() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (.+?) \|", (ROOT / "docs/forgeries.md").read_text("utf-8"), re.M
    )
    assert len(rows) >= 30
    assert dict(rows) == {name: f.said for name, f in FORGERIES.items()}
