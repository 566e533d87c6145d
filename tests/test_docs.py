"""The documentation is what the program is: pages, options, links, and the keys of documents."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import pytest

from domicile.cli.main import cli, main
from tests.conftest import ROOT

DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", *DOCS.rglob("*.md")])
WITH = click.Context(cli)
NAMES = cli.list_commands(WITH)


def page(command: str) -> str:
    return (DOCS / "commands" / f"{command}.md").read_text(encoding="utf-8")


def parameters(command: click.Command) -> Iterator[click.Parameter]:
    """Those of a command, and of the commands below it."""
    yield from (p for p in command.params if p.name != "help")
    if isinstance(command, click.Group):
        for below in command.commands.values():
            yield from parameters(below)


def describes(text: str, option: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", text) is not None


def test_every_command_has_a_page_and_no_page_is_left_over() -> None:
    assert {p.stem for p in (DOCS / "commands").glob("*.md")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_option_is_described(name: str) -> None:
    command = cli.get_command(WITH, name)
    assert command is not None
    text = page(name)
    missing = [
        p.opts
        for p in parameters(command)
        if isinstance(p, click.Option) and not any(describes(text, o) for o in p.opts)
    ]
    assert missing == []
    assert "Exit codes:" in text


@pytest.mark.parametrize("name", NAMES)
def test_no_option_is_described_that_is_not_there(name: str) -> None:
    command = cli.get_command(WITH, name)
    assert command is not None
    there = {o for p in parameters(command) for o in (*p.opts, "--help")}
    cells = [line.split("|")[1] for line in page(name).splitlines() if line.startswith("| `-")]
    assert {o for cell in cells for o in re.findall(r"`(-[\w-]+)", cell)} <= there


def anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", t.lower()).strip().replace(" ", "-") for t in titles}


@pytest.mark.parametrize("file", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(file: Path) -> None:
    text = re.sub(r"```.*?```", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        there = (file.parent / target).resolve() if target else file
        assert there.exists(), f"{file.name}: {target}"
        if anchor:
            assert anchor in anchors(there.read_text(encoding="utf-8")), f"{file.name}: #{anchor}"


def test_decisions_are_numbered_and_listed() -> None:
    files = sorted(p.name for p in (DOCS / "decisions").glob("[0-9]*.md"))
    assert [int(f[:4]) for f in files] == list(range(1, len(files) + 1))
    index = (DOCS / "decisions" / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"\(([^)]+\.md)\)", index) == files
    for name in files:
        title = (DOCS / "decisions" / name).read_text(encoding="utf-8").splitlines()[0]
        assert title.startswith(f"# {int(name[:4])}. ")


def test_the_mandate_to_begin_with_loads(tmp_path: Path) -> None:
    from domicile.law.load import load_mandate

    text = (DOCS / "start.md").read_text(encoding="utf-8")
    (written,) = re.findall(r"```yaml\n(mandate: .*?)```", text, re.DOTALL)
    file = tmp_path / "us-home.yaml"
    file.write_text(written, encoding="utf-8")
    (clause,) = load_mandate(file).clauses
    assert (clause.otherwise, clause.purge) == ("move", True)
    assert clause.countries == {"US"}


# The keys of documents.

SCHEMA = """
CREATE TABLE customer (id INTEGER PRIMARY KEY, email TEXT NOT NULL, country TEXT);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customer);
CREATE TABLE note (id INTEGER PRIMARY KEY, from_id INTEGER NOT NULL REFERENCES customer,
                   to_id INTEGER NOT NULL REFERENCES customer);
CREATE TABLE waiting (email TEXT PRIMARY KEY);
"""
ROWS = """
INSERT INTO customer VALUES (1, 'amy@example.org', 'US'), (2, 'bea@example.org', 'NL');
INSERT INTO orders VALUES (1, 1), (2, 2);
INSERT INTO note VALUES (1, 1, 2);
INSERT INTO waiting VALUES ('amy@example.org');
"""
ESTATE = """\
estate: shop
stores:
  abroad: {url: "sqlite:abroad.db", country: IE, operator: Shop Ltd, holds: app}
  home: {url: "sqlite:home.db", country: US, operator: Trust Inc, holds: app}
