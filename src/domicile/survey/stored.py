"""Keys that come as canonical texts, in the form in which a store keeps them.

State, journal and other cells know a row by its key's canonical text. PostgreSQL has one stored
form for each such text. SQLite types values, not columns: a uuid may be kept as sixteen bytes or in
capitals, a time with a zone or without seconds. There the row itself is asked which form it has.
"""

from __future__ import annotations

from collections.abc import Sequence

from domicile.stores.base import Session
from domicile.stores.schema import Table
from domicile.survey.work import Work


def stored(
    session: Session, work: Work, table: Table, identity: Sequence[str], texts: str,
    more: Sequence[str] = (),
) -> str:  # fmt: skip
    """A SELECT of (k1 … kn, more) for the rows of `texts`, a relation with k1 … kn as texts.

    A key of which the table has no row, or several rows in different forms, comes in the form that
    its column's kind usually has.
    """
    dialect = session.dialect
    labels = [f"k{i + 1}" for i in range(len(identity))]
    others = "".join(f", x.{c}" for c in more)
    usual = [
        dialect.value(f"x.{k}", table.column(c)) for k, c in zip(labels, identity, strict=True)
    ]
    plain = ", ".join(f"{v} AS {k}" for v, k in zip(usual, labels, strict=True))
    if dialect.name != "sqlite":
        return f"SELECT {plain}{others} FROM {texts} x"
    same = " AND ".join(f"t.{dialect.quote(c)} = {v}" for c, v in zip(identity, usual, strict=True))
    found = f"EXISTS (SELECT 1 FROM {dialect.table(table.name)} t WHERE {same})"
    listed = ", ".join(f"x.{k}" for k in labels)
    odd = work.create(f"SELECT {listed} FROM {texts} x WHERE NOT {found}")
    if not work.any(odd):
        return f"SELECT {plain}{others} FROM {texts} x"
    # One reading of the table, each row looked up among the few that were not found by its key.
    match = " AND ".join(
        f"o.{k} = {dialect.text(f't.{dialect.quote(c)}', table.column(c).kind)}"
        for k, c in zip(labels, identity, strict=True)
    )
    as_text = ", ".join(f"o.{k}" for k in labels)
    forms = ", ".join(f"min(t.{dialect.quote(c)}) AS f{i + 1}" for i, c in enumerate(identity))
    known = work.create(
        f"SELECT {as_text}, {forms} FROM {dialect.table(table.name)} t CROSS JOIN {odd} o "
        f"WHERE {match} GROUP BY {as_text} HAVING count(*) = 1"
    )
    join = " AND ".join(f"f.{k} = x.{k}" for k in labels)
    either = ", ".join(
        f"CASE WHEN f.f{i + 1} IS NULL THEN {v} ELSE f.f{i + 1} END AS {k}"
        for i, (v, k) in enumerate(zip(usual, labels, strict=True))
    )
    return f"SELECT {either}{others} FROM {texts} x LEFT JOIN {known} f ON {join}"
