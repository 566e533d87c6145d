"""The Art. 30 record as CSV and as DPV: every fact is in both, as readers that are not ours say."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from rdflib import Graph, Namespace, URIRef
from rdflib.namespace import DCTERMS, RDF

from domicile.cli.main import main
from domicile.estate.load import load_estate
from domicile.law.load import load_mandate
from domicile.law.record import record
from domicile.law.record_export import CONTEXT, HEADER, to_csv, to_dpv
from domicile.law.source import library
from tests.law.test_flows import DAY, ESTATE

DPV = Namespace("https://w3id.org/dpv#")
PD = Namespace("https://w3id.org/dpv/pd#")
LOC = Namespace("https://w3id.org/dpv/loc#")
BASE = "https://clips.example/record"

FLOWS = """\
flows:
  - from: app
    to: Ad Exchange Inc
    categories: [user.contact.email]
    uses: [marketing.advertising]
  - {from: app, to: Cloud GmbH, categories: [user.behavior], uses: [essential.service]}
legal_holds:
  - {name: case, reason: "=HYPERLINK(1)", tables: [app.person]}
"""


@pytest.fixture
def estate(tmp_path: Path) -> Path:
    file = tmp_path / "estate.yaml"
    file.write_text(ESTATE.replace("operator: Clips Ltd", "operator: Host Pte") + FLOWS, "utf-8")
    return file


def made(estate: Path) -> dict[str, Any]:
    names = ("clover", "gdpr-transfers", "us-data-security-program")
    return record(load_estate(estate), [load_mandate(library()[n], DAY) for n in names], DAY)


def test_csv_has_every_fact_and_no_formula(estate: Path) -> None:
    document = made(estate)
    text = to_csv(document)
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert tuple(rows[0]) == HEADER
    lists = ("purposes", "people", "categories", "recipients", "stores", "transfers", "limits",
             "measures", "holds", "missing")  # fmt: skip
    assert len(rows) == 1 + sum(len(document[name]) for name in lists)
    by_what = {what: [r for r in rows if r["what"] == what] for what in {r["what"] for r in rows}}
    assert [r["name"] for r in by_what["controller"]] == ["Clips Ltd"]
    assert [(r["name"], r["country"], r["party"], r["purposes"]) for r in by_what["recipient"]] == [
        ("Ad Exchange Inc", "US", "app", "marketing.advertising"),
        ("Cloud GmbH", "DE", "app", "essential.service"),
    ]
    assert {r["country"] for r in by_what["transfer"]} == {"SG", "US"}
    assert by_what["legal hold"][0]["says"] == "'=HYPERLINK(1)"
    assert "\r\n" in text


def test_dpv_says_the_same_to_a_reader_of_json_ld(estate: Path) -> None:
    """Read by rdflib, offline: the context is in the document."""
    document = made(estate)
    graph = Graph().parse(data=json.dumps(to_dpv(document)), format="json-ld", publicID=BASE)
    whole = URIRef(f"{BASE}#record")
    assert (whole, RDF.type, DPV.PersonalDataProcess) in graph
    (controller,) = graph.objects(whole, DPV.hasDataController)
    assert str(graph.value(controller, DPV.hasName)) == "Clips Ltd"
    assert graph.value(controller, DPV.hasCountry) == LOC.SG
    keys = {str(graph.value(o, DCTERMS.identifier)) for o in graph.objects(whole, DPV.hasPurpose)}
    assert keys == set(document["purposes"])
    flows = list(graph.objects(whole, DPV.hasProcess))
    assert len(flows) == len(document["recipients"])
    to = {}
    for flow in flows:
        (recipient,) = graph.objects(flow, DPV.hasRecipient)
        third = graph.value(recipient, DPV.hasThirdCountry)
        to[str(graph.value(recipient, DPV.hasName))] = (
            third or graph.value(recipient, DPV.hasCountry), third is not None
        )  # fmt: skip
    assert to == {"Ad Exchange Inc": (LOC.US, True), "Cloud GmbH": (LOC.DE, False)}
    assert (URIRef(f"{BASE}#data-user.contact.email"), RDF.type, PD.EmailAddress) in graph
    places = list(graph.subjects(RDF.type, DPV.StorageLocation))
    assert [graph.value(p, DPV.hasThirdCountry) for p in places] == [LOC.SG]
    assert (URIRef(f"{BASE}#party-Host%20Pte"), RDF.type, DPV.DataProcessor) in graph
    assert len(list(graph.objects(whole, DPV.hasTechnicalOrganisationalMeasure))) == len(
        {(m["mandate"], m["clause"]) for m in document["measures"]}
    )


def test_every_key_of_the_document_is_in_its_context(estate: Path) -> None:
    """A key that the context does not know is dropped by every reader of JSON-LD, unsaid."""
    known = {"@context", "id", "type", *CONTEXT}

    def keys(node: Any) -> set[str]:
        if isinstance(node, dict):
            return set(node) | {k for value in node.values() for k in keys(value)}
        return {k for each in node for k in keys(each)} if isinstance(node, list) else set()

    document = to_dpv(made(estate))
    assert keys({k: v for k, v in document.items() if k != "@context"}) <= known


def test_the_command_writes_what_the_ending_says(
    estate: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    day = ("--as-of", date(2026, 6, 1).isoformat())
    for name, begins in (("r.csv", "point,what"), ("r.jsonld", "{"), ("r.md", "# Record")):
        target = tmp_path / name
        assert main(["record", "--estate", str(estate), "-o", str(target), *day, "--quiet"]) == 0
        assert target.read_text("utf-8").startswith(begins)
    capsys.readouterr()
    assert main(["record", "--estate", str(estate), "--format", "dpv", *day]) == 0
    assert json.loads(capsys.readouterr().out)["@context"]["dpv"] == "https://w3id.org/dpv#"