subjects:
  customer: {register: app.customer, key: id, residence: country}
"""
MANDATE = """\
mandate: %s
title: A made-up mandate
status: voluntary
effective: 2026-01-01
protects: {residence: [US]}
clauses:
  - {id: rest, store: {country: [%s]}, otherwise: move, purge: true}
"""


@pytest.fixture
def estate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two SQLite cells, and a mandate by which one of two people moves. The working directory."""
    for name, rows in (("abroad", ROWS), ("home", "")):
        with closing(sqlite3.connect(tmp_path / f"{name}.db")) as connection:
            connection.executescript(SCHEMA + rows)
    (tmp_path / "estate.yaml").write_text(ESTATE, encoding="utf-8")
    (tmp_path / "mandates").mkdir()
    (tmp_path / "mandates" / "us.yaml").write_text(MANDATE % ("us", "US"), encoding="utf-8")
    (tmp_path / "other.yaml").write_text(MANDATE % ("other", "NO"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def keys(command: str, section: str = "## JSON") -> dict[str, tuple[set[str], set[str]]]:
    """Of a page's table under JSON: key → (words that must be keys below it, words that may be)."""
    found = {}
    text = page(command).partition(f"{section}\n")[2]
    for line in re.split(r"^#{2,} ", text, maxsplit=1, flags=re.M)[0].splitlines():
        cells = line.strip().strip("|").split("|")
        if len(cells) != 2 or "`" not in cells[0]:
            continue
        may = set(re.findall(r"`(\w+)`", cells[1]))
        must = set(re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", cells[1])))
        for key in re.findall(r"`(\w+)`", cells[0]):
            found[key] = (must, may)
    return found


def below(value: Any) -> set[str]:
    if isinstance(value, list):
        return {k for each in value for k in below(each)}
    if isinstance(value, dict):
        return set(value) | {k for each in value.values() for k in below(each)}
    return set()


def said(command: str, document: dict[str, Any], section: str = "## JSON") -> None:
    """The page lists the document's keys, all of them and no others, and those one level down."""
    listed = keys(command, section)
    assert set(document) == set(listed)
    for key, (must, may) in listed.items():
        there = below(document[key])
        if may and there:
            assert must <= there <= may, key


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main([*arguments, "--json"]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_the_keys_of_documents_are_those_on_the_pages(
    estate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said("check", run(capsys, "check", "--mandate", "other.yaml"))
    plan = run(capsys, "plan", "-o", "plan.json")
    assert all(plan[k] for k in ("findings", "steps", "held", "unknown", "people"))
    assert {f["state"] for f in plan["findings"]} == {"curable", "held"}
    said("plan", plan)
    assert json.loads((estate / "plan.json").read_text(encoding="utf-8")) == plan
    said("apply", run(capsys, "apply", "plan.json", "--yes"))
    said("verify", run(capsys, "verify"))
    shown = run(capsys, "log", "show")
    proof = run(capsys, "log", "proof", "0")
    checked = run(capsys, "log", "fsck")
    words = set(re.findall(r"`(\w+)`", page("log").partition("## JSON")[2]))
    assert {*shown, *shown["entries"][0], *proof, *checked} <= words


def test_every_operation_and_reason_of_a_plan_is_explained() -> None:
    from domicile.plan.findings import SAID

    text = page("plan")
    assert set(SAID) <= set(re.findall(r"^\| `([a-z ]+)` \|", text, re.M))


def test_every_kind_of_entry_is_named() -> None:
    from domicile.evidence.kinds import KINDS

    assert set(KINDS) <= set(re.findall(r"`(\w+)`", page("log")))
