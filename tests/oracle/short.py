"""Small worlds written in a few lines, for cases that are reasoned by hand."""

from __future__ import annotations

from domicile.estate.model import Estate, Hop, Path, Subject, TableName, TableRole
from domicile.stores.schema import Column, ForeignKey, Key, Schema, Table
from tests.oracle.generate import STORES
from tests.oracle.model import Row, Value, World

COUNTRIES = {"US": "US", "NL": "NL"}


def table(name: str, *columns: str) -> Table:
    """A table in short: `id*` key, `x!` not null, `x~` unique, `x>parent` key to its `id`."""
    made: list[Column] = []
    keys: list[Key] = []
    foreign: list[ForeignKey] = []
    for written in columns:
        column, _, parent = written.partition(">")
        bare = column.rstrip("*!~")
        made.append(Column(bare, "INTEGER", "int", nullable=not set("*!") & set(column)))
        if "~" in column:
            keys.append(Key((bare,)))
        if parent:
            foreign.append(ForeignKey((bare,), parent, ("id",)))
    primary = tuple(c.rstrip("*!~") for c in (w.split(">")[0] for w in columns) if "*" in c)
    return Table(name, tuple(made), (Key(primary, primary=True), *keys), tuple(foreign))


def rows(described: Table, *values: tuple[Value, ...]) -> list[Row]:
    """Rows from tuples in the order of the columns."""
    return [dict(zip(described.names, v, strict=True)) for v in values]


def world(
    tables: dict[Table, list[tuple[Value, ...]]],
    roles: dict[str, TableRole] | None = None,
    home: dict[str, list[tuple[Value, ...]]] | None = None,
) -> World:
    """A world whose register is `customer(id, country, …)`; the country is a column there."""
    schema = Schema({t.name: t for t in tables})
    subject = Subject("customer", TableName("app", "customer"), ("id",), Path((), "country"))
    return World(
        schema,
        Estate(
            "small",
            "estate.yaml",
            "",
            STORES,
            (subject,),
            tables={TableName("app", t): r for t, r in (roles or {}).items()},
        ),
        {t.name: rows(t, *values) for t, values in tables.items()},
        {t.name: rows(t, *(home or {}).get(t.name, [])) for t in tables},
        COUNTRIES,
    )


def path(*hops: str) -> Path:
    """An author path."""
    return Path(tuple(Hop(h) for h in hops))


ATTACHMENT = TableRole("attachment")
CUSTOMER = table("customer", "id*", "country")
AMY, BEA = (1, "US"), (2, "NL")  # Amy goes home, Bea stays
