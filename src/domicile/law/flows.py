"""Declared flows held against `use` and `access` clauses, before any row is read.

A flow is what an organisation receives from a schema. A clause that restricts several things
restricts them together: its uses, to its recipients, of its categories. What the estate does not
declare (no use, no category, nobody's owner) makes the finding unknown, never silent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from domicile.estate.categories import covers
from domicile.estate.model import Estate, Flow, Organisation
from domicile.law.control import controlled, organisations, rule
from domicile.law.model import Clause, Mandate

State = Literal["held", "unknown"]


@dataclass(frozen=True)
class FlowFinding:
    """A flow that a clause forbids, or perhaps forbids."""

    mandate: str
    clause: str
    state: State  # held: somebody must stop it; unknown: what is declared does not tell
    flow: Flow
    categories: tuple[str, ...]
    otherwise: str
    reason: str
    over: Mapping[str, Any] | None = None  # it applies only above this count

    @property
    def shown(self) -> str:
        """The flow in a few words: `app → Ad Exchange Inc`."""
        return f"{self.flow.source} → {self.flow.to}"


@dataclass(frozen=True)
class _Told:
    """One part of a clause against a flow: met (None: not known), and in words."""

    met: bool | None
    why: str


def flow_findings(
    estate: Estate, mandates: Sequence[Mandate], as_of: date, also: Collection[str] = ()
) -> tuple[FlowFinding, ...]:
    """Every flow that a clause in effect, or one of the mandates `also`, forbids."""
    declared = organisations(estate)
    return tuple(
        finding
        for mandate in mandates
        for clause in mandate.clauses
        if mandate.id in also or mandate.binds(clause, as_of)
        for flow in estate.flows
        if _concerns(estate, mandate, flow)
        for finding in _findings(declared, mandate, clause, flow)
    )


def _concerns(estate: Estate, mandate: Mandate, flow: Flow) -> bool:
    """Whether people whom the mandate could protect are in the schema that the flow is from."""
    here = {s.name for s in estate.subjects if s.register.holds == flow.source}
    here |= {s.subject for s in estate.links if s.source.table.holds == flow.source and s.subject}
    wanted = set(mandate.protects.subjects)
    return bool(here & wanted) if wanted else bool(here)


def _findings(
    declared: Mapping[str, Organisation], mandate: Mandate, clause: Clause, flow: Flow
) -> Iterator[FlowFinding]:
    parts = _use(declared, clause, flow) if clause.kind == "use" else None
    if clause.kind == "access":
        parts = _access(declared, clause, flow)
    if parts is None:
        return
    categories = clause.body.get("categories") or list(mandate.protects.categories)
    both = _overlap(categories, flow.categories)
    if flow.categories and not both:
        return
    if not flow.categories:
        parts = [*parts, _Told(None, "the flow does not say which categories it carries")]
    if any(part.met is False for part in parts):
        return
    state: State = "unknown" if any(part.met is None for part in parts) else "held"
    yield FlowFinding(
        mandate=mandate.id,
        clause=clause.id,
        state=state,
        flow=flow,
        categories=both,
        otherwise=clause.body["otherwise"],
        reason="; ".join(part.why for part in parts if part.why),
        over=clause.body.get("over"),
    )


def _use(
    declared: Mapping[str, Organisation], clause: Clause, flow: Flow
) -> list[_Told] | None:  # fmt: skip
    """Met when the flow is one that the clause is about."""
    body = clause.body
    parts: list[_Told] = []
    for key, words in (("forbid", "is forbidden"), ("needs_consent", "needs consent")):
        if key in body:
            used = [u for u in flow.uses if any(covers(each, u) for each in body[key])]
            if used:
                parts.append(_Told(True, f"{', '.join(used)} {words}"))
            elif flow.uses:
                parts.append(_Told(False, ""))
            else:
                parts.append(_Told(None, "the flow does not say what it is used for"))
    parts = _either(parts)
    if "recipients" in body:
        named = flow.to in body["recipients"]
        parts.append(_Told(named, f"{flow.to} may not receive it"))
    if "recipient_country" in body:
        parts.append(_in_country(declared, flow, body["recipient_country"], "may not receive it"))
    if "controlled_from" in body:
        told = controlled(declared, flow.to, rule(body["controlled_from"]))
        parts.append(_Told(told.value, told.why))
    return parts


def _access(
    declared: Mapping[str, Organisation], clause: Clause, flow: Flow
) -> list[_Told] | None:  # fmt: skip
    """Met when the clause keeps the recipient, as whoever asks for access, from the data.

    Clauses about a form, a role or a purpose are for the gate: a flow declares none of them.
    """
    body = clause.body
    if any(key in body for key in ("form", "role", "purposes")):
        return None
    parts: list[_Told] = []
    if "country" in body:
        inside = _in_country(declared, flow, body["country"], "")
        where = _country(declared, flow)
        met = None if inside.met is None else not inside.met
        parts.append(_Told(met, inside.why or f"{flow.to} sees it from {where}"))
    if "not_country" in body:
        where = _country(declared, flow)
        told = _in_country(declared, flow, body["not_country"], "")
        parts.append(_Told(told.met, told.why or f"{flow.to} sees it from {where}"))
    if "employer" in body:
        parts.append(_Told(flow.to not in body["employer"], f"{flow.to} is not who may see it"))
    if "controlled_from" in body:
        told_control = controlled(declared, flow.to, rule(body["controlled_from"]))
        parts.append(_Told(told_control.value, told_control.why))
    return _either(parts) if parts else None


def _either(parts: list[_Told]) -> list[_Told]:
    """One of them is enough."""
    met = [part for part in parts if part.met]
    if met:
        return [_Told(True, "; ".join(part.why for part in met))]
    unknown = [part for part in parts if part.met is None]
    if unknown:
        return [_Told(None, "; ".join(part.why for part in unknown))]
    return [_Told(False, "")] if parts else []


def _country(declared: Mapping[str, Organisation], flow: Flow) -> str:
    if flow.country:
        return flow.country
    known = declared.get(flow.to)
    return known.country if known else ""


def _in_country(
    declared: Mapping[str, Organisation], flow: Flow, countries: Collection[str], said: str
) -> _Told:
    where = _country(declared, flow)
    if not where:
        return _Told(None, f"the country of {flow.to} is not declared")
    return _Told(where in countries, f"{flow.to} in {where} {said}" if said else "")


def _overlap(asked: Sequence[str], given: Sequence[str]) -> tuple[str, ...]:
    """The narrower of each pair of keys of which one covers the other."""
    both = {
        each if covers(other, each) else other
        for each in asked
        for other in given
        if covers(other, each) or covers(each, other)
    }
    return tuple(sorted(both))
