"""Sequences after rows came in with their keys: moved past them, and kept apart between cells.

A sequence is found through what the catalogue knows: identity columns, sequences owned by a
column, and defaults that name one. A trigger or function that draws numbers by itself is not seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import gcd

from domicile.stores.postgres import PostgresSession

STEPS = 10_000
"""Up to so many steps a sequence is moved by drawing numbers, which can never set it back."""

_FIND = """
WITH asked AS (
  SELECT c.oid, c.relname AS root FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname = {schema} AND c.relname IN ({tables})),
whole AS (
  SELECT oid, root FROM asked
  UNION SELECT p.relid, a.root FROM asked a, LATERAL pg_partition_tree(a.oid) p),
uses AS (
  SELECT d.refobjid AS tab, d.refobjsubid::int2 AS col, d.objid AS seq FROM pg_depend d
   WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
     AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
  UNION SELECT f.adrelid, f.adnum, d.refobjid FROM pg_attrdef f
    JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid
     AND d.refclassid = 'pg_class'::regclass
  UNION SELECT f.adrelid, f.adnum, to_regclass(m[1]) FROM pg_attrdef f,
    LATERAL regexp_match(pg_get_expr(f.adbin, f.adrelid),
                         'nextval\\(\\(*''((?:[^'']|'''')+)''::text') m)
SELECT DISTINCT w.root::text, a.attname::text, n.nspname::text, s.relname::text,
       q.seqstart, q.seqincrement, q.seqmin, q.seqmax, q.seqcycle
  FROM uses u JOIN whole w ON w.oid = u.tab
  JOIN pg_attribute a ON a.attrelid = u.tab AND a.attnum = u.col AND NOT a.attisdropped
   AND a.atttypid IN (20, 21, 23, 1700)
  JOIN pg_class s ON s.oid = u.seq AND s.relkind = 'S'
  JOIN pg_sequence q ON q.seqrelid = s.oid JOIN pg_namespace n ON n.oid = s.relnamespace
 ORDER BY 1, 2, 3, 4"""
"""Types 20, 21, 23, 1700 are int8, int2, int4 and numeric (pg_type.dat)."""


@dataclass(frozen=True)
class KeySequence:
    """A sequence that feeds a column, and where it stands."""

    table: str
    column: str
    schema: str  # the sequence's own schema and name
    name: str
    start: int
    increment: int
    minimum: int
    maximum: int
    cycle: bool
    last: int
    called: bool  # `last` was given out

    @property
    def coming(self) -> int:
        """The number that it would give next, its limits left aside."""
        return self.last + self.increment if self.called else self.last

    def past(self, present: int) -> int:
        """The first number of its class (modulo the increment) beyond one that is present."""
        beyond = (present - self.coming) // self.increment
        return self.coming + max(beyond + 1, 0) * self.increment


def sequences(session: PostgresSession, tables: Iterable[str]) -> list[KeySequence]:
    """The sequences that feed whole-number columns of these tables, partitions included.

    Raises StoreRefused, also where we may not read a sequence (SELECT).
    """
    dialect = session.dialect
    names = ", ".join(dialect.literal(t) for t in sorted(set(tables)))
    if not names:
        return []
    found = session.query(_FIND.format(schema=dialect.literal(dialect.schema), tables=names))
    if not found:
        return []
    states = session.query(
        " UNION ALL ".join(
            f"SELECT {n}, last_value, is_called "
            f"FROM {dialect.quote(row[2])}.{dialect.quote(row[3])}"
            for n, row in enumerate(found)
        )
    )
    stands = {n: (last, called) for n, last, called in states}
    return [
        KeySequence(
            row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8],
            stands[n][0], stands[n][1],
        )
        for n, row in enumerate(found)
    ]  # fmt: skip


def advance_sequences(session: PostgresSession, tables: Iterable[str]) -> list[tuple[str, int]]:
    """Move sequences past the greatest value present (the least, where they count down).

    Only values within the sequence's own limits count: keys of another cell that lie beyond are
    no reason to go there. Never backwards; what it gives stays in the same class modulo the
    increment. Returns the sequences that moved, each with the number that it gives next.

    Runs in the caller's transaction but, like all of PostgreSQL's sequences, is not undone with
    it: a rollback leaves a gap, never a number given twice. Small moves are made by drawing
    numbers, which is atomic. A larger one is one `setval` that looks first; it could only set the
    sequence back if others drew more than `STEPS` numbers within that one statement. Numbers that
    other sessions drew ahead (CACHE above 1) are out of reach.

    Needs SELECT on the tables, SELECT and UPDATE on the sequences. Raises StoreRefused.
    """
    known = sequences(session, tables)
    if not known:
        return []
    q = session.dialect.quote
    present = session.query(
        " UNION ALL ".join(
            f"SELECT {n}, (SELECT {'max' if s.increment > 0 else 'min'}({q(s.column)}) "
            f"FROM {session.dialect.table(s.table)} "
            f"WHERE {q(s.column)} BETWEEN {s.minimum} AND {s.maximum})::bigint"
            for n, s in enumerate(known)
        )
    )
    targets: dict[tuple[str, str], tuple[KeySequence, int]] = {}
    for n, value in present:
        if value is None:
            continue
        sequence = known[n]
        coming = sequence.past(value)
        here = targets.get((sequence.schema, sequence.name), (sequence, sequence.coming))[1]
        if (coming - here) * sequence.increment > 0:
            targets[sequence.schema, sequence.name] = (sequence, coming)
    for sequence, coming in targets.values():
        session.query(_moving(session, sequence, coming))
    return sorted((name, coming) for (_, name), (_, coming) in targets.items())


def overlaps(
    one: str, first: Iterable[KeySequence], other: str, second: Iterable[KeySequence]
) -> list[str]:
    """The sequences with which two cells, `one` and `other`, can give the same key; a text each.

    What counts is all that a sequence ever gave or will give: its class modulo the increment, from
    its start (from its limit, when it cycles) to its limit.
    """
    there = {(s.table, s.column): s for s in second}
    found: list[str] = []
    for mine in first:
        theirs = there.get((mine.table, mine.column))
        if theirs is None:
            continue
        key = _common(mine, theirs)
        if key is not None:
            found.append(
                f"{mine.table}.{mine.column}: the sequences of {one} and {other} can both give "
                f"{key}: steps of {mine.increment} from {mine.start} and of {theirs.increment} "
                f"from {theirs.start}; give each cell a class of its own (INCREMENT BY the number "
                "of cells, each with another start) or a range of its own"
            )
    return found


def _moving(session: PostgresSession, sequence: KeySequence, coming: int) -> str:
    """The query that moves one sequence so that `coming` is next."""
    q = session.dialect.quote
    name = f"{q(sequence.schema)}.{q(sequence.name)}"
    given = session.dialect.literal(name)
    steps = (coming - sequence.coming) // sequence.increment
    inside = sequence.minimum <= coming <= sequence.maximum
    if steps <= STEPS and inside and not sequence.cycle:
        return f"SELECT count(nextval({given})) FROM generate_series(1, {steps})"
    last = coming - sequence.increment
    behind = "<" if sequence.increment > 0 else ">"
    return (
        f"SELECT setval({given}, {last}, true) FROM {name} "
        f"WHERE last_value {behind} {last} OR last_value = {last} AND NOT is_called"
    )


def _range(sequence: KeySequence) -> tuple[int, int]:
    """The least and greatest number that it ever gave or will give."""
    if sequence.cycle:
        return sequence.minimum, sequence.maximum
    if sequence.increment > 0:
        return min(sequence.start, sequence.coming), sequence.maximum
    return sequence.minimum, max(sequence.start, sequence.coming)


def _common(one: KeySequence, other: KeySequence) -> int | None:
    """The least number that both can give: two congruences, solved, within both ranges."""
    low = max(_range(one)[0], _range(other)[0])
    high = min(_range(one)[1], _range(other)[1])
    found: int | None = None
    for a in _classes(one):
        for b in _classes(other):
            common = _congruent(a, abs(one.increment), b, abs(other.increment), low)
            if common is not None and common <= high and (found is None or common < found):
                found = common
    return found


def _classes(sequence: KeySequence) -> set[int]:
    """The classes modulo the increment; one that cycles goes on from its limit."""
    classes = {sequence.coming % abs(sequence.increment)}
    if sequence.cycle:
        again = sequence.minimum if sequence.increment > 0 else sequence.maximum
        classes.add(again % abs(sequence.increment))
    return classes


def _congruent(a: int, m: int, b: int, n: int, low: int) -> int | None:
    """The least x ≥ low with x ≡ a (mod m) and x ≡ b (mod n), else None."""
    shared = gcd(m, n)
    if (b - a) % shared:
        return None
    lcm = m // shared * n
    x = a + m * ((b - a) // shared * pow(m // shared, -1, n // shared) % (n // shared))
    return low + (x - low) % lcm
