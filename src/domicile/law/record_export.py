"""The record of processing activities for other programs: as CSV, and as DPV in JSON-LD.

DPV is the Data Privacy Vocabulary of the W3C's community group (https://w3id.org/dpv, 2.x); its
context is in the document, so that nothing is fetched to read it. Categories and uses keep their
Fideslang keys beside the DPV terms, which have no equal for most of them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from domicile.cells import safe

Doc = Mapping[str, Any]

HEADER = ("point", "what", "name", "country", "party", "purposes", "categories", "mandate",
          "clause", "says")  # fmt: skip
"""The columns; `point` is the letter of Art. 30(1), empty for what the article does not ask for."""

CONTEXT: dict[str, Any] = {
    "dpv": "https://w3id.org/dpv#",
    "pd": "https://w3id.org/dpv/pd#",
    "loc": "https://w3id.org/dpv/loc#",
    "dct": "http://purl.org/dc/terms/",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "id": "@id",
    "type": "@type",
    "label": "rdfs:label",
    "says": "rdfs:comment",
    "key": "dct:identifier",
    "asOf": {"@id": "dct:valid", "@type": "xsd:date"},
    "name": "dpv:hasName",
    "controller": {"@id": "dpv:hasDataController", "@type": "@id"},
    "process": {"@id": "dpv:hasProcess", "@type": "@id"},
    "purpose": {"@id": "dpv:hasPurpose", "@type": "@id"},
    "data": {"@id": "dpv:hasPersonalData", "@type": "@id"},
    "people": {"@id": "dpv:hasDataSubject", "@type": "@id"},
    "recipient": {"@id": "dpv:hasRecipient", "@type": "@id"},
    "country": {"@id": "dpv:hasCountry", "@type": "@id"},
    "thirdCountry": {"@id": "dpv:hasThirdCountry", "@type": "@id"},
    "storage": {"@id": "dpv:hasStorageCondition", "@type": "@id"},
    "duration": {"@id": "dpv:hasDuration", "@type": "@id"},
    "entity": {"@id": "dpv:hasEntity", "@type": "@id"},
    "measure": {"@id": "dpv:hasTechnicalOrganisationalMeasure", "@type": "@id"},
}
"""The document's own words, and the terms of DPV, DPV-PD and DPV-LOC that they stand for."""

DATA = {
    "user.contact.email": "pd:EmailAddress",
    "user.demographic.date_of_birth": "pd:BirthDate",
}
"""Fideslang categories for which DPV-PD has a term of the same meaning."""


def to_csv(document: Doc) -> str:
    """The record as RFC 4180 text with CRLF, a line for each fact."""
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, HEADER, restval="")
    writer.writeheader()
    for line in _lines(document):
        writer.writerow({name: safe(text) for name, text in line.items()})
    return file.getvalue()


def to_dpv(document: Doc) -> dict[str, Any]:
    """The record as a JSON-LD document.

    Nodes have relative ids (`#store-texas`), which are the document's own.
    """
    away = frozenset(t["country"] for t in document["transfers"])
    controller = document["controller"]
    own = controller["name"] if controller else ""
    whole: dict[str, Any] = {
        "id": "#record", "type": "dpv:PersonalDataProcess",
        "label": f"Record of processing activities of {document['estate']}",
        "asOf": document["as_of"], "key": document["estate_digest"],
        "people": [
            {"id": _id("people", p["subject"]), "type": "dpv:DataSubject", "label": p["subject"]}
            for p in document["people"]
        ],
        "data": [_data(category) for category in document["categories"]],
        "purpose": [_purpose(use) for use in document["purposes"]],
        "process": [_flow(at, flow, away) for at, flow in enumerate(document["recipients"])],
        "storage": [_store(store, own, away) for store in document["stores"]] + [
            {
                "id": _id("limit", limit["mandate"], limit["clause"]),
                "type": "dpv:StorageCondition",
                "duration": {
                    "id": _id("duration", limit["mandate"], limit["clause"]),
                    "type": "dpv:StorageDuration", "says": limit["says"],
                },
            }
            for limit in document["limits"]
        ],
        "measure": [
            {
                "id": _id("measure", measure["mandate"], measure["clause"]),
                "type": "dpv:TechnicalOrganisationalMeasure",
                "label": f"{measure['mandate']}/{measure['clause']}", "says": measure["says"],
            }
            for measure in document["measures"]
        ],
    }  # fmt: skip
    if controller:
        whole["controller"] = _party("dpv:DataController", controller)
    return {"@context": CONTEXT, **{name: value for name, value in whole.items() if value != []}}


