"""What a plan says beside counts of rows: legal holds by name, and flows that a clause forbids."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from domicile.estate.model import Estate
from domicile.law.flows import FlowFinding, flow_findings
from domicile.law.model import Mandate
from domicile.law.offers import OfferFinding, offer_findings
from domicile.survey.graph import Graph

Doc = dict[str, Any]


def legal_reason(graph: Graph, table: str) -> str:
    """The holds that stop an erasure in a table, each by its name and its reason."""
    name = graph.name(table)
    holds = [h for h in graph.estate.legal_holds if not h.tables or name in h.tables]
    return "; ".join(f"legal hold {h.name}: {h.reason}" for h in holds)


def flow_lines(
    estate: Estate, mandates: Sequence[Mandate], as_of: date, proposed: frozenset[str]
) -> list[Doc]:
    """Findings about declared flows and services, as lines of the plan: for a person to stop.

    Clauses that apply above a count are left to `thresholds`.
    """
    every: list[FlowFinding | OfferFinding] = [
        found for found in flow_findings(estate, mandates, as_of, proposed) if found.over is None
    ]
    every += offer_findings(estate, mandates, as_of, proposed)
    return [
        {
            "mandate": found.mandate, "clause": found.clause, "state": found.state, "store": "",
            "table": "", "subject": "", "categories": list(found.categories), "subjects": 0,
            "rows": 0, "flow": found.shown, "reason": found.reason,
        }
        for found in every
    ]  # fmt: skip
