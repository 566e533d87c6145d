"""People of a register elsewhere, as a lake's session looks them up: one bit for each.

Where the register's key is a whole number, the people of one verdict are a bitmap over the keys,
and a row's person is found by one probe, without a join: what 50 million people need is a few
million bytes. Other keys, keys far apart, and keys that several rows have go the common way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from domicile.estate.countries import country_code
from domicile.estate.model import Subject
from domicile.stores.parquet_session import ParquetSession
from domicile.survey import lake_register
from domicile.survey.graph import Graph
from domicile.survey.lake_bits import SEGMENT, Bits, whole_segments
from domicile.survey.lake_kept import Kept, stamps
from domicile.survey.lake_rows import SIZE, Told, told
from domicile.survey.people import BLOCK, People, Rule
from domicile.survey.texts import text_batches

SPAN = 1_000_000_000
"""Between the smallest and the greatest key: 125 MB for each verdict, and while they are read a
byte for each key that is near another's."""

VERDICTS = 255
"""Verdicts that a byte tells apart, beside none."""

_HALF = 31
"""Mandates that one number tells of twice: whom they protect, and of whom it cannot be told."""

APART = 48
"""Numbers of one subject's people begin at a multiple of two to this power."""


@dataclass(frozen=True)
class Lookup:
    """How a row finds its person: by the segment of its key, and one bit in that."""

    session: ParquetSession
    labels: tuple[tuple[int, str], ...]  # label → temporary table (n, bits) of its people
    people: Mapping[int, Bits]  # label → its people
    everyone: Bits
    base: int
    kept: Kept | None = None

    def tell(self, table: str, key: str, condition: str, column: str = "") -> Told:
        """Look up every row of a table at once. `column`: what the key is, where it is one."""
        acted = {label: bits for label, bits in self.people.items() if label >= BLOCK}
        return told(self.session, table, key, condition, self.everyone, acted, self.kept, column)

    def probe(self, relation: str, key: str) -> tuple[str, str]:
        """A join and a condition: the key is of a person in that table."""
        return (
            f"JOIN {relation} s ON s.n = ({key}) >> {SEGMENT}",
            f"get_bit(s.bits, CAST(({key}) & {(1 << SEGMENT) - 1} AS INTEGER)) = 1",
        )

    def number(self, key: str, label: int) -> str:
        """The number of a person of that label, as `People.number` gives them."""
        number = f"{self.base} + (({key}) - ({self.everyone.first})) + 1"
        return f"CAST({number if label >= BLOCK else f'-({number})'} AS BIGINT)"


