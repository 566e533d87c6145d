"""The people of one store: residence, birth date, which mandates protect them, and a number.

Everything stays beside the data, in a temporary table for each subject:

    k1 … kn            the register's key
    residence, born    ISO 3166-1 alpha-2 and ISO date, or NULL
    pbits, ubits       bit i is set when mandate i protects the person / cannot be told
    present            1 when the register row is in this store, 0 when it is in another cell,
                       -1 when it was erased and only stubs and rows about others tell of it
    lo, hi, pmin, pmax the label and the number, twice: a person is a row about one person
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from domicile.estate.countries import country_code
from domicile.estate.model import Path, Subject
from domicile.stores.base import CanView, Row, Session
from domicile.survey.graph import Graph, resolve
from domicile.survey.ownership import Shapes
from domicile.survey.stored import stored
from domicile.survey.texts import text_batches
from domicile.survey.work import Work

STAYS, UNKNOWN, BLOCK = 0, 1, 1000
"""Labels: not protected here; perhaps protected; from BLOCK on, something is to be done.

One action (a home, or erasure) has the labels of one block, one for each set of clauses that
asks for it, so that people who go the same way for different reasons are not at odds.
"""


LONGEST = 24
"""Bytes of a subject's name in the names of temporary tables, which have a prefix and an ending."""

ELSEWHERE, GONE = 0, -1
"""Where the register row of a person is that rows here are about: another cell, or nowhere."""


def action(label: str) -> str:
    """The block that a label belongs to, in SQL that every engine reads alike."""
    return f"({label} - {label} % {BLOCK})"


@dataclass(frozen=True)
class Rule:
    """One mandate as conditions over the columns `residence` and `born`, in the store's SQL."""

    protected: str
    unknown: str
    subjects: tuple[str, ...] = ()


