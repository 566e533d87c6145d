"""The data map: its figures against SQL of the test's own, and what it says is unknown."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from domicile.estate.document import digest
from domicile.evidence.place import read_log, state_directory
from domicile.survey.datamap import MOST_PEOPLE_LINES, entry, make_map
from domicile.survey.map_unknown import CODES
from tests.survey.mapped import DAY, ESTATE, SCHEMA, ask, write_database, write_shop

Doc = dict[str, Any]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def mapped(shop: Path) -> Doc:
    return make_map(shop, date.fromisoformat(DAY))


def table_of(document: Doc, store: str, name: str) -> Doc:
    (found,) = [
        t for s in document["stores"] if s["name"] == store for t in s["tables"]
        if t["name"] == name
    ]  # fmt: skip
    return dict(found)


def split(table: Doc) -> dict[str, tuple[int, int]]:
    """residence, or whose → people, rows."""
    return {
        s["residence"] or s["whose"]: (s["people"], s["rows"]) for s in table["rows_by_residence"]
    }


def test_people_by_residence_as_sql_counts_them(shop: Path, mapped: Doc) -> None:
    code = (
        "CASE a.country WHEN 'Netherlands' THEN 'NL' WHEN 'UK' THEN 'GB' "
        "WHEN 'United States' THEN 'US' WHEN 'Atlantis' THEN NULL ELSE a.country END"
    )
    minor = f"c.born > '2008-11-22' AND c.born <= '{DAY}' AND c.born GLOB '????-??-??'"
    for store in ("abroad", "home"):
        wanted = ask(
            shop.parent / f"{store}.db",
            f"SELECT {code}, count(*), sum(CASE WHEN {minor} THEN 1 ELSE 0 END) "
            "FROM customer c LEFT JOIN address a ON a.id = c.address_id GROUP BY 1",
        )
        got = [
            (p["residence"], p["people"], p["minors"])
            for p in mapped["people"] if p["store"] == store
        ]  # fmt: skip
        assert sorted(got, key=str) == sorted(wanted, key=str)


def test_one_is_a_child_up_to_the_day_before_the_eighteenth_birthday(mapped: Doc) -> None:
    (dutch,) = [p for p in mapped["people"] if p["residence"] == "NL"]
    assert (dutch["people"], dutch["minors"], dutch["age_unknown"]) == (2, 1, 0)


def test_a_birth_date_that_is_none_or_to_come_says_no_age(mapped: Doc) -> None:
    assert {(p["residence"], p["age_unknown"]) for p in mapped["people"] if p["age_unknown"]} == {
        ("GB", 1), (None, 1),
    }  # fmt: skip


def test_rows_by_residence_as_sql_counts_them(shop: Path, mapped: Doc) -> None:
    wanted = ask(
        shop.parent / "abroad.db",
        "SELECT CASE WHEN a.country IN ('NL', 'Netherlands') THEN 'NL' "
        "WHEN a.country = 'United States' THEN 'US' ELSE 'unknown' END, "
        'count(DISTINCT customer_id), count(*) FROM "order" o JOIN customer c '
        "ON c.id = o.customer_id LEFT JOIN address a ON a.id = c.address_id GROUP BY 1",
    )
    orders = table_of(mapped, "abroad", "app.order")
    assert {k: (p, r) for k, p, r in wanted} == split(orders)


def test_a_row_about_people_of_several_residences_is_several(mapped: Doc) -> None:
    # hallo: two Dutch people; hello: NL and US; x: two in the US; y: unknown and NL.
    assert split(table_of(mapped, "abroad", "app.message")) == {
        "several": (3, 2), "NL": (2, 1), "US": (2, 1),
    }  # fmt: skip


def test_rows_of_nobody_are_counted_and_every_row_is_somewhere(shop: Path, mapped: Doc) -> None:
    assert split(table_of(mapped, "abroad", "app.address"))["nobody"] == (0, 1)
    assert split(table_of(mapped, "abroad", "app.product")) == {"nobody": (0, 2)}
    for store in mapped["stores"]:
        for table in store["tables"]:
            name = table["name"].removeprefix("app.")
            ((rows,),) = ask(shop.parent / f"{store['name']}.db", f'SELECT count(*) FROM "{name}"')
            assert table["rows"] == rows == sum(s["rows"] for s in table["rows_by_residence"])


def test_owners_and_their_routes(mapped: Doc) -> None:
    owners = {t["name"]: t["owner"] for s in mapped["stores"][:1] for t in s["tables"]}
    assert {n: (o["role"], o["subject"], o["route"]) for n, o in owners.items()} == {
        "app.customer": ("register", "customer", ""),
        "app.address": ("attachment", "customer", "<customer → customer"),
        "app.order": ("dependent", "customer", "customer_id → customer"),
        "app.message": ("dependent", "customer", "receiver → customer"),
        "app.staff": ("unowned", None, ""),
        "app.product": ("reference", None, ""),
    }
    assert owners["app.message"]["routes"] == ["receiver → customer", "sender → customer"]


def test_people_who_are_registered_in_another_store(mapped: Doc) -> None:
    assert mapped["elsewhere"] == [
        {"subject": "customer", "store": "home", "residence": "US", "people": 1, "minors": 0,
         "age_unknown": 0},
    ]  # fmt: skip
    assert split(table_of(mapped, "home", "app.order")) == {"US": (2, 2)}


def test_unknowns_are_named(mapped: Doc) -> None:
    found = {(u["code"], u["store"], u["table"], u["count"]) for u in mapped["unknown"]}
    assert {
        ("residence", "abroad", "app.customer", 1), ("unreadable", "abroad", "app.customer", 1),
        ("age", "abroad", "app.customer", 2), ("unowned", "abroad", "app.staff", 1),
        ("nobody", "abroad", "app.address", 1),
    } <= found  # fmt: skip
    assert mapped["totals"]["unknown"] == len(mapped["unknown"])
    of_store = [CODES.index(u["code"]) for u in mapped["unknown"] if u["store"] == "abroad"]
    assert of_store == sorted(of_store)  # the gravest first


def test_what_is_ignored_is_not_unknown_and_keys_to_nobody_are(tmp_path: Path) -> None:
    estate = write_shop(tmp_path, ESTATE + "  app.staff: {role: ignore}\n")
    write_database(tmp_path / "abroad.db", 'INSERT INTO "order" VALUES (9, 777, 1)')
    codes = {(u["code"], u["table"], u["count"]) for u in make_map(estate)["unknown"]}
    assert not [c for c in codes if c[1] == "app.staff"]
    assert ("dangling", "app.customer", 1) in codes


def test_headline_figures(mapped: Doc) -> None:
    totals = mapped["totals"]
    assert (totals["people"], totals["minors"], totals["residence_unknown"]) == (9, 3, 2)
    assert totals["residences"] == 3
    assert totals["abroad"] == 5  # all with a known residence in the store in Singapore
    assert totals["classified"] <= totals["columns"] == 2 * 19


def test_an_empty_cell_is_described_by_the_one_with_rows(tmp_path: Path) -> None:
    estate = write_shop(tmp_path)
    (tmp_path / "home.db").unlink()
    write_database(tmp_path / "home.db", SCHEMA)
    document = make_map(estate)
    there, here = (table_of(document, s, "app.customer") for s in ("abroad", "home"))
    assert here["rows"] == 0
    assert here["rows_by_residence"] == []
    assert here["categories"] == there["categories"] != []
    email = next(c for c in here["columns"] if c["name"] == "email")
    assert email["category"] == "user.contact.email"


def test_a_cell_without_tables_is_a_cell(tmp_path: Path) -> None:
    estate = write_shop(tmp_path)
    (tmp_path / "home.db").unlink()
    write_database(tmp_path / "home.db", "PRAGMA user_version = 1")
    document = make_map(estate)
    assert [len(s["tables"]) for s in document["stores"]] == [6, 0]


LAKE = """\
  lake: {url: "file:lake", country: SG, operator: Shop Ltd, holds: events}
