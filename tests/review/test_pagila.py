"""The review of Pagila, a recorded video store, before and after 36 Americans went home."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.conftest import CopyEstate, MakeDatabase
from tests.e2e.support import Estate
from tests.e2e.test_pagila import BODY
from tests.servers import TestServer
from tests.verifier.running import verify
from tests.web.browser import measure


def test_before_and_after(
    pagila: CopyEstate, database: MakeDatabase, pg15: TestServer, tmp_path: Path
) -> None:
    estate = Estate(tmp_path / "estate", pagila(), database(pg15, "reviewed"), BODY)
    folder = estate.folder
    before = estate.run("review", "--json", "-o", str(folder / "before.html")).document
    (rest,) = before["clauses"]
    assert (rest["state"], rest["people"]) == ("broken", 36)
    estate.plan()
    estate.apply()
    for name, language in (
        ("en.html", "en"),
        ("nl.html", "nl"),
        ("en.pdf", "en"),
        ("nl.pdf", "nl"),
    ):
        after = estate.run(
            "review", "--json", "-o", str(folder / name), "--language", language
        ).document
        assert after["clauses"][0]["state"] != "broken"
        key = (folder / ".domicile/keys/log.vkey").read_text().strip()
        code, said = verify("review", folder / name, folder / ".domicile/evidence", key)
        assert code == 0, said
    moved = {f["value"] for f in after["figures"].values() if f["name"].startswith("rows of app.")}
    assert 36 in moved  # customers
    page = (folder / "nl.html").read_text("utf-8")
    found = measure(page, 1280)
    assert (found["overflow"], found["unreachable"], found["broken_links"]) == (0, [], [])
    assert found["weakest"]["ratio"] >= 4.5
    text = subprocess.run(
        ["pdftotext", folder / "nl.pdf", "-"], capture_output=True, text=True, check=True
    ).stdout
    assert "Wat is verplaatst en gewist" in text
    assert not re.search(r"@sakilacustomer|MARY\\.SMITH", page + text)
