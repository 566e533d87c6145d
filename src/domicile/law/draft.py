"""The text of a new mandate: one that adapts another, or one to fill in."""

from __future__ import annotations

from datetime import date

from domicile.law.model import Mandate

_ADAPTED = """\
# Adapts {base}: what is written here replaces what it says there, clause by clause (by id).
mandate: {id}
extends: {base}
# title: {title}
# protects:
#   subjects: [customer]        # of your estate
# without: [{last}]             # clauses that do not concern you
clauses:
{clauses}
"""

_CLAUSE = """\
  - id: {id} # {kind}, otherwise {otherwise}
    note: As in {base}; write what is different here.
"""

_BLANK = """\
mandate: {id}
title: What it says, in one line
issuer: Who made it
citation: Where it can be read
status: proposed                # in_force and voluntary make steps; the others only findings
effective: {day}
source: Where you read it
verified: false                 # true when each fact was read in the source
protects:
  residence: [NL]               # countries, EU, EEA
  unknown_residence: report
  categories: [user]
clauses:
  - id: rest
    store: {{country: [EEA]}}
    otherwise: report           # move or erase, when you mean it
    source: Where you read it
    verified: false
"""


def adapted(name: str, base: Mandate, named: str) -> str:
    """A mandate that extends `base`, which its file calls `named`."""
    clauses = "".join(
        _CLAUSE.format(
            id=clause.id, kind=clause.kind, otherwise=clause.body["otherwise"], base=base.id
        )
        for clause in base.clauses[:1]
    )
    return _ADAPTED.format(
        id=name, base=named, title=base.title, last=base.clauses[-1].id, clauses=clauses.rstrip()
    )


def blank(name: str, day: date) -> str:
    """A mandate to fill in; it is valid as it stands, and only proposed."""
    return _BLANK.format(id=name, day=day.isoformat())
