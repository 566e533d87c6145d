"""Who controls an organisation: what owners hold of it, added up along chains.

Two ways of adding up, because laws differ:

- `control` (28 CFR 202.211; the 50% rule): the shares of all owners who are there, or are
  themselves controlled from there, are added; whoever reaches the threshold counts whole for what
  it owns in turn.
- `stake` (PAFACA's 20%): shares are multiplied along the chain and added; that "directly or
  indirectly" means the product is our reading.

Both are least fixed points, so that companies that own each other are no exception.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from domicile.estate.model import Estate, Organisation

WHOLE = Fraction(100)

PRECISION = Fraction(1, 10**6)
"""Of a stake in percent: below this, a round along a circle of owners changes nothing."""

ROUNDS = 1000
"""Rounds along circles of owners before we stop; 100 of 99% leave a third of the stake."""


@dataclass(frozen=True)
class Rule:
    """What makes an organisation controlled from somewhere."""

    countries: frozenset[str]  # ISO 3166-1 alpha-2
    share: Fraction  # percent
    along: Literal["control", "stake"] = "control"
    exempt: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Controlled:
    """Whether an organisation is controlled; None when what is declared does not tell."""

    value: bool | None
    why: str


def rule(body: Mapping[str, Any]) -> Rule:
    """The `controlled_from` of a clause."""
    return Rule(
        countries=frozenset(body["country"]),
        share=Fraction(str(body["share"])),
        along=body.get("along", "control"),
        exempt=frozenset(_list(body.get("except", ()))),
    )


def organisations(estate: Estate) -> dict[str, Organisation]:
    """Every organisation that the estate declares, the controller too."""
    declared = {each.name: each for each in estate.organisations}
    if estate.controller and estate.controller.name not in declared:
        declared[estate.controller.name] = estate.controller
    return declared


def controlled(declared: Mapping[str, Organisation], name: str, by: Rule) -> Controlled:
    """Whether an organisation is there, or is owned from there for at least the share."""
    if name in by.exempt:
        return Controlled(False, f"{name} is excepted")
    organisation = declared.get(name)
    if organisation is None:
        return Controlled(None, f"{name} is not declared, so who owns it is not known")
    if organisation.country in by.countries:
        return Controlled(True, f"{name} is in {organisation.country}")
    held = _held(declared, by, surely=True).get(name, Fraction(0))
    where = ", ".join(sorted(by.countries))
    if held >= by.share:
        return Controlled(True, f"{name} is owned for {_shown(held)}% from {where}")
    perhaps = _held(declared, by, surely=False).get(name, Fraction(0))
    if perhaps >= by.share:
        unknown = _shown(perhaps - held)
        return Controlled(None, f"owners of {unknown}% of {name} are of no declared country")
    return Controlled(False, f"{name} is owned for {_shown(held)}% from {where}")


def _held(declared: Mapping[str, Organisation], by: Rule, *, surely: bool) -> dict[str, Fraction]:
    """What is owned from there of each organisation, in percent; `surely`: owners of no known
    country do not count."""
    held: dict[str, Fraction] = dict.fromkeys(declared, Fraction(0))
    for _ in range(ROUNDS):
        changed = False
        for name, organisation in declared.items():
            total = sum(
                (
                    Fraction(str(owner.share))
                    * _part(declared, by, held, owner.name, owner.country, surely)
                    for owner in organisation.owned_by
                ),
                Fraction(0),
            )
            total = min(total, WHOLE)
            if total - held[name] > PRECISION:
                held[name] = total.limit_denominator(10**9)
                changed = True
        if not changed:
            break
    return held


def _part(
    declared: Mapping[str, Organisation], by: Rule, held: Mapping[str, Fraction],
    name: str, country: str, surely: bool,
) -> Fraction:  # fmt: skip
    """How much of what an owner owns counts as owned from there: nothing (0) to all of it (1)."""
    if name in by.exempt:
        return Fraction(0)
    known = declared.get(name)
    where = country or (known.country if known else "")
    if where in by.countries:
        return Fraction(1)
    if not where:
        return Fraction(0 if surely else 1)
    if known is None:
        return Fraction(0)
    if by.along == "control":
        return Fraction(1 if held[name] >= by.share else 0)
    return held[name] / WHOLE


def _shown(share: Fraction) -> str:
    return f"{float(share):.4g}"


def _list(value: str | Iterable[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