class People:
    """Builds the table of one subject in one session."""

    def __init__(
        self, session: Session, graph: Graph, subject: Subject, *, prefix: str = ""
    ) -> None:
        self.session = session
        self.graph = graph
        self.subject = subject
        self.shapes = Shapes(graph, session.dialect)
        name = _short(subject.name)
        self.raw = session.dialect.temp(f"{prefix}r_{name}")
        self._raw = f"{prefix}r_{name}"
        self._final = f"{prefix}p_{name}"
        self._map = f"{prefix}c_{name}"
        self._lookups = 0  # of people from elsewhere
        self.repeated: int = 0  # rows whose key another row of the same register has
        self.unreadable: int = 0  # people whose residence is written, but is no country we know
        self.keys = [f"k{i + 1}" for i in range(len(subject.key))]
        self.local = subject.register.holds == graph.holds
        self.untouched = False  # these people are the rows of the register, all and no others

    def survey(self, stubs: str = "") -> None:
        """Read the register: keys, residence and birth date. `stubs`: keys to leave out."""
        table = self.subject.register.table
        dialect = self.session.dialect
        where = f"subjects.{self.subject.name}"
        residence, joins = self._path(table, self.subject.residence, "a", f"{where}.residence")
        born, more = self._path(table, self.subject.born, "b", f"{where}.born")
        condition = ""
        if stubs:
            condition = (
                f"WHERE NOT EXISTS (SELECT 1 FROM {stubs} s "
                f"WHERE {self.shapes.same(table, 'r', 's')})"
            )
        self._read(
            f"{self._raw}_0",
            f"SELECT {self.shapes.named(table, 'r')}, {residence} AS written, "
            f"substr({born}, 1, 10) AS born FROM {dialect.table(table)} r "
            f"{' '.join(joins + more)} {condition}",
        )
        self._countries()
        self.untouched = not stubs

    def add(self, people: Iterable[Row], *, present: int = ELSEWHERE) -> int:
        """People whose register row is not here: key texts, residence, born.

        `present` is ELSEWHERE for those of another cell, GONE for those of none any more.
        """
        self.untouched = False
        dialect = self.session.dialect
        name = f"{self._raw}_away"
        columns = [(k, "text") for k in self.keys] + [("residence", "text"), ("born", "text")]
        count = self.session.load(name, columns, people)
        keys = ", ".join(self.keys)
        if self.local:
            if isinstance(self.session, CanView):
                self._create(f"{self._raw}_kept", f"SELECT * FROM {self.raw}")
                self.raw = dialect.temp(f"{self._raw}_kept")
            self.session.execute(
                f"INSERT INTO {self.raw} SELECT {keys}, residence, born, {present} "
                f"FROM ({self._forms(dialect.temp(name))}) a"
            )
        else:
            # The same person may come from several cells; one line each.
            self._create(
                self._raw,
                f"SELECT {keys}, max(residence) AS residence, max(born) AS born, 0 AS present "
                f"FROM {dialect.temp(name)} GROUP BY {keys}",
            )
        self.session.execute(f"DROP TABLE {dialect.temp(name)}")
        return count

    def _forms(self, texts: str) -> str:
        """A SELECT of people, whose keys are texts, by their keys as rows here refer to them."""
        table = self.graph.table(self.subject.register.table)
        self._lookups += 1
        work = Work(self.session, f"{self._raw}_f{self._lookups}_")
        more = ["residence", "born"]
        if self.session.dialect.name != "sqlite":
            return stored(self.session, work, table, self.subject.key, texts, more)
        # Their register row is not here: only what refers to it shows in which form its key is.
        forms = self._referring(texts)
        if not forms:
            return stored(self.session, work, table, self.subject.key, texts, more)
        seen = work.create(" UNION ".join(forms))
        match = " AND ".join(f"s.{k} = x.{k}" for k in self.keys)
        rest = work.create(
            f"SELECT x.* FROM {texts} x WHERE NOT EXISTS (SELECT 1 FROM {seen} s WHERE {match})"
        )
        usual = stored(self.session, work, table, self.subject.key, rest, more)
        listed = ", ".join(f"s.f{k} AS {k}" for k in self.keys)
        return (
            f"SELECT {listed}, x.residence, x.born FROM {texts} x JOIN {seen} s ON {match} "
            f"UNION ALL {usual}"
        )

    def _referring(self, texts: str) -> list[str]:
        """SELECTs of the keys of `texts` (k1 …) as rows here write them (fk1 …)."""
        dialect = self.session.dialect
        table = self.graph.table(self.subject.register.table)
        found: list[str] = []
        for edge in self.graph.into(table.name):
            plain = not edge.json and self.graph.passes(edge)
            if not plain or set(edge.parent_columns) != set(self.subject.key):
                continue
            child = self.graph.table(edge.child)
            column = dict(zip(edge.parent_columns, edge.columns, strict=True))
            named = [(k, column[c]) for k, c in zip(self.keys, self.subject.key, strict=True)]
            match = " AND ".join(
                f"x.{k} = {dialect.text(f't.{dialect.quote(c)}', child.column(c).kind)}"
                for k, c in named
            )
            forms = ", ".join(f"x.{k}, t.{dialect.quote(c)} AS f{k}" for k, c in named)
            found.append(
                f"SELECT {forms} FROM {dialect.table(edge.child)} t CROSS JOIN {texts} x "
                f"WHERE {match}"
            )
        return found

    def missing(self) -> list[Row]:
        """Key texts that rows refer to and no person here has: their register row is elsewhere."""
        if not self.local:
            return []
        table = self.graph.table(self.subject.register.table)
        kinds = [table.column(c).kind for c in self.subject.key]
        found: set[Row] = set()
        for edge in self.graph.into(table.name):
            if set(edge.parent_columns) != set(self.subject.key) or not self.graph.passes(edge):
                continue
            child = self.graph.table(edge.child)
            column = dict(zip(edge.parent_columns, edge.columns, strict=True))
            values = [self.shapes.value(edge, "t", column[k]) for k in self.subject.key]
            texts = ", ".join(
                self.session.dialect.text(v, "text" if edge.json else child.column(column[k]).kind)
                for k, v in zip(self.subject.key, values, strict=True)
            )
            join = self.shapes.joined(edge, "t", "p", self.raw)
            given = " AND ".join(
                [*(f"{v} IS NOT NULL" for v in values), *self.shapes.applies(edge, "t")]
            )
            found.update(
                self.session.query(
                    f"SELECT DISTINCT {texts} FROM {self.session.dialect.table(edge.child)} t "
                    f"LEFT {join} WHERE {given} AND p.k1 IS NULL"
                )
            )
        # A uuid may stand in a column of text, written in capitals.
        return sorted(
            tuple(str(v).lower() if k == "uuid" else str(v) for v, k in zip(r, kinds, strict=True))
            for r in found
        )

    def texts(self, only: str = "") -> str:
        """A query of all people here as texts: key …, residence, born. For other stores."""
        return (
            f"SELECT {self.key_texts()}, residence, born FROM {self.raw} p WHERE present = 1 {only}"
        )

    def key_texts(self) -> str:
        """The key of people (alias `p`) as canonical texts."""
        return ", ".join(self.texts_of_key())

    def texts_of_key(self) -> list[str]:
        """The parts of the key of people (alias `p`) as canonical texts."""
        return [self._text(i) for i in range(len(self.keys))]

    def _text(self, index: int) -> str:
        if not self.local:
            return f"p.k{index + 1}"
        table = self.graph.table(self.subject.register.table)
        kind = table.column(self.subject.key[index]).kind
        return self.session.dialect.text(f"p.k{index + 1}", kind)

    def find(self, keys: Sequence[Row]) -> list[Row]:
        """Those of the people here whose key texts are among `keys`."""
        name = f"{self._raw}_find"
        self.session.load(name, [(k, "text") for k in self.keys], keys)
        rows = self.session.query(
            f"{self.texts()} AND ({self.key_texts()}) IN "
            f"(SELECT {', '.join(self.keys)} FROM {self.session.dialect.temp(name)})"
        )
        self.session.execute(f"DROP TABLE {self.session.dialect.temp(name)}")
        return rows

    def changed(self, people: str) -> str:
        """A SELECT of the numbers (n) of those in `people`, a table that `number` made, of whom
        the register's rows say something else now: another country, another birth date."""
        table = self.subject.register.table
        residence, joins = self._path(table, self.subject.residence, "a", "")
        born, more = self._path(table, self.subject.born, "b", "")
        born = f"substr({born}, 1, 10)"
        born = f"CASE WHEN {_iso(born)} THEN {born} END"
        return (
            f"SELECT p.pmin AS n FROM {people} p JOIN {self.session.dialect.table(table)} r "
            f"ON {self.shapes.same(table, 'r', 'p')} {' '.join(joins + more)} "
            f"LEFT JOIN {self.session.dialect.temp(self._map)} c ON c.written = {residence} "
            "WHERE p.present = 1 AND (coalesce(c.code, '') <> coalesce(p.residence, '') "
            f"OR coalesce({born}, '') <> coalesce(p.born, ''))"
        )

    def judge(self, rules: Sequence[Rule]) -> dict[tuple[int, int], int]:
        """Which mandates protect whom; people here by (pbits, ubits)."""
        pbits, ubits = self.judging(rules)
        self._create(
            f"{self._raw}_j", f"SELECT r.*, {pbits} AS pbits, {ubits} AS ubits FROM {self.raw} r"
        )
        rows = self.session.query(
            f"SELECT pbits, ubits, count(*) FROM {self.session.dialect.temp(self._raw + '_j')} "
            "GROUP BY pbits, ubits ORDER BY pbits, ubits"
        )
        return {(int(p), int(u)): int(n) for p, u, n in rows}

    def here(self) -> dict[tuple[int, int], int]:
        """After `judge`: the people whose register row is here, by (pbits, ubits)."""
        rows = self.session.query(
            f"SELECT pbits, ubits, count(*) FROM {self.session.dialect.temp(self._raw + '_j')} "
            "WHERE present = 1 GROUP BY pbits, ubits ORDER BY pbits, ubits"
        )
        return {(int(p), int(u)): int(n) for p, u, n in rows}

    def judging(self, rules: Sequence[Rule]) -> tuple[str, str]:
        """The expressions of pbits and ubits over alias `r`."""
        mine = [
            (i, r) for i, r in enumerate(rules) if not r.subjects or self.subject.name in r.subjects
        ]
        pbits = " + ".join([f"CASE WHEN {r.protected} THEN {1 << i} ELSE 0 END" for i, r in mine])
        ubits = " + ".join([f"CASE WHEN {r.unknown} THEN {1 << i} ELSE 0 END" for i, r in mine])
        return pbits or "0", ubits or "0"

    def whole_keys(self) -> bool:
        """Whether the key is one whole number, that eight bytes hold."""
        if not self.local or len(self.keys) != 1:
            return False
        column = self.graph.table(self.subject.register.table).column(self.subject.key[0])
        return column.kind == "int" and column.type not in ("UBIGINT", "HUGEINT", "UHUGEINT")

    def keys_in(self, relation: str, block: int, going: str = "") -> Iterator[pa.RecordBatch]:
        """The key texts (k1 … kn) of the people of `relation` whom one action is about.

        `going`: only those whose register row is among these (k1 … kn).
        """
        match = " AND ".join(f"g.{k} = p.{k}" for k in self.keys)
        only = f" AND EXISTS (SELECT 1 FROM {going} g WHERE {match})" if going else ""
        query = (
            f"SELECT {self.key_texts()} FROM {relation} p "
            f"WHERE p.lo >= {block} AND p.lo < {block + BLOCK}{only}"
        )
        return text_batches(self.session, query, self.keys)

    def acted_on(self, relation: str) -> tuple[int, int]:
        """How many people of `relation` are to be acted on, and a number that depends on who
        they are, in whatever order."""
        count = total = 0
        query = f"SELECT {self.key_texts()} FROM {relation} p WHERE p.lo >= {BLOCK}"
        for batch in self.session.stream(query):
            count += len(batch)
            for row in batch:
                person = hashlib.blake2b(repr((self.subject.name, *row)).encode(), digest_size=16)
                total += int.from_bytes(person.digest())
        return count, total

    def number(
        self, label: Callable[[int, int], int], seen: Iterable[tuple[int, int]], start: int,
        prefix: str = "",
    ) -> str:  # fmt: skip
        """Give each person a label and a number; the final table's name.

        Numbers of people to be acted on are positive and follow the register's key, others are
        negative: so the greatest number of a row names the last batch that concerns it.
        """
        cases = " ".join(
            f"WHEN pbits = {p} AND ubits = {u} THEN {label(p, u)}" for p, u in sorted(set(seen))
        )
        lo = f"CASE WHEN present = {GONE} THEN {UNKNOWN} {cases} ELSE {STAYS} END"
        keys = ", ".join(self.keys)
        number = f"row_number() OVER (PARTITION BY (lo >= {BLOCK}) ORDER BY {keys}) + {start}"
        number = f"CASE WHEN lo >= {BLOCK} THEN {number} ELSE -({number}) END"
        final = f"{prefix}{self._final}"
        self._create(
            final,
            f"SELECT l.*, lo AS hi, CAST({number} AS bigint) AS pmin, "
            f"CAST({number} AS bigint) AS pmax "
            f"FROM (SELECT j.*, {lo} AS lo FROM {self.session.dialect.temp(self._raw + '_j')} j) l",
        )
        return self.session.dialect.temp(final)

    def _countries(self) -> None:
        """Normalise what is written, value by distinct value, never row by row."""
        dialect = self.session.dialect
        raw = dialect.temp(f"{self._raw}_0")
        pairs: list[Row] = []
        unreadable: list[str] = []
        for (written,) in self.session.query(
            f"SELECT DISTINCT written FROM {raw} WHERE written IS NOT NULL"
        ):
            code = country_code(str(written))
            if code:
                pairs.append((written, code))
            elif str(written).strip():
                unreadable.append(str(written))
        self.session.load(self._map, [("written", "text"), ("code", "text")], pairs)
        born = f"CASE WHEN {_iso('r.born')} THEN r.born END"
        self._read(
            self._raw,
            f"SELECT {', '.join('r.' + k for k in self.keys)}, c.code AS residence, "
            f"{born} AS born, "
            f"1 AS present FROM {raw} r LEFT JOIN {dialect.temp(self._map)} c "
            "ON c.written = r.written",
        )
        if unreadable:
            listed = ", ".join(dialect.literal(u) for u in unreadable)
            self.unreadable = self.session.query(
                f"SELECT count(*) FROM {raw} WHERE written IN ({listed})"
            )[0][0]

    def _path(self, table: str, path: Path | None, prefix: str, key: str) -> tuple[str, list[str]]:
        """A declared path as joins, and the expression of its last column as text."""
        if path is None:
            return "CAST(NULL AS text)", []
        steps, end = resolve(self.graph, table, path, key)
        joins: list[str] = []
        here = "r"
        for number, (edge, backward) in enumerate(steps):
            there = f"{prefix}{number}"
            target = edge.child if backward else edge.parent
            child, parent = (there, here) if backward else (here, there)
            joins.append(
                f"LEFT JOIN {self.session.dialect.table(target)} {there} "
                f"ON {self.shapes.refers(edge, child, parent)}"
            )
            here = there
        column = self.graph.table(end).column(path.column)
        expression = f"{here}.{self.session.dialect.quote(column.name)}"
        return self.session.dialect.text(expression, column.kind), joins

    def _read(self, name: str, select: str) -> None:
        """What the register says: kept, but for a lake, where reading it again costs less."""
        if isinstance(self.session, CanView):
            self.session.view(name, select)
        else:
            self._create(name, select)

    def _create(self, name: str, select: str) -> None:
        quoted = self.session.dialect.quote(name)
        self.session.execute(f"DROP TABLE IF EXISTS {self.session.dialect.temp(name)}")
        self.session.execute(f"CREATE TEMP TABLE {quoted} AS {select}")
        self.session.analyse(name)


def _short(name: str) -> str:
    """A subject's name where tables are named after it: a store may cut names at 63 bytes."""
    if len(name.encode()) <= LONGEST:
        return name
    return hashlib.blake2b(name.encode(), digest_size=8).hexdigest()


def _iso(column: str) -> str:
    """A text that can be compared as a date: YYYY-MM-DD with digits where digits must be."""
    return (
        f"length({column}) = 10 AND substr({column}, 5, 1) = '-' AND substr({column}, 8, 1) = '-' "
        f"AND substr({column}, 1, 4) BETWEEN '0000' AND '9999'"
    )