subjects:"""
LINK = "links:\n  - {from: events.watch.user_id, to: customer}\n"


def test_a_lake_has_rows_of_people_who_are_registered_in_databases(tmp_path: Path) -> None:
    estate = write_shop(tmp_path, ESTATE.replace("subjects:", LAKE) + LINK)
    (tmp_path / "lake" / "watch").mkdir(parents=True)
    users = [1, 1, 2, 3, 50, 6, 777]  # two in NL, two in the US, one unknown, one of nobody
    part = tmp_path / "lake" / "watch" / "part.parquet"
    duckdb.sql(f"COPY (SELECT unnest({users}) AS user_id) TO '{part}' (FORMAT parquet)")
    document = make_map(estate, date.fromisoformat(DAY))
    watch = table_of(document, "lake", "events.watch")
    assert split(watch) == {"NL": (2, 3), "US": (2, 2), "unknown": (1, 1), "nobody": (0, 1)}
    assert watch["owner"]["route"] == "user_id → customer"
    away = [p for p in document["elsewhere"] if p["store"] == "lake"]
    assert [(p["residence"], p["people"]) for p in away] == [("NL", 2), ("US", 2), (None, 1)]
    assert document["totals"]["people"] == 9  # nobody is counted twice


def test_nothing_of_any_row_is_in_the_map(mapped: Doc) -> None:
    text = str(mapped)
    for value in ("example.org", "Kade", "hallo", "Sunken", "2008-11-2"):
        assert value not in text


def test_nothing_in_the_stores_changes(tmp_path: Path) -> None:
    estate = write_shop(tmp_path)
    before = [(tmp_path / f"{s}.db").read_bytes() for s in ("abroad", "home")]
    make_map(estate)
    assert [(tmp_path / f"{s}.db").read_bytes() for s in ("abroad", "home")] == before


def test_the_log_says_that_it_was_made_in_counts(shop: Path, mapped: Doc) -> None:
    assert mapped["digest"] == digest({k: v for k, v in mapped.items() if k != "digest"})
    made = entry(mapped)
    assert made["map_digest"] == mapped["digest"]
    assert {"subject": "customer", "store": "abroad", "residence": "ZZ", "people": 2,
            "minors": 0} in made["people"]  # fmt: skip
    assert [s["rows"] for s in made["stores"]] == [25, 5]
    log = read_log(state_directory(shop))
    assert [log.entry(i)["kind"] for i in range(log.size)] == ["survey"]


def test_a_list_of_people_too_long_for_an_entry_is_left_to_the_digest(mapped: Doc) -> None:
    line = mapped["people"][0]
    assert "people" in entry({**mapped, "people": [line] * MOST_PEOPLE_LINES})
    assert "people" not in entry({**mapped, "people": [line] * (MOST_PEOPLE_LINES + 1)})
