"""Declared services held against `offer` clauses: where they may not be offered or hosted."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from domicile.estate.model import Estate, Service
from domicile.law.control import controlled, organisations, rule
from domicile.law.model import Clause, Mandate


@dataclass(frozen=True)
class OfferFinding:
    """A service that a clause keeps from countries where it is offered, or perhaps does."""

    mandate: str
    clause: str
    state: Literal["held", "unknown"]  # held: somebody must withdraw it
    service: Service
    countries: tuple[str, ...]
    forbid: tuple[str, ...]
    otherwise: str
    reason: str
    categories: tuple[str, ...] = ()  # it is about no data

    @property
    def shown(self) -> str:
        """In a few words: `Clips in US`."""
        return f"{self.service.name} in {', '.join(self.countries)}"


def offer_findings(
    estate: Estate, mandates: Sequence[Mandate], as_of: date, also: Collection[str] = ()
) -> tuple[OfferFinding, ...]:
    """Every declared service that a clause in effect, or one of the mandates `also`, forbids."""
    return tuple(
        finding
        for mandate in mandates
        for clause in mandate.clauses
        if clause.kind == "offer" and (mandate.id in also or mandate.binds(clause, as_of))
        for service in estate.services
        if (finding := _finding(estate, mandate, clause, service)) is not None
    )


def _finding(
    estate: Estate, mandate: Mandate, clause: Clause, service: Service
) -> OfferFinding | None:
    body = clause.body
    where = tuple(sorted(set(service.countries) & set(body["country"])))
    if not where or ("services" in body and service.name not in body["services"]):
        return None
    known: bool | None = True
    reasons = []
    if "controlled_from" in body:
        told = controlled(organisations(estate), service.publisher, rule(body["controlled_from"]))
        if told.value is False:
            return None
        known = told.value
        reasons.append(told.why)
    if "users_over" in body:
        if service.monthly_users is None:
            known = None
            reasons.append(f"how many use {service.name} in a month is not declared")
        elif service.monthly_users <= body["users_over"]:
            return None
        else:
            reasons.append(f"{service.monthly_users:,} users in a month")
    forbid = tuple(body.get("forbid", ("distribute", "update", "host")))
    return OfferFinding(
        mandate=mandate.id,
        clause=clause.id,
        state="held" if known else "unknown",
        service=service,
        countries=where,
        forbid=forbid,
        otherwise=body["otherwise"],
        reason="; ".join([f"may not {', '.join(forbid)} there", *reasons]),
    )
