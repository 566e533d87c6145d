"""People of a register elsewhere, as a lake's session looks them up: one bit for each.

Where the register's key is a whole number, the people of one verdict are a bitmap over the keys,
and a row's person is found by one probe, without a join: what 50 million people need is a few
million bytes. Other keys, keys far apart, and keys that several rows have go the common way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from domicile.estate.model import Subject
from domicile.stores.base import Session
from domicile.stores.parquet_session import ParquetSession
from domicile.survey.graph import Graph
from domicile.survey.people import BLOCK, People, Rule

SPAN = 1_000_000_000
"""Between the smallest and the greatest key: DuckDB's bitmaps hold no more."""

APART = 48
"""Numbers of one subject's people begin at a multiple of two to this power."""


@dataclass(frozen=True)
class Lookup:
    """How a row finds its person: SQL over the referring value."""

    least: int
    span: int
    names: tuple[tuple[str, int], ...]  # variable with a bitmap, label
    everyone: str
    base: int

    def known(self, key: str) -> str:
        """The key is a person's."""
        return self._bit(self.everyone, key)

    def cases(self, key: str) -> list[tuple[int, str]]:
        """Each label, and the condition that the key is of a person with it."""
        return [(label, self._bit(name, key)) for name, label in self.names]

    def number(self, key: str, label: int) -> str:
        """The number of a person of that label, as `People.number` gives them."""
        number = f"{self.base} + ({key}) - {self.least} + 1"
        return f"CAST({number if label >= BLOCK else f'-({number})'} AS BIGINT)"

    def _bit(self, name: str, key: str) -> str:
        within = f"({key}) BETWEEN {self.least} AND {self.least + self.span - 1}"
        return (
            f"(CASE WHEN {within} THEN get_bit(getvariable('{name}'), "
            f"CAST(({key}) - {self.least} AS INTEGER)) ELSE 0 END = 1)"
        )


