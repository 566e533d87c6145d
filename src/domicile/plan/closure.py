"""What must come along and what must stay in place so that every key holds at both ends.

For one action (rows going from a source to a home, or being erased):

- `copies[T]`: rows that going rows refer to and that are nobody's, or are shared: copied home.
- `stubs[T]`: rows that going rows refer to and that stay with somebody else: home gets a stub.
- `left[T]`:   going rows that staying rows refer to: a stub is left at the source.
- `split_here[T]`, `split_home[T]`: rows of `joint: split` of which a pseudonymised copy is left at
  the source (their author goes, others stay) or made at home (the reverse).
- `present[T]`: going rows that the home has already, with equal values.
- `completes[T]`: going rows for which the home has a stub.
- `again[T]`: going rows that an unfinished run copied and that changed since: copied once more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from domicile.errors import StoreRefused
from domicile.plan.exports import Exports
from domicile.plan.home import Home
from domicile.plan.route import Join, Route, along
from domicile.plan.verdicts import COLLISION, EXPORT, NO_STUB, SPLIT, Verdicts
from domicile.stores.base import Row
from domicile.survey.graph import Edge
from domicile.survey.people import BLOCK, action
from domicile.survey.stubs import Stubs
from domicile.survey.work import Work

if TYPE_CHECKING:
    from domicile.survey.lake_rows import Told

SAMPLED = 200_000
"""Rows of a larger table that are looked at to guess how many of it go."""


class Closure:
    """Works out one action; `settle` repeats until nothing more is held."""

    def __init__(
        self, verdicts: Verdicts, block: int, home: Home | None,
        moving: frozenset[int] = frozenset(), erasing: frozenset[int] = frozenset(),
        exports: Exports | None = None,
    ) -> None:  # fmt: skip
        """`block`: the labels of this action. `home`: None when rows are erased.

        `moving`, `erasing`: the blocks of all actions after which people are not here any more.
        """
        self.exports = exports
        self.moving = moving
        self.erasing = erasing
        self.verdicts = verdicts
        self.session = verdicts.session
        self.graph = verdicts.graph
        self.shapes = verdicts.shapes
        self.home = home
        self.work = Work(self.session, f"c{block}_")
        self.forms = Stubs(self.graph, self.session.dialect)
        self.block = block
        self.going: dict[str, str] = {}
        self.routes: dict[str, Route] = {}
        """Of `going`, the tables whose rows are not listed but found along their one way."""
        self._people: dict[str, str] = {}
        self.told: dict[str, Told] = {}  # tables whose going rows one scan told
        self.copies: dict[str, str] = {}
        self.stubs: dict[str, str] = {}
        self.left: dict[str, str] = {}
        self.present: dict[str, str] = {}
        self.completes: dict[str, str] = {}
        self.again: dict[str, str] = {}
        self.relied: list[tuple[str, str]] = []  # stubs at home that what comes will point at
        self.split_here: dict[str, str] = {}
        self.split_home: dict[str, str] = {}

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do: no row goes, and none is copied for anyone at home."""
        return not (self.going or self.split_home)

    def withhold(self, rows: Mapping[str, str], reason: str) -> None:
        """Hold rows (table → relation), with what refers to them, before `settle`."""
        self._going()
        self._hold_with_dependents(dict(rows), reason)

    def settle(self) -> None:
        """Compute all sets; hold what cannot go; repeat until nothing more is held."""
        checked: set[str] = set()
        while True:
            self._going()
            self.split_here, self.split_home = self._split()
            self.left = self._left()
            for table in self.left:
                self.list_keys(table)
            if self._forbidden(self.left, spread=False) or self._unsplit():
                continue
            if self.home is None:
                return
            if self._collisions(checked):
                continue
            self.copies, self.stubs = self._needed(self.home)
            if self._exported():
                continue
            if self._conflicts(self.home) or self._forbidden(self.stubs, spread=True):
                continue
            return

    def operations(self) -> Iterator[tuple[str, str, int, bool]]:
        """(operation, table, how many rows, whether they are written at home): all that apply
        writes or deletes, once each. The plan's steps and its cap count the same."""
        for op, sets, at_home in (
            ("copy", self.copies, True), ("stub", self.stubs, True),
            ("split", self.split_home, True),
            ("move" if self.home else "erase", self.going, self.home is not None),
            ("stub", self.left, False), ("split", self.split_here, False),
        ):  # fmt: skip
            for table, rows in sorted(sets.items()):
                count = self.size(table) if sets is self.going else self.work.count(rows)
                yield op, table, count, at_home

    def relies(self) -> Iterator[tuple[str, list[Row]]]:
        """Table and keys, as texts, of stubs at home that what comes points at or replaces."""
        replaced = [(t, f"SELECT * FROM {rows}") for t, rows in self.completes.items()]
        for table, select in [*self.relied, *replaced]:
            texts = ", ".join(
                self.session.dialect.text(f"r.{k}", self.graph.table(table).column(c).kind)
                for k, c in zip(self.shapes.labels(table), self.shapes.identity(table), strict=True)
            )
            yield table, self.session.query(f"SELECT {texts} FROM ({select}) r")

    # What goes.

    def size(self, table: str) -> int:
        """How many rows of a table go."""
        if table in self.told:
            return self.told[table].count
        return self.work.count(self.going[table])

    def _going(self) -> None:
        self.going = {}
        self.routes = {}
        self.told = {}
        for table, moves in self.verdicts.moves.items():
            if self._in_place(table):
                route = along(self.verdicts.ownership, self.graph, table, self._people_of)
                select = (
                    f"SELECT {self.shapes.named(table, 't')}, g.label, g.plo, g.phi "
                    f"FROM {route.source}"
                )
                if self.work.any(f"({select})"):
                    self.routes[table] = route
                    self.going[table] = self.work.view(select)
                continue
            select = f"SELECT m.* FROM {moves} m WHERE {action('m.label')} = {self.block}"
            if table in self.verdicts.told:
                told = self.verdicts.told[table].of(range(self.block, self.block + BLOCK))
                if told.count:
                    self.going[table], self.told[table] = self.work.view(select), told
                continue
            # A table of its own, so that the store's planner knows how many rows there are: with
            # the label's arithmetic inside, it expects next to none and joins by nested loops.
            if self.work.any(f"({select})"):
                self.going[table] = self.work.create(select)

    def _in_place(self, table: str) -> bool:
        """Whether the rows that go are those on the way from the people who go; only a home that
        tells which rows we wrote can say later which those were."""
        single = table in self.verdicts.ownership.single and table not in self.verdicts.held
        return single and self.home is not None and self.home.home.dialect.name == "postgres"

    def _people_of(self, edge: Edge) -> str:
        """The people whom this action is about, for an edge that leads to them."""
        ownership = self.verdicts.ownership
        people = ownership.people[edge.subject or self.graph.registers[edge.parent].name]
        if people not in self._people:
            keys = ["k1"] if edge.subject else self.shapes.labels(edge.parent)
            self._people[people] = self.work.create(
                f"SELECT {', '.join(f'p.{k}' for k in keys)}, p.lo AS label, p.pmin AS plo, "
                f"p.pmax AS phi FROM {people} p WHERE {action('p.lo')} = {self.block}"
            )
        return self._people[people]

    def route(self, table: str) -> Route:
        """How the rows of `table` that go are found."""
        if table in self.routes:
            return self.routes[table]
        join = Join(self.going[table], "g", self.shapes.same(table, "t", "g"))
        return Route(self.session.dialect.table(table), (join,), listed=True)

    def list_keys(self, table: str) -> None:
        """Know the rows of `table` that go by their keys from now on: those there are now."""
        if table in self.routes:
            del self.routes[table]
            self.going[table] = self.work.create(f"SELECT g.* FROM {self.going[table]} g")

    def rough(self, table: str) -> int:
        """About how many rows of `table` go; exactly, where their keys are listed."""
        known = self.graph.table(table).estimate
        if table in self.routes and known > SAMPLED:
            route = self.routes[table]
            percent = 100 * SAMPLED / known
            of = f"{route.table} t TABLESAMPLE SYSTEM ({percent:.6f})"
            found = self.session.query(f"SELECT count(*) FROM {of}{route.joined}")
            return int(found[0][0] * 100 / percent)
        return self.work.count(self.going[table])

    def people(self) -> int:
        """The greatest number of a person whom going rows concern."""
        lists = [
            *self._people.values(),
            *(g for t, g in self.going.items() if t not in self.routes),
        ]
        found = (self.session.query(f"SELECT max(phi) FROM {rows} g")[0][0] for rows in lists)
        return max((int(f or 0) for f in found), default=0)

    # What is split.

    def _split(self) -> tuple[dict[str, str], dict[str, str]]:
        """Rows whose copy is left here, and those whose copy is made at home.

        Erasure leaves no copy, neither of what an erased author wrote nor for whom is erased.
        """
        here: dict[str, str] = {}
        home: dict[str, str] = {}
        if self.home is None:
            return here, home
        gone = ", ".join(str(b) for b in sorted(self.moving | self.erasing))
        moving = ", ".join(str(b) for b in sorted(self.moving))
        for table, split in self.verdicts.split.items():
            keys = ", ".join(f"s.{k}" for k in self.shapes.labels(table))
            match = " AND ".join(f"g.{k} = s.{k}" for k in self.shapes.labels(table))
            if table in self.going:
                going = f"EXISTS (SELECT 1 FROM {self.going[table]} g WHERE {match})"
                stays = " OR ".join(f"{action(e)} NOT IN ({gone})" for e in ("s.lo", "s.hi"))
                self._put(here, table, f"SELECT {keys} FROM {split} s WHERE {going} AND ({stays})")
            theirs = f"{self.block} IN ({action('s.lo')}, {action('s.hi')})"
            other = f"{action('s.label')} <> {self.block}"
            lives = f"(s.label < {BLOCK} OR {action('s.label')} IN ({moving}))"
            held = self.verdicts.held.get(table)
            free = f" AND NOT EXISTS (SELECT 1 FROM {held} g WHERE {match})" if held else ""
            self._put(
                home, table,
                f"SELECT {keys} FROM {split} s WHERE {theirs} AND {other} AND {lives}{free}",
            )  # fmt: skip
        return here, home

    def _put(self, into: dict[str, str], table: str, select: str) -> None:
        rows = self.work.create(select)
        if self.work.any(rows):
            into[table] = rows

    def _unsplit(self) -> bool:
        """Hold rows whose copy may not stand on the other side."""
        held = 0
        for sets, hold in (
            (self.split_here, self.verdicts.hold), (self.split_home, self.verdicts.hold_copies),
        ):  # fmt: skip
            for table, rows in sets.items():
                values = self.forms.values(table, self.forms.split(table))
                refused = rows if values is None else self._refused(table, rows, values)
                if refused:
                    held += hold(table, refused, SPLIT)
        return held > 0

    def _collisions(self, checked: set[str]) -> bool:
        """Hold what the home has under the same key with other values, and what refers to it."""
        assert self.home is not None
        bad: dict[str, str] = {}
        self.present = {}
        self.completes = {}
        self.again = {}
        for table, going in self.going.items():
            if taken := self.home.taken(table, going):
                bad[table] = taken
            state = self.home.compare(table, going)
            if state is None:
                continue
            self.list_keys(table)
            keys = ", ".join(self.shapes.labels(table))
            for kept, into in (
                ("same", self.present), ("stub", self.completes), ("ours", self.again),
            ):  # fmt: skip
                select = f"SELECT {keys} FROM {state} WHERE state = '{kept}'"
                if self.work.count(f"({select}) s"):
                    into[table] = self.work.create(select)
            if self.work.count(state, "state = 'differs'"):
                self._add(bad, table, f"SELECT {keys} FROM {state} WHERE state = 'differs'")
        return self._hold_with_dependents(bad, COLLISION)

    def _hold_with_dependents(self, bad: dict[str, str], reason: str) -> bool:
        """Hold the going rows among `bad`, and every going row that refers to one of them."""
        held = 0
        waiting = dict(bad)
        while waiting:
            parent, rows = waiting.popitem()
            if parent in self.going:
                held += self.verdicts.hold(parent, rows, reason)
            if parent in self.split_home:
                match = " AND ".join(f"b.{k} = c.{k}" for k in self.shapes.labels(parent))
                copied = f"SELECT b.* FROM {rows} b JOIN {self.split_home[parent]} c ON {match}"
                held += self.verdicts.hold_copies(parent, f"({copied})", reason)
            for edge in self.graph.into(parent):
                found = [
                    self._referring(edge, relation[edge.child], rows)
                    for relation in (self.going, self.copies, self.stubs, self.split_home)
                    if edge.child in relation
                ]
                if not found:
                    continue
                children = self.work.create(" UNION ".join(found))
                known = bad.get(edge.child)
                if known:
                    children = self.work.create(self._minus(edge.child, children, [known]))
                if not self.work.count(children):
                    continue
                keys = ", ".join(self.shapes.labels(edge.child))
                both = " UNION ".join(f"SELECT {keys} FROM {r}" for r in (children, known) if r)
                bad[edge.child] = self.work.create(both)
                waiting[edge.child] = bad[edge.child]
        return held > 0

    # What must come along.

    def _needed(self, home: Home) -> tuple[dict[str, str], dict[str, str]]:
        copies: dict[str, str] = {}
        stubs: dict[str, str] = {}
        fresh = [(t, r, set(self.graph.table(t).names), True) for t, r in self.going.items()]
        fresh += [(t, r, self.forms.split(t), False) for t, r in self.split_home.items()]
        while fresh:
            found: dict[str, list[str]] = {}
            for child, rows, kept, going in fresh:
                for edge in self.graph.edges[child]:
                    if not edge.binding or not edge.reads <= kept:
                        continue
                    if not (going and self._follows(edge)):
                        found.setdefault(edge.parent, []).append(self._referred(edge, rows))
            fresh = []
            for parent, selects in found.items():
                known = [
                    r[parent] for r in (self.going, copies, stubs, self.split_home) if parent in r
                ]
                needed = self.work.create(
                    self._minus(parent, f"({' UNION '.join(selects)})", known)
                )
                if not self.work.count(needed):
                    continue
                for into, is_stub, select in (
                    (copies, False, self._nobodys(parent, needed)),
                    (stubs, True, self._somebodys(parent, needed)),
                ):
                    if select and self.work.count(f"({select}) s"):
                        rows = self.work.create(select)
                        keys = ", ".join(self.shapes.labels(parent))
                        if parent in into:
                            self.session.execute(
                                f"INSERT INTO {into[parent]} SELECT {keys} FROM {rows}"
                            )
                        else:
                            into[parent] = self.work.create(f"SELECT {keys} FROM {rows}")
                        shape = self.graph.table(parent)
                        kept = self.forms.kept(parent) if is_stub else set(shape.names)
                        fresh.append((parent, rows, kept, False))
        return copies, stubs

    def _follows(self, edge: Edge) -> bool:
        """A child whose only person comes along this edge goes exactly when its parent goes."""
        if edge.child not in self.going or edge.child in self.verdicts.mixed:
            return False
        if self.graph.roles[edge.child] != "plain" or self.verdicts.held:
            return False
        passing = [e for e in self.graph.edges[edge.child] if self.graph.passes(e)]
        passing = [e for e in passing if e.subject or e.parent in self.graph.owned]
        plain = self.graph.roles.get(edge.parent) in ("plain", "register")
        return passing == [edge] and plain and edge.parent not in self.verdicts.mixed

    def _somebodys(self, table: str, rows: str) -> str:
        work = self.verdicts.ownership.work.get(table)
        if work is None:
            return ""
        match = " AND ".join(f"w.{k} = r.{k}" for k in self.shapes.labels(table))
        own = ""
        if self._attachment(table):
            # One person's, or of several who all stay: nothing of it crosses the line.
            own = f" AND w.alone = 1 AND (w.pmin = w.pmax OR w.hi < {BLOCK})"
        return f"SELECT r.* FROM {rows} r WHERE EXISTS (SELECT 1 FROM {work} w WHERE {match}{own})"

    def _nobodys(self, table: str, rows: str) -> str:
        somebodys = self._somebodys(table, rows)
        if not somebodys:
            return f"SELECT r.* FROM {rows} r"
        return self._minus(table, rows, [f"({somebodys})"])

    def _attachment(self, table: str) -> bool:
        return self.graph.roles[table] == "attachment"

    def _exported(self) -> bool:
        """Hold what needs the copy of a row that tells about somebody kept out of the home."""
        bad: dict[str, str] = {}
        for table, rows in self.copies.items():
            if self.exports is None or not self._attachment(table):
                continue
            forbidden = self.exports.forbidden(table)
            if forbidden is None:
                continue
            match = " AND ".join(f"f.{k} = r.{k}" for k in self.shapes.labels(table))
            select = (
                f"SELECT r.* FROM {rows} r WHERE EXISTS (SELECT 1 FROM {forbidden} f WHERE {match})"
            )
            if self.work.any(f"({select})"):
                bad[table] = self.work.create(select)
        return bool(bad) and self._hold_with_dependents(bad, EXPORT)

    def _conflicts(self, home: Home) -> bool:
        """Needed rows that the home has: equal ones need nothing, others hold what needs them."""
        bad: dict[str, str] = {}
        needed = dict(self.copies), dict(self.stubs), dict(self.split_home)
        self.relied = []
        stub, split = self.forms.kept, self.forms.split
        for sets, keeps in ((self.copies, None), (self.stubs, stub), (self.split_home, split)):
            for table, rows in list(sets.items()):
                if taken := home.taken(table, rows, keeps(table) if keeps else None):
                    self._add(bad, table, f"SELECT * FROM {taken}")
                state = home.compare(table, rows)
                if state is None:
                    continue
                keys = ", ".join(self.shapes.labels(table))
                self.relied.append((table, f"SELECT {keys} FROM {state} WHERE state = 'stub'"))
                # What is a stub here has its real row there, or a stub of the same.
                differs = f"state = 'differs' AND {self._real(table, state)}"
                if self.work.any(state, differs):
                    self._add(bad, table, f"SELECT {keys} FROM {state} WHERE {differs}")
                self._reduce(sets, table, state)
        if not bad:
            return False
        # Rows that are at home already still lead from what goes to what differs there.
        reduced = self.copies, self.stubs, self.split_home
        self.copies, self.stubs, self.split_home = needed
        held = self._hold_with_dependents(bad, COLLISION)
        self.copies, self.stubs, self.split_home = reduced
        return held

    def _add(self, into: dict[str, str], table: str, select: str) -> None:
        """Add rows to a set of keys that may have some of the table already."""
        keys = ", ".join(self.shapes.labels(table))
        known = [f"SELECT {keys} FROM {into[table]}"] if table in into else []
        into[table] = self.work.create(" UNION ".join([select, *known]))

    def _real(self, table: str, relation: str) -> str:
        """Lines of `relation` that name real rows of the source, not stubs of its own."""
        stubs = self.verdicts.ownership.stubs.get(table)
        if stubs is None:
            return "1 = 1"
        match = " AND ".join(f"s.{k} = {relation}.{k}" for k in self.shapes.labels(table))
        return f"NOT EXISTS (SELECT 1 FROM {stubs} s WHERE {match})"

    def _reduce(self, sets: dict[str, str], table: str, has: str) -> None:
        rest = self.work.create(self._minus(table, sets[table], [has]))
        if self.work.count(rest):
            sets[table] = rest
        else:
            del sets[table]

    # What must stay in place.

    def _left(self) -> dict[str, str]:
        left: dict[str, str] = {}
        waiting = [(t, r, self.forms.split(t)) for t, r in self.split_here.items()]
        for parent, going in self.going.items():
            selects = [
                self._pointed(edge, going)
                for edge in self.graph.into(parent)
                if edge.binding and not self._goes_along(edge)
            ]
            if selects:
                copied = [self.split_here[parent]] if parent in self.split_here else []
                self._put(left, parent, self._minus(parent, f"({' UNION '.join(selects)})", copied))
        waiting += [(t, r, self.forms.kept(t)) for t, r in left.items()]
        while waiting:
            child, rows, kept = waiting.pop()
            for edge in self.graph.edges[child]:
                parent = edge.parent
                if not edge.binding or not edge.reads <= kept or parent not in self.going:
                    continue
                keys = ", ".join(f"g.{k}" for k in self.shapes.labels(parent))
                match = " AND ".join(f"g.{k} = x.{k}" for k in self.shapes.labels(parent))
                select = (
                    f"SELECT {keys} FROM {self.going[parent]} g "
                    f"WHERE EXISTS (SELECT 1 FROM ({self._referred(edge, rows)}) x WHERE {match})"
                )
                known = [r[parent] for r in (left, self.split_here) if parent in r]
                more = self.work.create(self._minus(parent, f"({select})", known))
                if self.work.count(more):
                    keys = ", ".join(self.shapes.labels(parent))
                    both = [more, left[parent]] if parent in left else [more]
                    left[parent] = self.work.create(
                        " UNION ".join(f"SELECT {keys} FROM {r}" for r in both)
                    )
                    waiting.append((parent, more, self.forms.kept(parent)))
        return left

    def _goes_along(self, edge: Edge) -> bool:
        return self._follows(edge) and self.graph.roles[edge.child] == "plain"

    def _pointed(self, edge: Edge, going: str) -> str:
        """Going rows of the parent that some staying child refers to."""
        stays = ""
        if edge.child in self.going:
            stays = (
                f"AND NOT EXISTS (SELECT 1 FROM {self.going[edge.child]} m "
                f"WHERE {self.shapes.same(edge.child, 't', 'm')})"
            )
        keys = ", ".join(f"g.{k}" for k in self.shapes.labels(edge.parent))
        return (
            f"SELECT DISTINCT {keys} FROM {self.session.dialect.table(edge.child)} t "
            f"{self.shapes.joined(edge, 't', 'g', going)} WHERE 1 = 1 {stays}"
        )

    def _forbidden(self, stubs: dict[str, str], *, spread: bool) -> bool:
        """Hold what cannot have its stub; `spread`: and every going row that needs it."""
        bad: dict[str, str] = {}
        for table, rows in stubs.items():
            values = self.forms.values(table)
            keys = ", ".join(self.shapes.labels(table))
            if values is None:
                bad[table] = self.work.create(f"SELECT {keys} FROM {rows}")
                continue
            refused = self._refused(table, rows, values)
            if refused:
                bad[table] = refused
        if not bad:
            return False
        if spread:
            return self._hold_with_dependents(bad, NO_STUB)
        return sum(self.verdicts.hold(t, r, NO_STUB) for t, r in bad.items()) > 0

    def _refused(self, table: str, rows: str, values: dict[str, str]) -> str | None:
        """Rows whose stub a check constraint would refuse, asked of the store itself."""
        checks = self.graph.table(table).checks
        dialect = self.session.dialect
        columns = ", ".join(f"{v} AS {dialect.quote(c)}" for c, v in values.items())
        labels = self.shapes.labels(table)
        named = ", ".join(f"r.{k} AS dom_{k}" for k in labels)
        made = (
            f"SELECT {named}, {columns} FROM {rows} r JOIN {dialect.table(table)} t "
            f"ON {self.shapes.same(table, 't', 'r')}"
        )
        # The last ones are never true; they make the store form every value, also one of a domain
        # with a check of its own, that no check of the table asks for.
        condition = " OR ".join([
            *(f"({c.expression}) IS FALSE" for c in checks),
            *(f"({q} IS NULL AND {q} IS NOT NULL)" for q in map(dialect.quote, values)),
        ])  # fmt: skip
        back = ", ".join(f"dom_{k} AS {k}" for k in labels)
        self.session.execute("SAVEPOINT stub_check")
        try:
            refused = self.work.create(
                f"SELECT {back} FROM ({made}) {dialect.quote(table)} WHERE {condition}"
            )
        except StoreRefused:
            # A domain's own check, or a value its type does not take: no stub for any of them.
            self.session.execute("ROLLBACK TO SAVEPOINT stub_check")
            return self.work.create(f"SELECT {', '.join(labels)} FROM {rows}")
        self.session.execute("RELEASE SAVEPOINT stub_check")
        return refused if self.work.count(refused) else None

    # Small SELECTs.

    def _referring(self, edge: Edge, children: str, parents: str) -> str:
        """Of `children` (key columns), those that refer to one of `parents`."""
        dialect = self.session.dialect
        keys = ", ".join(f"c.{k}" for k in self.shapes.labels(edge.child))
        return (
            f"SELECT {keys} FROM {children} c JOIN {dialect.table(edge.child)} t "
            f"ON {self.shapes.same(edge.child, 't', 'c')} "
            f"{self.shapes.joined(edge, 't', 'p', parents)}"
        )

    def _referred(self, edge: Edge, children: str) -> str:
        """The parent rows that `children` refer to along one edge."""
        dialect = self.session.dialect
        if children == self.going.get(edge.child):
            return (
                f"SELECT {self.shapes.named(edge.parent, 'p')} "
                f"FROM {self.route(edge.child).source} "
                f"JOIN {dialect.table(edge.parent)} p ON {self.shapes.refers(edge, 't', 'p')}"
            )
        return (
            f"SELECT {self.shapes.named(edge.parent, 'p')} FROM {children} c "
            f"JOIN {dialect.table(edge.child)} t ON {self.shapes.same(edge.child, 't', 'c')} "
            f"JOIN {dialect.table(edge.parent)} p ON {self.shapes.refers(edge, 't', 'p')}"
        )

    def _minus(self, table: str, rows: str, known: list[str]) -> str:
        keys = self.shapes.labels(table)
        listed = ", ".join(f"r.{k}" for k in keys)
        conditions = [
            f"NOT EXISTS (SELECT 1 FROM {other} n WHERE "
            + " AND ".join(f"n.{k} = r.{k}" for k in keys)
            + ")"
            for other in known
        ]
        return (
            f"SELECT DISTINCT {listed} FROM {rows} r WHERE {' AND '.join(['1 = 1', *conditions])}"
        )
