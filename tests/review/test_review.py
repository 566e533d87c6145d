"""`domicile review` from the command line: what it says, how it is signed, what it refuses."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from domicile.cli.main import main
from domicile.evidence.kinds import make
from domicile.evidence.place import open_log, read_log, state_directory
from domicile.review.figures import value_at
from tests.apply.test_approved import keygen, witnessed
from tests.review.world import EMAILS, ESTATE, HOME, write_world
from tests.verifier.running import verify
from tests.web.browser import measure


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    code = main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return code, out, err


class World:
    """The estate after a plan was made, carried out in part, and devices were read; a review of
    it in each language and form, made once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.estate = write_world(folder)
        estate = ("--estate", str(self.estate), "--quiet")
        assert main(["devices", "sync", *estate]) == 0
        assert main(["plan", "-o", str(folder / "plan.json"), *estate]) == 0
        assert main(["apply", str(folder / "plan.json"), "--yes", *estate]) == 0
        for name in ("en.html", "nl.html", "en.pdf", "nl.pdf"):
            more = ("--language", name[:2], "-o", str(folder / name))
            assert main(["review", *estate, *more]) == 0

    @property
    def log(self) -> Path:
        return self.folder / ".domicile/evidence"

    @property
    def key(self) -> str:
        return (self.folder / ".domicile/keys/log.vkey").read_text().strip()

    def page(self, name: str) -> str:
        return (self.folder / name).read_text("utf-8")

    def verify(self, name: str | Path) -> tuple[int, str]:
        return verify("review", self.folder / name, self.log, self.key)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("reviewed"))