def _lines(document: Doc) -> Iterator[dict[str, str]]:
    if document["controller"]:
        yield {"point": "a", "what": "controller", **document["controller"]}
    for use in document["purposes"]:
        yield {"point": "b", "what": "purpose", "name": use}
    for people in document["people"]:
        yield {
            "point": "c",
            "what": "people",
            "name": people["subject"],
            "says": people["register"],
        }
    for category in document["categories"]:
        yield {"point": "c", "what": "category", "name": category}
    for flow in document["recipients"]:
        yield {
            "point": "d", "what": "recipient", "name": flow["to"], "country": flow["country"],
            "party": flow["from"], "purposes": " ".join(flow["uses"]),
            "categories": " ".join(flow["categories"]),
        }  # fmt: skip
    for store in document["stores"]:
        yield {
            "point": "e", "what": "store", "name": store["store"], "country": store["country"],
            "party": store["operator"], "says": store["holds"] or "",
        }  # fmt: skip
    for each in document["transfers"]:
        yield {"point": "e", "what": "transfer", "name": each["what"], "country": each["country"]}
    for point, what in (("f", "limits"), ("g", "measures")):
        for each in document[what]:
            yield {"point": point, "what": what.removesuffix("s"), **each}
    for hold in document["holds"]:
        about = " ".join([*hold["tables"], *hold["subjects"]])
        yield {"point": "", "what": "legal hold", "name": hold["name"], "party": about,
               "says": hold["reason"]}  # fmt: skip
    for missing in document["missing"]:
        yield {"point": "", "what": "missing", "says": missing}


def _id(*parts: str) -> str:
    return "#" + "-".join(quote(part, safe="") for part in parts)


def _country(code: str, away: frozenset[str]) -> dict[str, str]:
    """In the words of DPV: a third country is one outside the EEA."""
    return {"thirdCountry" if code in away else "country": f"loc:{code}"} if code else {}


def _party(kind: str, organisation: Doc, away: frozenset[str] = frozenset()) -> dict[str, Any]:
    return {
        "id": _id("party", organisation["name"]), "type": kind, "name": organisation["name"],
        **_country(organisation["country"], away),
    }  # fmt: skip


def _data(category: str) -> dict[str, Any]:
    known = [DATA[category]] if category in DATA else []
    return {"id": _id("data", category), "type": ["dpv:PersonalData", *known], "key": category}


def _purpose(use: str) -> dict[str, Any]:
    return {"id": _id("purpose", use), "type": "dpv:Purpose", "key": use}


def _flow(number: int, flow: Doc, away: frozenset[str]) -> dict[str, Any]:
    to = {"name": flow["to"], "country": flow["country"]}
    node: dict[str, Any] = {
        "id": f"#flow-{number}", "type": "dpv:PersonalDataProcess",
        "label": f"{flow['from']} to {flow['to']}",
        "recipient": _party("dpv:Recipient", to, away),
    }  # fmt: skip
    node |= {"purpose": [_purpose(u) for u in flow["uses"]]} if flow["uses"] else {}
    return node | ({"data": [_data(c) for c in flow["categories"]]} if flow["categories"] else {})


def _store(store: Doc, own: str, away: frozenset[str]) -> dict[str, Any]:
    """Where data rest; whoever runs it and is not the controller processes for them."""
    operator = {"id": _id("party", store["operator"]), "name": store["operator"]}
    operator |= {"type": "dpv:DataProcessor"} if store["operator"] != own else {}
    return {
        "id": _id("store", store["store"]), "type": ["dpv:StorageCondition", "dpv:StorageLocation"],
        "label": store["store"], "entity": operator, **_country(store["country"], away),
    }  # fmt: skip
