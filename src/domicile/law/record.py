"""The record of processing activities (Art. 30(1) GDPR), made from what the estate declares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from domicile.estate.countries import country_name
from domicile.estate.model import Estate, Organisation
from domicile.law.control import organisations
from domicile.law.countries import members
from domicile.law.model import Mandate

Doc = dict[str, Any]


def record(estate: Estate, mandates: Sequence[Mandate], as_of: date) -> Doc:
    """The record on a day, as JSON: what Art. 30(1) asks for, point by point.

    (a) controller, (b) purposes, (c) categories of people and of data, (d) recipients,
    (e) transfers to third countries, (f) time limits, (g) measures. What the estate does not
    declare is listed under `missing`.
    """
    binding = [m for m in mandates if m.makes_steps(as_of)]
    document: Doc = {
        "version": 1,
        "estate": estate.name,
        "estate_digest": estate.digest,
        "as_of": as_of.isoformat(),
        "controller": _controller(estate.controller),
        "purposes": sorted({use for flow in estate.flows for use in flow.uses}),
        "people": [
            {"subject": s.name, "register": str(s.register)} for s in estate.subjects
        ],
        "categories": sorted(
            {v.category for v in estate.columns.values()}
            | {category for flow in estate.flows for category in flow.categories}
        ),
        "stores": [
            {"store": s.name, "holds": s.holds, "country": s.country, "operator": s.operator}
            for s in estate.stores
        ],
        "recipients": _recipients(estate),
        "transfers": list(_transfers(estate, as_of)),
        "limits": list(_limits(binding, as_of)),
        "measures": list(_measures(binding, as_of)),
        "holds": [
            {"name": h.name, "reason": h.reason, "tables": [str(t) for t in h.tables],
             "subjects": list(h.subjects)}
            for h in estate.legal_holds
        ],
    }  # fmt: skip
    document["missing"] = list(_missing(estate, document))
    return document


def markdown(document: Doc) -> str:
    """The record for a person, or for the authority that asks for it."""
    controller = document["controller"]
    lines = [
        f"# Record of processing activities: {document['estate']}",
        "",
        f"As of {document['as_of']}, Article 30(1) GDPR. From {document['estate_digest'][:23]}….",
        "",
        "## (a) Controller",
        "",
        f"{controller['name']}, {country_name(controller['country'])}"
        if controller
        else "Not declared.",
        "",
        "## (b) Purposes",
        "",
        *_bullets(document["purposes"]),
        "## (c) Categories of people and of personal data",
        "",
        *_bullets(f"{p['subject']} ({p['register']})" for p in document["people"]),
        *_bullets(document["categories"]),
        "## (d) Recipients",
        "",
        *_table(
            ("from", "recipient", "country", "uses", "categories"),
            [
                (r["from"], r["to"], r["country"] or "not declared", ", ".join(r["uses"]),
                 ", ".join(r["categories"]))
                for r in document["recipients"]
            ],
        ),
        "## (e) Where it rests, and transfers to third countries",
        "",
        *_table(
            ("store", "holds", "country", "operator"),
            [(s["store"], s["holds"], s["country"], s["operator"]) for s in document["stores"]],
        ),
        *_bullets(f"{t['what']}: {t['country']}" for t in document["transfers"]),
        "## (f) Time limits",
        "",
        *_bullets(f"{each['mandate']}/{each['clause']}: {each['says']}"
                  for each in document["limits"]),
        "## (g) Measures",
        "",
        *_bullets(f"{each['mandate']}/{each['clause']}: {each['says']}"
                  for each in document["measures"]),
        "## Legal holds",
        "",
        *_bullets(f"{h['name']}: {h['reason']}" for h in document["holds"]),
        "## Missing",
        "",
        *_bullets(document["missing"]),
    ]  # fmt: skip
    return "\n".join(lines).rstrip() + "\n"


def _controller(controller: Organisation | None) -> Doc | None:
    return {"name": controller.name, "country": controller.country} if controller else None


def _recipients(estate: Estate) -> list[Doc]:
    declared = organisations(estate)
    return [
        {
            "from": flow.source,
            "to": flow.to,
            "country": flow.country or (declared[flow.to].country if flow.to in declared else ""),
            "uses": list(flow.uses),
            "categories": list(flow.categories),
        }
        for flow in estate.flows
    ]


def _transfers(estate: Estate, as_of: date) -> Iterator[Doc]:
    """Stores and recipients outside the EEA; which of them are adequate is a mandate's to say."""
    inside = members("EEA", as_of)
    for store in estate.stores:
        if store.country not in inside:
            yield {"what": f"store {store.name} ({store.operator})", "country": store.country}
    for flow in _recipients(estate):
        if flow["country"] and flow["country"] not in inside:
            what = f"flow from {flow['from']} to {flow['to']}"
            yield {"what": what, "country": flow["country"]}


def _limits(mandates: Sequence[Mandate], as_of: date) -> Iterator[Doc]:
    for mandate in mandates:
        for clause in mandate.clauses:
            if clause.kind == "retain" and mandate.binds(clause, as_of):
                body = clause.body
                for unit in ("days", "months", "years"):
                    if unit in body:
                        after = f" after {body['after']}" if "after" in body else ""
                        says = f"{body[unit]} {unit}{after}"
                        yield {"mandate": mandate.id, "clause": clause.id, "says": says}
                if "while" in body:
                    says = f"as long as {body['while']}"
                    yield {"mandate": mandate.id, "clause": clause.id, "says": says}


def _measures(mandates: Sequence[Mandate], as_of: date) -> Iterator[Doc]:
    for mandate in mandates:
        for clause in mandate.clauses:
            if clause.kind in ("store", "access") and mandate.binds(clause, as_of):
                says = clause.body.get("form") or (
                    "data rest in " + ", ".join(sorted(clause.countries) or ["any country"])
                    if clause.kind == "store"
                    else "access is limited"
                )
                yield {"mandate": mandate.id, "clause": clause.id, "says": says}


def _missing(estate: Estate, document: Doc) -> Iterator[str]:
    if estate.controller is None:
        yield "the controller: `controller` in the estate"
    if not document["purposes"]:
        yield "purposes: `uses` of the flows"
    if not document["limits"]:
        yield "time limits: a mandate with `retain` clauses"
    for flow in document["recipients"]:
        for key in ("country", "uses", "categories"):
            if not flow[key]:
                yield f"the {key} of the flow from {flow['from']} to {flow['to']}"


def _bullets(lines: Iterator[str] | Sequence[str] | Any) -> list[str]:
    listed = [f"- {line}" for line in lines]
    return [*(listed or ["None declared."]), ""]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return ["None declared.", ""]
    body = [heads, ["---"] * len(heads), *rows]
    return [*("| " + " | ".join(row) + " |" for row in body), ""]