class Shown(HTMLParser):
    """The figures of a page by their ids, the links, and the ids there are."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.figures: dict[str, set[str]] = {}
        self.links: set[str] = set()
        self.ids: set[str] = set()
        self._open = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._open = given.get("data-figure") or ""
        self.ids.add(given.get("id") or "")
        if (given.get("href") or "").startswith("#"):
            self.links.add(str(given["href"])[1:])

    def handle_data(self, data: str) -> None:
        if self._open:
            self.figures.setdefault(self._open, set()).add(data)

    def handle_endtag(self, tag: str) -> None:
        self._open = ""


@pytest.mark.parametrize("name", ["en.html", "nl.html", "en.pdf", "nl.pdf"])
def test_the_verifier_accepts_it(made: World, name: str) -> None:
    code, said = made.verify(name)
    assert code == 0, said
    assert re.search(r"the review is entry \d+: \d{2,} figures hold", said)


@pytest.mark.parametrize("language", ["en", "nl"])
def test_every_figure_shown_is_one_of_its_entries_and_leads_to_them(
    made: World, language: str
) -> None:
    page = made.page(f"{language}.html")
    shown = Shown(page)
    signed = json.loads(re.search(r"domicile/review/v1\n(.*)\n", unsigned(page))[1])  # type: ignore[index]
    assert set(shown.figures) == set(signed["figures"])
    log = read_log(state_directory(made.estate))
    entries = dict(log.entries())
    for id_, figure in signed["figures"].items():
        (text,) = shown.figures[id_]  # everywhere the same
        values = [value_at(entries, (i, ".".join(map(str, way)))) for i, *way in figure["of"]]
        assert figure["value"] == (values[0] if isinstance(values[0], str) else sum(values))
        plain = text.replace("," if language == "en" else ".", "")
        assert plain == str(figure["value"])
        assert {f"entry-{i}" for i, *_ in figure["of"]} <= shown.ids
    assert shown.links <= shown.ids


def unsigned(page: str) -> str:
    import html

    return html.unescape(page.partition('<pre id="signed">')[2].partition("</pre>")[0])


def test_it_says_how_things_stand(made: World) -> None:
    document = json.loads(unsigned(made.page("en.html")).splitlines()[1])
    entries = dict(read_log(state_directory(made.estate)).entries())
    clauses = entries[document["assessment"]]["clauses"]
    states = {f"{c['mandate']}/{c['clause']}": c["state"] for c in clauses}
    assert states == {
        "home/rest": "held", "home/look": "not_checked", "home/told": "not_checked",
        "ads/profiling": "held", "ads/nobody": "met", "ban/remove": "broken",
        "later/rest": "not_in_effect",
    }  # fmt: skip
    people = next(e["people"] for e in entries.values() if e["kind"] == "survey")
    assert sum(p["people"] for p in people) == 6
    with closing(sqlite3.connect(made.folder / "home.db")) as home:
        assert home.execute("SELECT count(*) FROM person").fetchone() == (2,)


TEXTS = {
    "en": ("Security review of shop", "Data of US people come home (home)", "held back", "broken",
           "not in effect", "days ago", "case-12", "app.jotting", "has no gate yet",
           "no undeclared store", "Parent Group 60% (CN)", "not observable", "1 September 2026",
           "about several people under different laws", "Shop & <Sons> Ltd"),
    "nl": ("Beveiligingsbeoordeling van shop", "aangehouden", "geschonden", "niet van kracht",
           "dagen geleden", "heeft nog geen poort", "niet-opgegeven opslagplaats",
           "niet te zien", "1 september 2026", "Verenigde Staten (US)",
           "over meer mensen onder verschillend recht", "Shop & <Sons> Ltd"),
}  # fmt: skip


@pytest.mark.parametrize("language", ["en", "nl"])
def test_the_page_in_a_browser(made: World, language: str) -> None:
    page = made.page(f"{language}.html")
    for width in (1280, 390):
        found = measure(page, width)
        assert found["overflow"] == 0  # tables and plots scroll within themselves
        assert found["weakest"]["ratio"] >= 4.5, found["weakest"]  # WCAG 2.2, 1.4.3
        assert found["unreachable"] == []
    assert (found["loads"], found["handlers"], found["console"]) == ([], [], [])
    assert (found["twice"], found["broken_links"]) == ([], [])
    assert (found["captionless"], found["headless"], found["unlabelled"]) == ([], [], [])
    assert found["language"] == language
    text = " ".join(found["text"].split())
    for said in TEXTS[language]:
        assert said in text, said
    assert "default-src 'none'" in page
    assert not any(email in page for email in EMAILS)


@pytest.mark.parametrize("language", ["en", "nl"])
def test_the_pdf_says_the_same(made: World, language: str) -> None:
    done = subprocess.run(
        ["pdftotext", "-layout", made.folder / f"{language}.pdf", "-"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    text = " ".join(done.stdout.replace("\u200b", "").split())
    for said in TEXTS[language][:1]:
        assert said in text
    tight = re.sub(r"[\s\u00ad-]", "", text)
    figures = json.loads(made.page(f"{language}.pdf.note").splitlines()[1])["figures"]
    digests = [f["value"] for f in figures.values() if isinstance(f["value"], str)]
    assert digests
    assert all(d.replace("-", "") in tight for d in digests)
    assert not any(email in text for email in EMAILS)
    info = subprocess.run(
        ["pdfinfo", made.folder / f"{language}.pdf"], capture_output=True, text=True, check=True
    ).stdout
    assert re.search(r"Tagged:\s+yes", info)


def test_an_altered_review_is_refused_by_the_figures_name(made: World, tmp_path: Path) -> None:
    page = made.page("nl.html")
    figures = json.loads(unsigned(page).splitlines()[1])["figures"]
    id_ = next(i for i, f in figures.items() if f["name"] == "people in the registers")
    file = tmp_path / "review.html"
    altered = re.sub(rf'(data-figure="{id_}">)6<', r"\g<1>7<", page, count=1)
    assert altered != page
    file.write_text(altered, "utf-8")
    code, said = made.verify(file)
    assert (code, said.strip()) == (
        1, "DOES NOT VERIFY: people in the registers: 6 was signed, and 7 is shown"
    )  # fmt: skip
    for odd in (".6", "6.", "6,", "+6", "06", " 6"):  # nor as another number that reads like it
        file.write_text(
            re.sub(rf'(data-figure="{id_}">)6<', rf"\g<1>{odd}<", page, count=1), "utf-8"
        )
        assert f"6 was signed, and {odd} is shown" in made.verify(file)[1]
    file.write_text(page.replace("geschonden", "nageleefd", 1), "utf-8")
    assert made.verify(file)[0] == 1
    shutil.copy(made.folder / "en.pdf", tmp_path / "a.pdf")
    assert "No such file" in made.verify(tmp_path / "a.pdf")[1]  # its note is part of it
    shutil.copy(made.folder / "nl.pdf.note", tmp_path / "a.pdf.note")
    assert "altered" in made.verify(tmp_path / "a.pdf")[1]


def test_json_is_one_document(made: World, capsys: pytest.CaptureFixture[str]) -> None:
    target = made.folder / "again.html"
    code, out, err = run(
        capsys, "review", "--estate", made.estate, "-o", target, "--json", "--as-of", "2026-08-01"
    )
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert (document["version"], document["as_of"]) == (1, "2026-08-01")
    assert (document["counts"], document["missing"]) == (True, [])
    assert document["files"] == [str(target)]
    assert {c["state"] for c in document["clauses"]} >= {"held", "broken", "met"}
    log = read_log(state_directory(made.estate))
    entry = log.entry(document["entry"])
    assert (entry["kind"], entry["assessment"]) == ("review", document["assessment"])
    assert entry["figures"] == len(document["figures"])


# Estates that are not as they should be.


@pytest.fixture
def estate(tmp_path: Path) -> Path:
    return write_world(tmp_path)


def review(
    capsys: pytest.CaptureFixture[str], estate: Path, name: str = "r.html"
) -> tuple[int, str, str]:
    return run(capsys, "review", "--estate", estate, "-o", estate.parent / name, "--quiet")


def test_an_estate_that_never_had_a_plan(estate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert review(capsys, estate)[0] == 0
    page = (estate.parent / "r.html").read_text("utf-8")
    assert "No plan has ever been carried out." in page
    assert "The estate does not meet its mandates." in page
    assert "The log was empty before this review." in page


def test_an_apply_that_has_not_ended(estate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = open_log(state_directory(estate), "shop")
    plan = "sha256:" + "ab" * 32
    log.append([make("apply_started", "shop", plan=plan, run="0" * 16, steps=3)])
    assert review(capsys, estate)[0] == 0
    page = (estate.parent / "r.html").read_text("utf-8")
    assert page.count("has not ended") >= 2  # in short, and where the plan is


def test_a_damaged_log(estate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = open_log(state_directory(estate), "shop")
    log.append([make("refusal", "shop", reason="over_cap")])
    (bundle,) = (estate.parent / ".domicile/evidence/tile/entries").glob("000.p/*")
    bundle.write_bytes(bundle.read_bytes().replace(b"over_cap", b"over_caq"))
    code, out, err = review(capsys, estate)
    assert (code, out) == (1, "")
    assert "the log does not verify" in err
    assert not (estate.parent / "r.html").exists()


def test_a_store_that_is_away(estate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (estate.parent / "home.db").rename(estate.parent / "elsewhere.db")
    code, _, err = review(capsys, estate)
    assert code == 3
    assert "store home" in err
    assert not (estate.parent / "r.html").exists()


def test_no_mandates_at_all(estate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(estate.parent / "mandates")
    assert review(capsys, estate)[0] == 0
    page = (estate.parent / "r.html").read_text("utf-8")
    assert "The estate is under no mandate." in page
    assert "Nothing that was read breaks" not in page


def test_a_place_that_cannot_be_written(estate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = review(capsys, estate, "nowhere/r.html")
    assert (code, "cannot write the review" in err) == (2, True)
    code, _, err = review(capsys, estate, "r.docx")
    assert (code, "ends in .html or .pdf" in err) == (2, True)


def test_a_pdf_without_typst(
    estate: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "typst", None)
    code, _, err = review(capsys, estate, "r.pdf")
    assert (code, "pip install 'domicile[pdf]'" in err) == (2, True)
    assert not (estate.parent / ".domicile/evidence").exists()  # nothing was begun


def test_whether_it_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    witness = keygen(capsys, "w.key", "regulator.example/w1", "--witness")
    declared = "witnesses: {regulator: {key: %s, url: '%s'}}\n"
    home = HOME.replace("protects:", "cosignatures: {need: 1}\nprotects:", 1)
    away = ESTATE + declared % (witness, "http://127.0.0.1:1")
    estate = write_world(tmp_path, away, home)
    code, out, _ = run(capsys, "review", "-o", "first.html")
    assert (code, "It does not count yet: mandate home asks for 1" in out) == (0, True)
    page = Path("first.html").read_text("utf-8")
    assert "This review does not count yet." in page
    assert "no answer" in page  # of the witness, which is an entry
    vkey = tmp_path / ".domicile/keys/log.vkey"
    ask = ("review", tmp_path / "first.html", tmp_path / ".domicile/evidence", vkey.read_text())
    code, said = verify(*ask)
    assert (code, "assessed under 0 cosignatures" in said) == (1, True)
    with witnessed(tmp_path, vkey) as url:
        estate.write_text(ESTATE + declared % (witness, url))
        assert run(capsys, "log", "cosign")[0] == 0
        assert verify(*ask)[0] == 0  # the file is as it was; now it counts
        code, out, _ = run(capsys, "review", "-o", "second.html", "--language", "nl", "--json")
    document: dict[str, Any] = json.loads(out)
    assert (code, document["counts"]) == (0, True)
    page = Path("second.html").read_text("utf-8")
    assert "Deze beoordeling telt: de medeondertekeningen" in page
    assert "regulator.example/w1" in page
    assert verify("review", tmp_path / "second.html", *ask[2:])[0] == 0
