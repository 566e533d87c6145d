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
"""Between the smallest and the greatest key: 125 MB for each verdict, at most."""

SEGMENT = 16
"""Keys that differ only in so many bits share a segment: small enough for a processor's cache."""

Segments = dict[int, int]
"""Number of a segment → its people as bits, the first key of the segment first."""

APART = 48
"""Numbers of one subject's people begin at a multiple of two to this power."""


@dataclass(frozen=True)
class Lookup:
    """How a row finds its person: by the segment of its key, and one bit in that."""

    labels: tuple[tuple[int, str], ...]  # label → temporary table (n, bits) of its people
    everyone: str
    least: int  # the smallest key
    base: int

    def probe(self, relation: str, key: str) -> tuple[str, str]:
        """A join and a condition: the key is of a person in that table."""
        return (
            f"JOIN {relation} s ON s.n = ({key}) >> {SEGMENT}",
            f"get_bit(s.bits, CAST(({key}) & {(1 << SEGMENT) - 1} AS INTEGER)) = 1",
        )

    def number(self, key: str, label: int) -> str:
        """The number of a person of that label, as `People.number` gives them."""
        number = f"{self.base} + (({key}) - ({self.least})) + 1"
        return f"CAST({number if label >= BLOCK else f'-({number})'} AS BIGINT)"


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
        self._bits: dict[tuple[int, int], Segments] = {}
        self._least = 0
        self._acted: Segments = {}

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
        return {group: _count(found) for group, found in self._bits.items()}

    def number(
        self, label: Callable[[int, int], int], seen: Iterable[tuple[int, int]], start: int,
        prefix: str = "",
    ) -> str:  # fmt: skip
        """Give each person a label and a number; the name of a relation of them all."""
        if not self._bits:
            return super().number(label, seen, start, prefix)
        by_label: dict[int, Segments] = {}
        for group, segments in self._bits.items():
            _add(by_label.setdefault(label(*group), {}), segments)
        name = f"{prefix}people_{self._ordinal}"
        tables = [(verdict, f"{name}_{verdict}") for verdict in by_label]
        everyone: Segments = {}
        for verdict, table in tables:
            self.lake.segments(table, _bytes(by_label[verdict]))
            _add(everyone, by_label[verdict])
        self.lake.segments(f"{name}_all", _bytes(everyone))
        temp = self.session.dialect.temp
        found = Lookup(
            tuple((verdict, temp(table)) for verdict, table in tables), temp(f"{name}_all"),
            self._least, (self._ordinal + 1) << APART,
        )  # fmt: skip
        key = f"(s.n * {1 << SEGMENT} + i)"
        final = f"{prefix}{self._final}"
        lines = [
            f"SELECT CAST({key} AS VARCHAR) AS k1, 0 AS present, {verdict} AS lo, {verdict} AS hi, "
            f"{found.number(key, verdict)} AS pmin, {found.number(key, verdict)} AS pmax "
            f"FROM {table} s, range({1 << SEGMENT}) r(i) "
            "WHERE get_bit(s.bits, CAST(i AS INTEGER)) = 1"
            for verdict, table in found.labels
        ]
        self.lake.view(final, " UNION ALL ".join(lines))
        if not prefix:
            self.lookup, self._acted = found, {}
            for verdict, segments in by_label.items():
                if verdict >= BLOCK:
                    _add(self._acted, segments)
        return temp(final)

    def acted_on(self, relation: str) -> tuple[int, int]:
        """How many people are to be acted on, and a number that depends on who they are."""
        if self.lookup is None:
            return super().acted_on(relation)
        whole = hashlib.blake2b(self.subject.name.encode(), digest_size=16)
        for number, content in sorted(_bytes(self._acted)):
            whole.update(f"{number}:".encode() + content)
        return _count(self._acted), int.from_bytes(whole.digest())

    # Where they come from.

    def _bitmaps(self, rules: Sequence[Rule]) -> dict[tuple[int, int], Segments]:
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
        if least is None or most - least >= SPAN:
            return {}
        self._least = int(least)
        pbits, ubits = self.judging(rules)
        size = 1 << SEGMENT
        rows = session.query(
            f"SELECT pbits, ubits, k >> {SEGMENT} AS n, count(*), "
            f"CAST(bitstring_agg(k & {size - 1}, 0, {size - 1}) AS BLOB) "
            f"FROM (SELECT {key} AS k, {pbits} AS pbits, {ubits} AS ubits FROM {relation} r) "
            "GROUP BY pbits, ubits, n"
        )
        bits: dict[tuple[int, int], Segments] = {}
        everyone: Segments = {}
        for protected, unknown, number, _, content in rows:
            if content is None:
                return {}  # a person without a key
            segment = {int(number): int.from_bytes(content)}
            bits.setdefault((int(protected), int(unknown)), {}).update(segment)
            _add(everyone, segment)
        # A key that several rows have, in one verdict or in two, is not told by one bit.
        return bits if _count(everyone) == sum(int(row[3]) for row in rows) else {}

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


def _add(into: Segments, segments: Segments) -> None:
    for number, bits in segments.items():
        into[number] = into.get(number, 0) | bits


def _count(segments: Segments) -> int:
    return sum(bits.bit_count() for bits in segments.values())


def _bytes(segments: Segments) -> list[tuple[int, bytes]]:
    return [(n, bits.to_bytes((1 << SEGMENT) // 8)) for n, bits in segments.items()]


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
