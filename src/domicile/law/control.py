"""Who controls an organisation: what owners hold of it, added up along chains.

Two ways of adding up, because laws differ:

- `control` (28 CFR 202.211; the 50% rule): the shares of all owners who are there, or are
  themselves controlled from there, are added; whoever reaches the threshold counts whole for what
  it owns in turn.
- `stake` (PAFACA's 20%): shares are multiplied along the chain and added; that "directly or
  indirectly" means the product is our reading.

Both are least fixed points, so that companies that own each other, or themselves, are no exception;
both are exact, so that a stake of just the share is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from domicile.estate.model import Estate, Organisation

WHOLE = Fraction(100)


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
    rows = {name: _row(declared, by, each, surely) for name, each in declared.items()}
    if by.along == "stake":
        return {name: part * WHOLE for name, part in _stakes(rows).items()}
    held: dict[str, Fraction] = {}
    covered: set[str] = set()
    while True:
        for name, (there, owners) in rows.items():
            held[name] = WHOLE * (there + sum(p for o, p in owners.items() if o in covered))
        more = {name for name, total in held.items() if total >= by.share}
        if more <= covered:
            return held
        covered |= more


Row = tuple[Fraction, dict[str, Fraction]]
"""Of an organisation, the part that is owned by those who are there, and the parts that declared
owners have of whom it is still to be seen."""


def _row(
    declared: Mapping[str, Organisation], by: Rule, organisation: Organisation, surely: bool
) -> Row:
    shares = [(owner, Fraction(str(owner.share))) for owner in organisation.owned_by]
    whole = max(WHOLE, sum((share for _, share in shares), Fraction(0)))  # some are written rounded
    there, owners = Fraction(0), dict[str, Fraction]()
    for owner, share in shares:
        known = declared.get(owner.name)
        where = owner.country or (known.country if known else "")
        if owner.name in by.exempt:
            continue
        if where in by.countries or (not where and not surely):
            there += share / whole
        elif where and known is not None:
            owners[owner.name] = owners.get(owner.name, Fraction(0)) + share / whole
    return there, owners


def _stakes(rows: Mapping[str, Row]) -> dict[str, Fraction]:
    """The least solution of: each one's part is what is there, and its owners' parts of theirs.

    Whoever no owner from there leads to has none. Each of the others is put in the place of its
    name wherever it is an owner; what it has of itself, round a circle, is below 1.
    """
    reached: set[str] = set()
    while more := {
        name for name, (there, owners) in rows.items()
        if name not in reached and (there or not reached.isdisjoint(owners))
    }:  # fmt: skip
        reached |= more
    left = {
        name: (there, {owner: part for owner, part in owners.items() if owner in reached})
        for name, (there, owners) in rows.items()
        if name in reached
    }
    solved: list[tuple[str, Row]] = []
    while left:
        name = min(left, key=lambda each: len(left[each][1]))
        there, owners = left.pop(name)
        rest = 1 - owners.pop(name, Fraction(0))
        there, owners = there / rest, {owner: part / rest for owner, part in owners.items()}
        solved.append((name, (there, owners)))
        for other, (its, had) in left.items():
            if share := had.pop(name, None):
                for owner, part in owners.items():
                    had[owner] = had.get(owner, Fraction(0)) + share * part
                left[other] = its + share * there, had
    held = dict.fromkeys(rows, Fraction(0))
    for name, (there, owners) in reversed(solved):
        held[name] = there + sum(part * held[owner] for owner, part in owners.items())
    return held


def _shown(share: Fraction) -> str:
    return f"{float(share):.4g}"


def _list(value: str | Iterable[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
