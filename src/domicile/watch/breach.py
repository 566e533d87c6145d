"""A breach of a store: whose data of which categories lay there, and who must be told by when."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from domicile.errors import UsageError
from domicile.estate.document import suggestion
from domicile.estate.load import load_estate
from domicile.evidence.bulk import CHECKPOINT
from domicile.evidence.place import (
    log_files,
    read_log,
    state_directory,
    verifier_path,
)
from domicile.evidence.reader import read_file
from domicile.law.clocks import due_time
from domicile.law.load import load_mandates
from domicile.law.model import Mandate
from domicile.survey.datamap import NO_COUNTRY, make_map

Doc = dict[str, Any]


def breach(
    path: Path, store: str, since: date, until: date, aware: datetime,
    progress: Callable[[str], None] = lambda _: None,
) -> Doc:  # fmt: skip
    """Whose data lay in a store from one day to another, by country, and the duties that follow.

    People are those that the map of today finds there, and those that surveys of the time recorded
    in the log: the most of either, since some may have left. Raises DomicileError;
    EvidenceError when there is a log and it cannot be read.
    """
    if until < since:
        raise UsageError(f"--until {until} is before --since {since}")
    estate = load_estate(path)
    names = [each.name for each in estate.stores]
    if store not in names:
        raise UsageError(
            f"got {store}, expected a declared store",
            hint=suggestion(store, names, names="Declared"),
        )
    seen = make_map(path, until, progress)
    place = next(s for s in seen["stores"] if s["name"] == store)
    people = _people(seen, store)
    surveys = _then(path, store, since, until)
    for then in surveys:
        for key, count in then.items():
            people[key] = max(people.get(key, 0), count)
    noticed = aware.astimezone(UTC).date()  # the duties are of the day on which one knows of it
    mandates = load_mandates(estate, (), noticed)
    by_country: dict[str, int] = {}
    for (_, residence), count in people.items():
        by_country[residence] = by_country.get(residence, 0) + count
    return {
        "version": 1,
        "estate": estate.name,
        "controller": estate.controller.name if estate.controller else None,
        "store": store,
        "country": place["country"],
        "operator": place["operator"],
        "since": since.isoformat(),
        "until": until.isoformat(),
        "aware": aware.astimezone(UTC).isoformat(timespec="minutes"),
        "surveys": len(surveys),
        "people": [
            {"country": code or None, "people": count}
            for code, count in sorted(by_country.items(), key=lambda pair: (-pair[1], pair[0]))
        ],
        "tables": [
            {"table": t["name"], "rows": t["rows"], "categories": t["categories"]}
            for t in place["tables"]
            if t["categories"]
        ],
        "categories": sorted({c for t in place["tables"] for c in t["categories"]}),
        "tell": _tell(mandates, by_country, aware, noticed),
    }


def _people(seen: Mapping[str, Any], store: str) -> dict[tuple[str, str], int]:
    """People by (subject, residence), of the register there or of rows about them."""
    found: dict[tuple[str, str], int] = {}
    for line in (*seen["people"], *seen["elsewhere"]):
        if line["store"] == store:
            key = line["subject"], line["residence"] or ""
            found[key] = found.get(key, 0) + line["people"]
    return found


def _then(path: Path, store: str, since: date, until: date) -> list[dict[tuple[str, str], int]]:
    """What surveys of the time recorded: those of these days, and the last one before them."""
    state = state_directory(path)
    if not verifier_path(state).exists() and read_file(log_files(state), CHECKPOINT) is None:
        return []  # nothing was ever recorded; a log that is damaged is an error
    log = read_log(state)
    every = [log.entry(number) for number in range(log.size)]
    surveys = [e for e in every if e["kind"] == "survey" and "people" in e]
    before = [e for e in surveys if e["time"][:10] < since.isoformat()][-1:]
    during = [e for e in surveys if since.isoformat() <= e["time"][:10] <= until.isoformat()]
    return [_recorded(entry["people"], store) for entry in (*before, *during)]


def _recorded(people: Iterable[Mapping[str, Any]], store: str) -> dict[tuple[str, str], int]:
    return {
        (p["subject"], "" if p["residence"] == NO_COUNTRY else p["residence"]): p["people"]
        for p in people
        if p["store"] == store
    }


def _tell(
    mandates: Sequence[Mandate], by_country: Mapping[str, int], aware: datetime, day: date
) -> list[Doc]:
    """A line for each duty on a breach and each country whose people it protects."""
    lines: list[Doc] = []
    for mandate in mandates:
        for clause in mandate.clauses:
            if clause.kind != "report" or clause.body.get("on") != "breach":
                continue
            if not mandate.binds(clause, day):
                continue
            protects = mandate.protects
            due = due_time(clause, aware)
            for code, count in sorted(by_country.items()):
                known = not protects.residence or code in protects.residence
                if not known and (code or protects.unknown_residence != "protect"):
                    continue
                lines.append({
                    "mandate": mandate.id,
                    "clause": clause.id,
                    "to": list(clause.body["to"]),
                    "country": code or None,
                    "people": count,
                    "by": due.astimezone(UTC).isoformat(timespec="minutes") if due else None,
                    "verified": clause.body.get("verified"),
                })  # fmt: skip
    return sorted(lines, key=lambda line: (line["by"] or "", line["country"] or "~"))