class LakePeople(People):
    """People whose register is in another schema, in a session over a lake."""

    def __init__(
        self, session: ParquetSession, graph: Graph, subject: Subject, others: Sequence[People],
        ordinal: int, kept: Kept | None = None,
    ) -> None:  # fmt: skip
        """`others`: the register's people, cell by cell, each in its own session.

        `kept`: what was told before about files that are still the same.
        """
        super().__init__(session, graph, subject)
        self.lake = session
        self.others = others
        self.kept = kept
        self.lookup: Lookup | None = None
        self._looked_up = ""  # the relation that the lookup tells the people of
        self._ordinal = ordinal
        self._made = False
        self._bits: dict[tuple[int, int], Bits] = {}

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
        return {group: len(found) for group, found in self._bits.items()}

    def number(
        self, label: Callable[[int, int], int], seen: Iterable[tuple[int, int]], start: int,
        prefix: str = "",
    ) -> str:  # fmt: skip
        """Give each person a label and a number; the name of a relation of them all."""
        if not self._bits:
            return super().number(label, seen, start, prefix)
        by_label: dict[int, Bits] = {}
        for group, bits in self._bits.items():
            verdict = label(*group)
            by_label[verdict] = by_label[verdict] | bits if verdict in by_label else bits
        name = f"{prefix}people_{self._ordinal}"
        tables = [(verdict, f"{name}_{verdict}") for verdict in by_label]
        for verdict, table in tables:
            self.lake.segments(table, list(by_label[verdict].segments()))
        temp = self.session.dialect.temp
        found = Lookup(
            self.lake, tuple((verdict, temp(table)) for verdict, table in tables), by_label,
            reduce(or_, by_label.values()), (self._ordinal + 1) << APART,
            self.kept,
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
            self.lookup, self._looked_up = found, temp(final)
        return temp(final)

    def keys_in(self, relation: str, block: int, going: str = "") -> Iterator[pa.RecordBatch]:
        """The key texts of the people whom one action is about; from their bits, where there are.

        `going`: only those whose register row is among these (k1 … kn).
        """
        if self.lookup is None or relation != self._looked_up or going:
            yield from super().keys_in(relation, block, going)
            return
        of_label = self.lookup.people.items()
        acted = [bits for label, bits in of_label if block <= label < block + BLOCK]
        if acted:
            for keys in reduce(or_, acted).members():
                yield pa.RecordBatch.from_arrays([pa.array(keys).cast(pa.string())], self.keys)

    def acted_on(self, relation: str) -> tuple[int, int]:
        """How many people are to be acted on, and a number that depends on who they are."""
        if self.lookup is None:
            return super().acted_on(relation)
        whole = hashlib.blake2b(self.subject.name.encode(), digest_size=16)
        acted = [bits for verdict, bits in self.lookup.people.items() if verdict >= BLOCK]
        if not acted:
            return 0, int.from_bytes(whole.digest())
        everyone = reduce(or_, acted)
        for number, content in everyone.segments():
            whole.update(f"{number}:".encode() + content)
        return len(everyone), int.from_bytes(whole.digest())

    # Where they come from.

    def _bitmaps(self, rules: Sequence[Rule]) -> dict[tuple[int, int], Bits]:
        """The keys of each verdict as bits; nothing when the keys do not lend themselves to it."""
        if len(self.keys) != 1 or len(rules) > _HALF:
            return {}
        direct = self.others[0] if len(self.others) == 1 else None
        if direct is not None and isinstance(direct.session, ParquetSession):
            if not direct.whole_keys():
                return {}
            session, key = direct.session, "r.k1"
            relation = f"(SELECT * FROM {direct.raw} WHERE present = 1)"
            ends = session.ends(direct.subject.register.table, direct.subject.key[0])
        else:
            session, relation = self.lake, self.raw
            key = "CAST(r.k1 AS BIGINT)"
            odd = session.query(
                f"SELECT count(*) FROM {relation} r "
                "WHERE CAST(TRY_CAST(r.k1 AS BIGINT) AS VARCHAR) IS DISTINCT FROM r.k1"
            )
            if odd[0][0]:
                return {}
            ends = session.query(f"SELECT min({key}), max({key}) FROM {relation} r")[0]
        least, most = ends
        if least is None or most is None or most - least >= SPAN:
            return {}
        pbits, ubits = self.judging(rules)
        group = f"CAST({pbits} AS BIGINT) | (CAST({ubits} AS BIGINT) << {_HALF})"
        query = f"SELECT CAST({key} AS BIGINT), {group} FROM {relation} r"
        span = whole_segments(int(least), int(most))

        def anew() -> dict[tuple[int, int], Bits]:
            by_text = self._by_text(direct, group, *span) if direct else None
            return _read(session, query, *span) if by_text is None else by_text

        if direct is None or session is self.lake or self.kept is None:
            return anew()
        seen = stamps([f for files in session.files.values() for f in files])
        name = self.kept.key("people", self.subject.name, query, span, seen)
        arrays = self.kept.get(name) if seen else None
        if arrays is not None:
            return {
                (int(p), int(u)): Bits(span[0], arrays[f"b{n}"])
                for n, (p, u) in enumerate(arrays["groups"])
            }
        found = anew()
        if found and seen:
            bits = {f"b{n}": b.bits for n, b in enumerate(found.values())}
            self.kept.put(name, {"groups": np.array(list(found), np.int64), **bits})
        return found

    def _by_text(
        self, direct: People, group: str, first: int, places: int
    ) -> dict[tuple[int, int], Bits] | None:
        """As `_read`, from the register's own columns; None where that is not possible."""
        path, table = direct.subject.residence, direct.subject.register.table
        if (
            not isinstance(direct.session, ParquetSession) or direct.session is self.lake
            or not direct.untouched or path is None or path.hops or direct.subject.born
        ):  # fmt: skip
            return None
        session, key = direct.session, direct.subject.key[0]
        written = direct.graph.table(table).column(path.column).name
        if not lake_register.plain(session, table, key, written):
            return None
        found = lake_register.read(session, table, key, written, first, places)
        if found is None:
            return None
        told, texts = found
        codes = [None if t is None else country_code(t) for t in texts]
        lines = ", ".join(
            f"({n}, {session.dialect.literal(c) if c else 'NULL'})" for n, c in enumerate(codes, 1)
        )
        by_text = session.query(
            f"SELECT n, {group} FROM (SELECT n, CAST(code AS VARCHAR) AS residence, "
            f"CAST(NULL AS VARCHAR) AS born FROM (VALUES {lines}) v(n, code)) r"
        )
        sides: dict[int, npt.NDArray[np.bool_]] = {}
        for number, verdict in by_text:
            side = sides.setdefault(int(verdict), np.zeros(lake_register.TEXTS + 1, np.bool_))
            side[number] = True
        return {
            (verdict & (1 << _HALF) - 1, verdict >> _HALF): Bits.of(first, side.take(told))
            for verdict, side in sides.items()
        }

    def _gather(self) -> None:
        name = f"{self._raw}_away"
        names = [*self.keys, "residence", "born"]
        loaded = self.lake.take(name, names, (b for o in self.others for b in batches(o)))
        keys = ", ".join(self.keys)
        # The same person may come from several cells; one line each. Where lines say different
        # things, it is not known which is right.
        said = ", ".join(
            f"CASE WHEN min({c}) = max({c}) THEN max({c}) END AS {c}" for c in ("residence", "born")
        )
        self._create(
            self._raw,
            f"SELECT {keys}, {said}, 0 AS present FROM {self.session.dialect.temp(name)} "
            f"GROUP BY {keys}",
        )
        if len(self.others) == 1:
            lines = self.session.query(
                f"SELECT count(*) FROM {self.session.dialect.temp(self._raw)}"
            )
            self.repeated = loaded - int(lines[0][0])
        self.session.execute(f"DROP TABLE {self.session.dialect.temp(name)}")


def _read(
    session: ParquetSession, query: str, first: int, places: int
) -> dict[tuple[int, int], Bits]:
    """The keys of each verdict, from lines of key and verdict; nothing when bits cannot tell."""
    verdicts = np.zeros(places, np.uint8)  # 0: nobody's key
    groups: list[int] = []
    people = 0
    for batch in session.arrow(query, SIZE):
        if batch.column(0).null_count:
            return {}  # a person without a key
        keys, found = (batch.column(i).to_numpy() for i in range(2))
        if len(keys) and (keys.min() < first or keys.max() >= first + places):
            return {}  # the footers do not say what the files hold
        people += len(keys)
        numbers = np.zeros(len(keys), np.uint8)
        for number, known in enumerate(groups, 1):
            numbers[found == known] = number
        if not numbers.all():
            for new in np.unique(found[numbers == 0]):
                groups.append(int(new))
                if len(groups) > VERDICTS:
                    return {}
                numbers[found == new] = len(groups)
        verdicts[keys - first] = numbers
    # A key that several rows have, in one verdict or in two, is not told by one bit.
    if np.count_nonzero(verdicts) != people:
        return {}
    return {
        (known & (1 << _HALF) - 1, known >> _HALF): Bits.of(first, verdicts == number)
        for number, known in enumerate(groups, 1)
    }


def lookups_of(people: Mapping[str, People]) -> dict[str, Lookup]:
    """Subject → how rows find its people without a join, where they can."""
    return {n: p.lookup for n, p in people.items() if isinstance(p, LakePeople) and p.lookup}


def batches(people: People) -> Iterator[pa.RecordBatch]:
    """The people of one register as batches of texts: key …, residence, born."""
    return text_batches(people.session, people.texts(), [*people.keys, "residence", "born"])
