"""What happens to each row: goes, is held and why, or stays. Design.md section 4.

`moves[T]` lists (k1 … kn, label, plo, phi): rows that go, the label naming action and clauses,
`plo` and `phi` the numbers of the first and last person whom the row concerns, which goes with the
batch of `phi`; of an attachment they are the other way round. `held[T]`
lists (k1 … kn, label, reason). `split[T]` lists the rows of `joint: split` about people at odds:
(k1 … kn, label, lo, hi), the label being the author's, `lo` and `hi` the outer ones of all people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from domicile.stores.base import Session
from domicile.survey.graph import Graph, resolve
from domicile.survey.ownership import Ownership
from domicile.survey.people import BLOCK, STAYS, UNKNOWN, action
from domicile.survey.work import Work

if TYPE_CHECKING:
    from domicile.survey.lake_rows import Told

JOINT, NO_AUTHOR, SPLIT, COLLISION, NO_STUB, LEGAL, BLOCKED, FILE, EXPORT = (
    "joint", "author", "split", "collision", "stub", "legal hold", "blocked", "file", "export",
)  # fmt: skip
NO_HOME, MISFIT, REPORT = "no home", "misfit", "report"

REASONS = {
    JOINT: "about several people whose verdicts differ: declare `joint: author` with a path",
    NO_AUTHOR: "the author path leads to nobody with a register row",
    SPLIT: "`joint: split` needs a copy on the other side, which has no key, or which a check or "
    "a column that must be unique forbids",
    COLLISION: "the home store has other values under the same key, here or in a row it needs",
    NO_STUB: "others point at it, and a check or a unique column forbids a stub in its place",
    BLOCKED: "the table may not be written",
    LEGAL: "a legal hold of the estate stops the erasure",
    EXPORT: "it needs a row shared with somebody whom another mandate keeps out of the home: a "
    "copy there would be an export of theirs",
    FILE: "a file that belongs to it is held, or to a row that it needs: they go together",
}


class Verdicts:
    """Splits the work tables of one store into rows that go and rows that are held."""

    def __init__(
        self, session: Session, graph: Graph, ownership: Ownership,
        spans: dict[str, tuple[int, int]] | None = None, prefix: str = "",
    ) -> None:  # fmt: skip
        """`spans`: subject → the first and last number that its people may have. `prefix` tells
        the temporary tables of several labellings apart."""
        self.spans = spans or {}
        self.session = session
        self.graph = graph
        self.ownership = ownership
        self.shapes = ownership.shapes
        self.work = Work(session, f"{prefix}v")
        self.moves: dict[str, str] = {}
        self.held: dict[str, str] = {}
        self.shared: dict[str, str] = {}
        self.mixed: set[str] = set()
        self.split: dict[str, str] = {}
        self.told: dict[str, Told] = {}  # tables whose moves are all that one scan told, no less

    def run(self, erasing: set[int]) -> None:
        """`erasing`: the labels whose action is erasure, which legal holds stop."""
        for table, work in self.ownership.work.items():
            role = self.graph.roles[table]
            keys = ", ".join(f"w.{k}" for k in self.shapes.labels(table))
            same = f"{action('w.lo')} = {action('w.hi')}"
            real = self._real(table, "w")
            goes = f"w.hi >= {BLOCK} AND {same} AND {real}"
            if role == "attachment":
                goes += " AND w.alone = 1"
            first, last = "w.pmin", "w.pmax"
            if role == "attachment":
                # What people's own rows refer to comes home with the first of them and leaves with
                # the same batch, the last to be deleted: whoever is still there can be told by it.
                first, last = last, first
            select = (
                f"SELECT {keys}, w.lo AS label, {first} AS plo, {last} AS phi "
                f"FROM {work} w WHERE {goes}"
            )
            if role == "register":
                select += " AND w.present = 1"
            parts = [select]
            mixed = f"w.hi >= {BLOCK} AND NOT {same} AND {real}"
            # A person's row that nobody shares has one label, and is about nobody else.
            alone = table in self.ownership.told
            single = table in self.ownership.single
            if role == "plain" and not alone and not single and self.work.any(work + " w", mixed):
                self.mixed.add(table)
                parts += self._joint(table, work, keys, mixed)
            elif role == "attachment":
                self.shared[table] = self.work.create(
                    f"SELECT {keys} FROM {work} w "
                    f"WHERE w.hi >= {BLOCK} AND {real} AND NOT ({same} AND w.alone = 1)"
                )
            # One SELECT over the work table needs no copy of it: others read it as a subquery.
            whole = " UNION ALL ".join(parts)
            if alone and self._apart(table):
                self.told[table] = self.ownership.told[table]
                self.moves[table] = self.work.view(whole)
            else:
                once = len(parts) == 1 and not alone  # of a view it is worked out once, here
                self.moves[table] = f"({whole})" if once else self.work.create(whole)
            self._legal(table, erasing)
            if self.graph.table(table).blocks:
                self.hold(table, self.moves[table], BLOCKED)
                self.split.pop(table, None)

    def _apart(self, table: str) -> bool:
        """No key binds its rows to others: nobody joins what goes, it is only counted."""
        edges = [*self.graph.into(table), *self.graph.edges[table]]
        return not any(e.binding for e in edges) and not self.shapes.identity(table)

    def _real(self, table: str, alias: str) -> str:
        """The line is of a row that is here, not of the stub of one that is elsewhere."""
        stubs = self.ownership.stubs.get(table)
        if stubs is None:
            return "1 = 1"
        match = " AND ".join(f"s.{k} = {alias}.{k}" for k in self.shapes.labels(table))
        return f"NOT EXISTS (SELECT 1 FROM {stubs} s WHERE {match})"

    def of(self, table: str, block: int) -> str:
        """The moves of one action, as a relation."""
        return f"(SELECT m.* FROM {self.moves[table]} m WHERE {action('m.label')} = {block})"

    def hold(self, table: str, rows: str, reason: str) -> int:
        """Take rows (a relation with the key columns) out of the moves; how many were there."""
        keys = self.shapes.labels(table)
        match = " AND ".join(f"b.{k} = m.{k}" for k in keys)
        if self.told.pop(table, None):
            self.moves[table] = self.work.create(f"SELECT m.* FROM {self.moves[table]} m")
        moves = self.moves[table]
        listed = ", ".join(f"m.{k}" for k in keys)
        found = (
            f"SELECT {listed}, m.label, {self.session.dialect.literal(reason)} AS reason "
            f"FROM {moves} m WHERE EXISTS (SELECT 1 FROM {rows} b WHERE {match})"
        )
        count = self.work.count(f"({found}) f")
        if count:
            self._add_held(table, found)
            self.moves[table] = self.work.create(
                f"SELECT m.* FROM {moves} m WHERE NOT EXISTS (SELECT 1 FROM {rows} b WHERE {match})"
            )
        return count

    def hold_copies(self, table: str, rows: str, reason: str) -> int:
        """Hold rows of `split` whose copy on the other side cannot be; how many were there."""
        keys = self.shapes.labels(table)
        match = " AND ".join(f"b.{k} = s.{k}" for k in keys)
        split = self.split[table]
        listed = ", ".join(f"s.{k}" for k in keys)
        found = self.work.create(
            f"SELECT {listed}, s.hi AS label, {self.session.dialect.literal(reason)} AS reason "
            f"FROM {split} s WHERE EXISTS (SELECT 1 FROM {rows} b WHERE {match})"
        )
        count = self.work.count(found)
        if count:
            self._add_held(table, f"SELECT * FROM {found}")
            self.split[table] = self.work.create(
                f"SELECT s.* FROM {split} s WHERE NOT EXISTS (SELECT 1 FROM {rows} b WHERE {match})"
            )
        return count

    def _add_held(self, table: str, select: str) -> None:
        if table in self.held:
            self.session.execute(f"INSERT INTO {self.held[table]} {select}")
        else:
            self.held[table] = self.work.create(select)

    def _joint(self, table: str, work: str, keys: str, mixed: str) -> list[str]:
        declared = self.graph.declared(table)
        literal = self.session.dialect.literal
        keyless = declared.joint == "split" and not self.shapes.identity(table)
        if declared.joint == "hold" or keyless:
            reason = SPLIT if keyless else JOINT
            self._add_held(
                table,
                f"SELECT {keys}, w.hi AS label, {literal(reason)} AS reason FROM {work} w "
                f"WHERE {mixed}",
            )
            return []
        joins, label = self._author(table)
        same = self.shapes.same(table, "t", "w")
        authored = self.work.create(
            f"SELECT {keys}, {label} AS label, w.lo, w.hi, w.pmax AS phi FROM {work} w "
            f"JOIN {self.session.dialect.table(table)} t ON {same} {joins} WHERE {mixed}"
        )
        listed = ", ".join(self.shapes.labels(table))
        self._add_held(
            table,
            f"SELECT {listed}, hi AS label, {literal(NO_AUTHOR)} AS reason FROM {authored} "
            "WHERE label IS NULL",
        )
        if declared.joint == "split":
            self.split[table] = self.work.create(
                f"SELECT {listed}, label, lo, hi FROM {authored} WHERE label IS NOT NULL"
            )
        return [f"SELECT {listed}, label, phi, phi FROM {authored} WHERE label >= {BLOCK}"]

    def _author(self, table: str) -> tuple[str, str]:
        """Joins along the author path of `t`, and the label of the one person at its end."""
        path = self.graph.declared(table).author
        assert path is not None  # the loader asks for it with `joint: author`
        steps, end = resolve(self.graph, table, path, f"tables.{self.graph.name(table)}.author")
        here = "t"
        joins: list[str] = []
        for number, (edge, backward) in enumerate(steps):
            there = f"h{number}"
            target = edge.child if backward else edge.parent
            child, parent = (there, here) if backward else (here, there)
            joins.append(
                f"LEFT JOIN {self.session.dialect.table(target)} {there} "
                f"ON {self.shapes.refers(edge, child, parent)}"
            )
            here = there
        work = self.ownership.work.get(end)
        if work is None:
            return " ".join(joins), "CAST(NULL AS integer)"
        joins.append(f"LEFT JOIN {work} e ON {self.shapes.same(end, here, 'e')}")
        # Whoever is perhaps protected stays, as one who is not.
        known = f"CASE e.lo WHEN {UNKNOWN} THEN {STAYS} ELSE e.lo END"
        label = f"CASE WHEN e.pmin = e.pmax THEN {known} END"
        return " ".join(joins), label

    def _legal(self, table: str, erasing: set[int]) -> None:
        labels = ", ".join(str(n) for n in sorted(erasing))
        name = self.graph.name(table)
        for held in self.graph.estate.legal_holds:
            # A hold that names no table holds whole people: every table of the schema.
            if not erasing or (held.tables and name not in held.tables):
                continue
            # A row is about people between plo and phi, perhaps not about each of these.
            spans = [self.spans[s] for s in held.subjects if s in self.spans]
            whose = " OR ".join(
                f"((m.phi >= {a} OR m.plo >= {a}) AND (m.plo <= {b} OR m.phi <= {b}))"
                for a, b in spans
            )
            if held.subjects and not spans:
                continue
            self.hold(
                table,
                f"(SELECT m.* FROM {self.moves[table]} m WHERE {action('m.label')} IN ({labels})"
                f"{f' AND ({whose})' if whose else ''})",
                LEGAL,
            )
