"""The data map: by store, table, category and residence, with people and rows.

One JSON document (docs/commands/map.md; design.md, section 9) that every format is made from. It
holds names and counts, and no value of any row. It is also what Art. 30 GDPR asks to be on record:
categories of people and of data, and the countries in which the data rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from domicile.estate.document import digest
from domicile.estate.load import load_estate
from domicile.estate.model import Estate
from domicile.evidence.kinds import make
from domicile.evidence.place import open_log, state_directory
from domicile.survey.classify_verdict import Verdict
from domicile.survey.columns import categories, personal
from domicile.survey.map_routes import Route, routes
from domicile.survey.map_rows import Residences, Share
from domicile.survey.map_unknown import unknowns
from domicile.survey.objects import Objects, labels_of_folders
from domicile.survey.objects_map import folders
from domicile.survey.objects_map import unknowns as file_unknowns
from domicile.survey.state import State
from domicile.survey.survey import Cell, Survey, exact_rows

VERSION = 1

NO_COUNTRY = "ZZ"
"""How the evidence writes an unknown residence: a code that ISO 3166-1 leaves to users."""

MOST_PEOPLE_LINES = 600
"""Lines of people that one entry of the log has room for; a longer list is bound by its digest."""

Doc = dict[str, Any]


def make_map(
    path: Path, as_of: date | None = None, progress: Callable[[str], None] = lambda _: None,
    also: Callable[[Survey], None] = lambda _: None,
) -> Doc:  # fmt: skip
    """The data map of the estate declared in `path`; ages as on `as_of` (today in UTC).

    The log records that it was made: counts and digests only. Nothing in the stores is changed.
    `also` is called with the survey while it is open. Raises DomicileError.
    """
    day = as_of or datetime.now(UTC).date()
    estate = load_estate(path)
    directory = state_directory(path)
    state = State(directory)
    try:
        with Survey(estate, state) as survey:
            progress("reading the registers")
            survey.people()
            document = _document(survey, day, progress)
            also(survey)
    finally:
        state.close()
    open_log(directory, estate.name).append([entry(document)])
    return document


def _document(survey: Survey, day: date, progress: Callable[[str], None]) -> Doc:
    estate = survey.estate
    stores: list[Doc] = []
    people: list[Doc] = []
    elsewhere: list[Doc] = []
    unknown: list[Doc] = []
    residences: dict[str, Residences] = {}
    totals = {cell.name: exact_rows(cell) for cell in survey.cells.values()}
    progress("classifying columns")
    verdicts = _classified(survey, totals)
    for cell in survey.cells.values():
        progress(f"{cell.name}: whose row is it")
        found = residences[cell.name] = Residences(cell, day)
        found.own()
        here = {s: found.people(s) for s, p in cell.people.items() if p.local}
        for subject, shares in here.items():
            people += [_person(subject, cell, s) for s in shares]
        for subject in cell.people:
            elsewhere += [_person(subject, cell, s) for s in found.elsewhere(subject)]
        rows = found.rows(totals[cell.name])
        unknown += unknowns(cell, here, verdicts[cell.name], rows)
        stores.append(_store(cell, here, totals[cell.name], rows, verdicts[cell.name]))
    files: list[Doc] = []
    for holds in labels_of_folders(survey):
        objects = Objects(survey, holds)
        survey.until_closed(objects.close)
        objects.survey_files(progress)
        files += folders(objects, residences)
        unknown += file_unknowns(objects)
    document: Doc = {
        "version": VERSION,
        "estate": estate.name,
        "controller": estate.controller.name if estate.controller else None,
        "estate_digest": estate.digest,
        "as_of": day.isoformat(),
        "stores": stores,
        "files": files,
        "people": people,
        "elsewhere": elsewhere,
        "unknown": unknown,
        "totals": _totals(estate, stores, people, unknown),
    }
    document["digest"] = digest(document)
    return document


def _classified(
    survey: Survey, totals: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[str, dict[str, Verdict]]]:
    """Verdicts by store, table and column.

    A column that nothing could tell because its table is empty here is what a cell of the same
    schema, with rows in it, says that it is.
    """
    found = {cell.name: categories(cell) for cell in survey.cells.values()}
    for cell in survey.cells.values():
        siblings = [c for c in survey.of(cell.declared.holds) if c is not cell]
        for table, verdicts in found[cell.name].items():
            if totals[cell.name][table]:
                continue
            for column, verdict in verdicts.items():
                told = [
                    (c.name, v)
                    for c in siblings
                    if (v := found[c.name].get(table, {}).get(column)) and v.category
                ]
                if not verdict.category and told:
                    name, there = told[0]
                    verdicts[column] = replace(there, reason=f"as in {name}: {there.reason}")
    return found


def _person(subject: str, cell: Cell, share: Share) -> Doc:
    return {
        "subject": subject, "store": cell.name, "residence": share.residence,
        "people": share.people, "minors": share.minors, "age_unknown": share.ageless,
    }  # fmt: skip


def _store(
    cell: Cell, people: Mapping[str, Sequence[Share]], totals: Mapping[str, int],
    rows: Mapping[str, Sequence[Share]], verdicts: Mapping[str, Mapping[str, Verdict]],
) -> Doc:  # fmt: skip
    ways = routes(cell.graph)
    tables = [
        _table(cell, table, totals[table], rows[table], verdicts[table], ways.get(table, []))
        for table in sorted(cell.schema.tables)
    ]
    return {
        "name": cell.name,
        "country": cell.declared.country,
        "operator": cell.declared.operator,
        "holds": cell.declared.holds,
        "kind": cell.declared.kind,
        "people": sum(s.people for shares in people.values() for s in shares),
        "rows": sum(totals.values()),
        "tables": tables,
    }


def _table(
    cell: Cell, table: str, total: int, rows: Sequence[Share],
    verdicts: Mapping[str, Verdict], ways: Sequence[Route],
) -> Doc:  # fmt: skip
    shape = cell.schema.tables[table]
    role: str = cell.graph.roles[table]
    if role == "plain":
        role = "dependent" if table in cell.graph.owned else "unowned"
    return {
        "name": str(cell.graph.name(table)),
        "holds": cell.declared.holds,
        "rows": total,
        "owner": {
            "subject": ways[0].subject if ways else None,
            "route": str(ways[0]) if ways else "",
            "role": role,
            "routes": [str(way) for way in ways if way.hops],
        },
        "categories": personal(dict(verdicts)),
        "rows_by_residence": [
            {"residence": s.residence, "whose": s.whose, "people": s.people, "rows": s.rows}
            for s in rows
        ],
        "columns": [
            {
                "name": column.name, "type": column.type,
                "category": verdicts[column.name].category,
                "also": list(verdicts[column.name].also),
                "confidence": round(verdicts[column.name].confidence, 3),
                "by": verdicts[column.name].by, "reason": verdicts[column.name].reason,
            }
            for column in shape.columns
        ],
    }  # fmt: skip


def _totals(
    estate: Estate, stores: Sequence[Doc], people: Sequence[Doc], unknown: Sequence[Doc]
) -> Doc:
    """The headline figures. `abroad`: people whose register row rests outside their residence."""
    country = {s.name: s.country for s in estate.stores}
    columns = [c for s in stores for t in s["tables"] for c in t["columns"]]
    known = [p for p in people if p["residence"]]
    return {
        "people": sum(p["people"] for p in people),
        "minors": sum(p["minors"] for p in people),
        "age_unknown": sum(p["age_unknown"] for p in people),
        "residence_unknown": sum(p["people"] for p in people if not p["residence"]),
        "residences": len({p["residence"] for p in known}),
        "abroad": sum(p["people"] for p in known if p["residence"] != country[p["store"]]),
        "stores": len(stores),
        "tables": sum(len(s["tables"]) for s in stores),
        "rows": sum(s["rows"] for s in stores),
        "columns": len(columns),
        "classified": sum(1 for c in columns if c["category"]),
        "unknown": len(unknown),
    }


def entry(document: Doc) -> dict[str, Any]:
    """The map as an entry of the evidence log: counts, names of stores and subjects, digests."""
    people = [
        {
            "subject": p["subject"], "store": p["store"], "people": p["people"],
            "residence": p["residence"] or NO_COUNTRY, "minors": p["minors"],
        }
        for p in document["people"]
    ]  # fmt: skip
    codes = [u["code"] for u in document["unknown"]]
    return make(
        "survey", document["estate"], estate_digest=document["estate_digest"],
        map_digest=document["digest"],
        stores=[
            {
                "store": s["name"], "country": s["country"], "operator": s["operator"],
                "tables": len(s["tables"]), "rows": s["rows"],
            }
            for s in document["stores"]
        ],
        people=people if len(people) <= MOST_PEOPLE_LINES else None,
        unknown=len(codes), unowned=codes.count("unowned"),
        unclassified=codes.count("unclassified"),
    )  # fmt: skip
