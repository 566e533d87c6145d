"""`domicile map`: its formats, where they go, and that they say the same."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile.cells import FORMULA, safe
from domicile.cli.main import main
from domicile.survey.map_csv import HEADER
from tests.survey.mapped import DAY, ESTATE, write_database, write_shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shop(tmp_path_factory.mktemp("shop"))


def mapped(shop: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    assert main(["map", "--estate", str(shop), "--as-of", DAY, *more]) == 0
    return capsys.readouterr().out


def test_json_has_the_contract(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(mapped(shop, capsys, "--json"))
    assert json.loads(mapped(shop, capsys, "--format", "json")) == document
    for store in document["stores"]:
        assert {"name", "country", "operator", "tables"} <= set(store)
        for table in store["tables"]:
            assert {"name", "rows", "columns", "owner"} <= set(table)
            assert {"subject", "route", "role"} <= set(table["owner"])
            for column in table["columns"]:
                assert {"name", "category", "confidence", "by"} <= set(column)
    for person in document["people"]:
        assert {"subject", "store", "residence", "people", "minors"} <= set(person)


def test_the_same_stores_give_the_same_map(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (json.loads(mapped(shop, capsys, "--json")) for _ in range(2))
    assert first == second


def test_the_table_names_what_matters(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = mapped(shop, capsys)
    assert "9 people, 30 rows in 12 tables of 2 stores" in text
    assert "Unknown: not safe" in text
    assert text.index("unknown") < text.index("NL")  # people of unknown residence come first
    assert "home also has rows of 1 person (customer) registered elsewhere" in text
    assert "app.product" not in text
    assert "app.product" in mapped(shop, capsys, "-v")


def test_csv_has_a_line_for_each_column_and_residence(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = mapped(shop, capsys, "--format", "csv")
    lines = list(csv.DictReader(io.StringIO(text, newline="")))
    assert tuple(lines[0]) == HEADER
    amounts = {
        line["residence"]: (line["people"], line["rows"])
        for line in lines
        if (line["store"], line["table"], line["column"]) == ("abroad", "app.order", "amount")
    }
    assert amounts == {"NL": ("2", "3"), "US": ("1", "1"), "unknown": ("1", "1")}
    emails = [line["category"] for line in lines if line["column"] == "email"]
    assert set(emails) == {"user.contact.email"}


def test_csv_and_json_have_the_same_rows(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = mapped(shop, capsys, "--format", "csv")
    document = json.loads(mapped(shop, capsys, "--json"))
    first: dict[tuple[str, str], str] = {}
    sums: dict[tuple[str, str], int] = {}
    for line in csv.DictReader(io.StringIO(text, newline="")):
        key = line["store"], line["table"]
        if line["column"] == first.setdefault(key, line["column"]):
            sums[key] = sums.get(key, 0) + int(line["rows"])
    assert sums == {(s["name"], t["name"]): t["rows"] for s in document["stores"]
                    for t in s["tables"]}  # fmt: skip


@given(st.text())
def test_no_cell_is_a_formula(text: str) -> None:
    assert not safe(text).startswith(FORMULA)
    assert safe(text).endswith(text)


def test_names_that_look_like_formulas_are_defused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    estate = write_shop(tmp_path)
    write_database(tmp_path / "abroad.db", 'CREATE TABLE evil ("=1+1" TEXT, "@SUM(A1)" TEXT)')
    text = mapped(estate, capsys, "--format", "csv")
    cells = {cell for line in csv.reader(io.StringIO(text, newline="")) for cell in line}
    assert {"'=1+1", "'@SUM(A1)"} <= cells
    assert not [cell for cell in cells if cell.startswith(FORMULA)]


@pytest.mark.parametrize("ending", ["json", "csv", "html", "htm"])
def test_a_file_has_the_format_of_its_ending(
    ending: str, shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / f"map.{ending}"
    assert str(target) in mapped(shop, capsys, "-o", str(target))
    starts = {"json": "{", "csv": "store,", "html": "<!doctype", "htm": "<!doctype"}
    assert target.read_text("utf-8").startswith(starts[ending])
    assert list(tmp_path.iterdir()) == [target]


def test_json_beside_a_file_is_still_one_document(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = mapped(shop, capsys, "--json", "-o", str(tmp_path / "map.html"))
    assert json.loads(out)["version"] == 1


@pytest.mark.parametrize("more", [["-o", "map"], ["-o", "map.txt"], ["-o", "m.json", "--format",
                         "table"]])  # fmt: skip
def test_a_file_of_no_format_is_a_usage_error(
    more: list[str], shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["map", "--estate", str(shop), *more]) == 2
    assert "add --format json, csv or html" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_one_error(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "no" / "such" / "map.csv"
    assert main(["map", "--estate", str(shop), "-o", str(target)]) == 2
    assert "cannot write the map" in capsys.readouterr().err


def test_a_missing_store_is_3_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    estate = write_shop(tmp_path)
    (tmp_path / "home.db").unlink()
    target = tmp_path / "map.json"
    assert main(["map", "--estate", str(estate), "-o", str(target)]) == 3
    assert "home" in capsys.readouterr().err
    assert not target.exists()


def test_an_age_that_nobody_recorded_is_not_zero(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    estate = write_shop(tmp_path, ESTATE.replace(", born: born", ""))
    document: dict[str, Any] = json.loads(mapped(estate, capsys, "--json"))
    assert {(p["minors"], p["age_unknown"] == p["people"]) for p in document["people"]} == {
        (0, True)
    }
    text = mapped(estate, capsys)
    line = next(x for x in text.splitlines() if x.split()[:2] == ["customer", "NL"])
    assert line.split() == ["customer", "NL", "2", "0", "?"]
