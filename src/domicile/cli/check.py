"""`domicile check`: the declarations, validated and listed; no store is connected to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from domicile.cli.closed import show_closed
from domicile.cli.output import Day, Output, estate_option, output_options
from domicile.counted import counted

if TYPE_CHECKING:
    from domicile.estate.model import Estate
    from domicile.law.conflicts import Conflict
    from domicile.law.model import Mandate


@click.command(short_help="Validate the estate and the mandates.")
@estate_option
@click.option(
    "--mandate",
    "extra",
    multiple=True,
    metavar="FILE",
    help="One more: a file or an id of the library.",
)
@click.option(
    "--as-of",
    type=Day(),
    metavar="DATE",
    help="The day to judge by; today when left out.",
)
@output_options
def command(estate: Path, extra: Sequence[str], as_of: datetime | None, out: Output) -> int:
    """Validate the estate and its mandates, list them, and say what each clause is enforced by.

    Mandates that cannot be met together for one person are named, with such a person. Nothing is
    connected to. Exit code 2, with file, line and key, when a declaration is wrong.
    """
    from domicile.estate.load import load_estate
    from domicile.evidence.place import state_directory
    from domicile.law.conflicts import conflicts
    from domicile.law.idle import idle
    from domicile.law.load import load_mandates
    from domicile.law.standing import closed_now

    day = as_of.date() if as_of else datetime.now(UTC).date()
    declared = load_estate(estate)
    mandates = load_mandates(declared, extra, day)
    found = conflicts(declared, mandates, day)
    alone = [str(conflict) for conflict in found if len(conflict.clauses) == 1]
    found = tuple(conflict for conflict in found if len(conflict.clauses) > 1)
    warnings = [*_warnings(declared, mandates, day), *alone]
    document = _document(declared, mandates, found, warnings, day)
    document["findings"] = _flows(declared, mandates, day)
    document["idle"] = [
        {"mandate": i.mandate, "clause": i.clause, "state": i.state, "reason": i.reason}
        for i in idle(declared, mandates, day)
    ]
    closed = closed_now(state_directory(estate), mandates, day)
    document["closed"] = [each.as_json() for each in closed]
    out.emit(document, lambda: _show(out, document))
    return 0


def _document(
    estate: Estate,
    mandates: Sequence[Mandate],
    found: Sequence[Conflict],
    warnings: Sequence[str],
    day: date,
) -> dict[str, Any]:
    from domicile.law.kinds import enforced_by, is_enforced

    return {
        "version": 1,
        "estate": estate.name,
        "digest": estate.digest,
        "as_of": day.isoformat(),
        "stores": [
            {
                "name": store.name,
                "country": store.country,
                "operator": store.operator,
                "holds": store.holds,
                "schema": store.schema,
                "url": store.shown,
            }
            for store in estate.stores
        ],
        "subjects": [
            {
                "name": subject.name,
                "register": str(subject.register),
                "key": list(subject.key),
                "residence": str(subject.residence) if subject.residence else None,
                "born": str(subject.born) if subject.born else None,
            }
            for subject in estate.subjects
        ],
        "mandates": [
            {
                "id": mandate.id,
                "title": mandate.title,
                "citation": mandate.citation,
                "status": mandate.status,
                "effective": mandate.effective.isoformat(),
                "deadline": mandate.deadline.isoformat() if mandate.deadline else None,
                "makes_steps": mandate.makes_steps(day),
                "digest": mandate.digest,
                "clauses": [
                    {
                        "id": clause.id,
                        "kind": clause.kind,
                        "otherwise": clause.body["otherwise"],
                        "enforced": is_enforced(clause.kind),
                        "enforced_by": enforced_by(clause.kind),
                        "verified": clause.body.get("verified"),
                    }
                    for clause in mandate.clauses
                ],
            }
            for mandate in mandates
        ],
        "conflicts": [
            {
                "clauses": [{"mandate": mandate, "clause": each} for mandate, each in c.clauses],
                "holds": c.holds,
                "category": c.category,
                "example": c.person._asdict(),
                "in_law": c.in_law,
                "about": c.about,
                "who": c.example,
                "resolve": c.resolve,
                "detail": str(c),
            }
            for c in found
        ],
        "warnings": list(warnings),
    }


def _flows(estate: Estate, mandates: Sequence[Mandate], day: date) -> list[dict[str, Any]]:
    from domicile.law.flows import flow_findings
    from domicile.law.offers import offer_findings

    return [
        {
            "mandate": found.mandate,
            "clause": found.clause,
            "state": found.state,
            "flow": found.shown,
            "categories": list(found.categories),
            "over": dict(found.over) if found.over else None,
            "reason": found.reason,
        }
        for found in flow_findings(estate, mandates, day)
    ] + [
        {
            "mandate": found.mandate,
            "clause": found.clause,
            "state": found.state,
            "flow": found.shown,
            "categories": [],
            "over": None,
            "reason": found.reason,
        }
        for found in offer_findings(estate, mandates, day)
    ]


def _show(out: Output, document: dict[str, Any]) -> None:
    stores = document["stores"]
    out.say(
        f"Estate {document['estate']}: {counted(len(stores), 'store')}, {document['digest'][:23]}…"
    )
    out.table(
        "Stores",
        ["store", "country", "operator", "holds", "where"],
        [[s["name"], s["country"], s["operator"], s["holds"], s["url"]] for s in stores],
    )
    if document["mandates"]:
        out.table(
            f"Mandates on {document['as_of']}",
            ["mandate", "status", "effective", "deadline", "makes steps"],
            [
                [m["id"], m["status"], m["effective"], m["deadline"] or "-", m["makes_steps"]]
                for m in document["mandates"]
            ],
        )
        out.table(
            "Clauses",
            ["clause", "kind", "otherwise", "enforced by", "fact verified"],
            [
                [f"{m['id']}/{c['id']}", c["kind"], c["otherwise"], c["enforced_by"], _said(c)]
                for m in document["mandates"]
                for c in m["clauses"]
            ],
        )
    if document["findings"]:
        out.table(
            "Flows and services that a clause forbids, or perhaps",
            ["clause", "flow or service", "state", "why"],
            [
                [f"{f['mandate']}/{f['clause']}", f["flow"], f["state"], f["reason"] + _above(f)]
                for f in document["findings"]
            ],
        )
    show_closed(out, document["closed"])
    for conflict in document["conflicts"]:
        out.warn(f"conflict: {conflict['detail']}; {conflict['resolve']}")
    for each in document["idle"]:
        out.detail(f"{each['mandate']}/{each['clause']} is {each['state']}: {each['reason']}")
    for warning in document["warnings"]:
        out.warn(warning)
    out.say("No store was looked into: `domicile map` holds the declaration against the stores.")


def _above(finding: dict[str, Any]) -> str:
    over = finding["over"]
    return f"; only above {over['more_than']:,} {over['count']}" if over else ""


def _said(clause: dict[str, Any]) -> str:
    return {True: "yes", False: "no", None: "-"}[clause["verified"]]


def _warnings(estate: Estate, mandates: Sequence[Mandate], day: date) -> Iterator[str]:
    from domicile.law.idle import forbidden_stores
    from domicile.law.whole import whole

    known = {organisation.name for organisation in estate.organisations}
    known |= {estate.controller.name} if estate.controller else set()
    for store in estate.stores:
        if store.operator not in known:
            yield (
                f"store {store.name}: the operator {store.operator} is not declared under"
                " organisations, so who owns it is not known"
            )
    for flow in estate.flows:
        if flow.to not in known:
            yield f"flow from {flow.source}: the recipient {flow.to} is not declared"
    for subject in estate.subjects:
        if subject.residence is None:
            yield f"subject {subject.name}: no residence is declared: it is unknown for all"
        if subject.born is None and any(_asks_age(m, subject.name) for m in mandates):
            yield f"subject {subject.name}: no birth date is declared, and a mandate asks for ages"
    if not estate.subjects:
        yield "no subjects are declared, so no row is anybody's: run `domicile init`"
    if not mandates:
        yield "no mandate: put one in mandates/ beside the estate, or list them under mandates:"
    for mandate in mandates:
        late = (day - mandate.deadline).days if mandate.deadline else 0
        if late > 0 and mandate.makes_steps(day):
            yield f"mandate {mandate.id}: the deadline {mandate.deadline} was {late} days ago"
        if said := whole(mandate):
            yield said
        for clause in mandate.clauses:
            for operator in sorted(clause.operators - known):
                yield f"mandate {mandate.id}/{clause.id}: {operator} is not declared"
    for name, _ in forbidden_stores(estate, mandates, day):
        store = estate.store(name)
        yield (
            f"store {store.name} ({store.country}, {store.operator}): no store clause allows"
            " the data of anyone protected there"
        )


def _asks_age(mandate: Mandate, subject: str) -> bool:
    protects = mandate.protects
    asked = protects.age_under is not None or protects.age_from is not None
    return asked and (not protects.subjects or subject in protects.subjects)