class LakePeople(People):
    """People whose register is in another schema, in a session over a lake."""

    def __init__(
        self, session: ParquetSession, graph: Graph, subject: Subject, others: Sequence[People],
        ordinal: int,
    ) -> None:  # fmt: skip
        """`others`: the register's people, cell by cell, each in its own session."""
        super().__init__(session, graph, subject)
        self.lake = session
        self.others = others
        self.lookup: Lookup | None = None
        self._ordinal = ordinal
        self._made = False
        self._bits: dict[tuple[int, int], bytes] = {}
        self._least = 0
        self._acted: tuple[int, dict[int, int]] = (0, {})

    @property
    def raw(self) -> str:
        """The table of people, made when somebody asks for it: bitmaps do without."""
        if not self._made:
            self._made = True
            self._gather()
        return self._table

    @raw.setter
    def raw(self, value: str) -> None:
        self._table = value

    def judge(self, rules: Sequence[Rule]) -> dict[tuple[int, int], int]:
        """Which mandates protect whom; people here by (pbits, ubits)."""
        self._bits = self._bitmaps(rules)
        if not self._bits:
            return super().judge(rules)
        return {group: int.from_bytes(b).bit_count() for group, b in self._bits.items()}

    def number(
        self, label: Callable[[int, int], int], seen: Iterable[tuple[int, int]], start: int,
        prefix: str = "",
    ) -> str:  # fmt: skip
        """Give each person a label and a number; the name of a relation of them all."""
        if not self._bits:
            return super().number(label, seen, start, prefix)
        by_label: dict[int, int] = {}
        everyone = 0
        for group, content in self._bits.items():
            bits = int.from_bytes(content)
            everyone |= bits
            by_label[label(*group)] = by_label.get(label(*group), 0) | bits
        size = max(len(b) for b in self._bits.values())
        name = f"{prefix}people_{self._ordinal}"
        self.lake.variable(f"{name}_all", everyone.to_bytes(size))
        names = []
        for verdict, bits in by_label.items():
            self.lake.variable(f"{name}_{verdict}", bits.to_bytes(size))
            names.append((f"{name}_{verdict}", verdict))
        found = Lookup(
            self._least, size * 8, tuple(names), f"{name}_all", (self._ordinal + 1) << APART
        )
        key = f"(i + {self._least})"
        final = f"{prefix}{self._final}"
        lines = [
            f"SELECT CAST({key} AS VARCHAR) AS k1, 0 AS present, {verdict} AS lo, {verdict} AS hi, "
            f"{found.number(key, verdict)} AS pmin, {found.number(key, verdict)} AS pmax "
            f"FROM range({size * 8}) r(i) WHERE {condition}"
            for verdict, condition in found.cases(key)
        ]
        self.lake.view(final, " UNION ALL ".join(lines))
        if not prefix:
            acted = sum(b.bit_count() for n, b in by_label.items() if n >= BLOCK)
            self.lookup, self._acted = found, (acted, by_label)
        return self.session.dialect.temp(final)

    def acted_on(self, relation: str) -> tuple[int, int]:
        """How many people are to be acted on, and a number that depends on who they are."""
        if self.lookup is None:
            return super().acted_on(relation)
        count, by_label = self._acted
        whole = hashlib.blake2b(f"{self.subject.name} {self._least}".encode(), digest_size=16)
        bits = 0
        for label, found in by_label.items():
            if label >= BLOCK:
                bits |= found
        whole.update(bits.to_bytes(self.lookup.span // 8))
        return count, int.from_bytes(whole.digest())

    # Where they come from.

    def _bitmaps(self, rules: Sequence[Rule]) -> dict[tuple[int, int], bytes]:
        """The keys of each verdict as bits; nothing when the keys do not lend themselves to it."""
        if len(self.keys) != 1:
            return {}
        direct = self.others[0] if len(self.others) == 1 else None
        if direct is not None and isinstance(direct.session, ParquetSession):
            if not direct.whole_keys():
                return {}
            session, key = direct.session, "r.k1"
            relation = f"(SELECT * FROM {direct.raw} WHERE present = 1)"
            column = session.dialect.quote(direct.subject.key[0])
            # The ends of a column of files are in their footers.
            ends = f"SELECT min({column}), max({column}) FROM " + session.dialect.table(
                direct.subject.register.table
            )
        else:
            session, relation = self.lake, self.raw
            key = "CAST(r.k1 AS BIGINT)"
            ends = f"SELECT min({key}), max({key}) FROM {relation} r"
            odd = session.query(
                f"SELECT count(*) FROM {relation} r "
                "WHERE CAST(TRY_CAST(r.k1 AS BIGINT) AS VARCHAR) IS DISTINCT FROM r.k1"
            )
            if odd[0][0]:
                return {}
        least, most = session.query(ends)[0]
        if least is None or most - least >= SPAN - 8:
            return {}
        self._least = int(least)
        span = (int(most) - self._least) // 8 * 8 + 8
        pbits, ubits = self.judging(rules)
        rows = session.query(
            "SELECT pbits, ubits, count(*), "
            f"CAST(bitstring_agg(k - {least}, 0, {span - 1}) AS BLOB) "
            f"FROM (SELECT {key} AS k, {pbits} AS pbits, {ubits} AS ubits FROM {relation} r) "
            "GROUP BY pbits, ubits ORDER BY pbits, ubits"
        )
        bits = {(int(p), int(u)): bytes(b or b"") for p, u, _, b in rows}
        total = sum(int(n) for _, _, n, _ in rows)
        everyone = 0
        for content in bits.values():
            everyone |= int.from_bytes(content)
        # A key that several rows have, in one verdict or in two, is not told by one bit.
        return bits if total and everyone.bit_count() == total else {}

    def _gather(self) -> None:
        name = f"{self._raw}_away"
        names = [*self.keys, "residence", "born"]
        self.lake.take(name, names, (b for o in self.others for b in batches(o)))
        keys = ", ".join(self.keys)
        # The same person may come from several cells; one line each.
        self._create(
            self._raw,
            f"SELECT {keys}, max(residence) AS residence, max(born) AS born, 0 AS present "
            f"FROM {self.session.dialect.temp(name)} GROUP BY {keys}",
        )
        self.session.execute(f"DROP TABLE {self.session.dialect.temp(name)}")


def lookups_of(people: Mapping[str, People]) -> dict[str, Lookup]:
    """Subject → how rows find its people without a join, where they can."""
    return {n: p.lookup for n, p in people.items() if isinstance(p, LakePeople) and p.lookup}


def batches(people: People) -> Iterator[pa.RecordBatch]:
    """The people of one register as batches of texts: key …, residence, born."""
    session: Session = people.session
    names = [*people.keys, "residence", "born"]
    if isinstance(session, ParquetSession):
        columns = ", ".join(f"CAST({n} AS VARCHAR) AS {n}" for n in names)
        query = f"SELECT {columns} FROM ({people.texts()}) t({', '.join(names)})"
        yield from session.arrow(query)
        return
    schema = pa.schema([(n, pa.string()) for n in names])
    for rows in session.stream(people.texts(), 100_000):
        columns_of = [pa.array(c, pa.string()) for c in zip(*rows, strict=True)]
        yield pa.RecordBatch.from_arrays(columns_of, schema=schema)
