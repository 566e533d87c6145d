"""The survey of an estate: every store opened once, in one consistent view, with its people."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from itertools import product
from types import TracebackType

from domicile.errors import DeclarationError
from domicile.estate import model
from domicile.stores.base import CanTellPlace, CanView, Session, Store
from domicile.stores.files import FilesStore, open_files
from domicile.stores.registry import open_store
from domicile.stores.schema import Schema
from domicile.survey.ghosts import Ghost
from domicile.survey.graph import Graph, build
from domicile.survey.lake_kept import Kept
from domicile.survey.people import GONE, People
from domicile.survey.state import State
from domicile.survey.stored import stored
from domicile.survey.stubs import Stubs
from domicile.survey.work import Work


@dataclass
class Cell:
    """One store of the estate, opened."""

    declared: model.Store
    store: Store
    schema: Schema
    graph: Graph
    session: Session
    people: dict[str, People] = field(default_factory=dict)
    stubs: dict[str, str] = field(default_factory=dict)  # table → its stubs' keys
    copies: dict[str, str] = field(default_factory=dict)  # of these, what `joint: split` left
    sure: dict[str, str] = field(default_factory=dict)  # … and those known to have been written
    written: dict[str, str] = field(default_factory=dict)  # … and those that are still a row
    unneeded: dict[str, str] = field(default_factory=dict)  # … and those that nothing points at
    ghosts: dict[str, list[Ghost]] = field(default_factory=dict)  # stubs, and whom they stand for
    dangling: dict[str, int] = field(default_factory=dict)  # subject → keys no register has

    @property
    def name(self) -> str:
        """The store's name in the estate."""
        return self.declared.name


Opener = Callable[[Store], AbstractContextManager[Session]]


class Survey:
    """Opens what an estate declares. A context manager; nothing in the stores is changed."""

    def __init__(
        self, estate: model.Estate, state: State | None, opener: Opener | None = None,
        kept: Kept | None = None,
    ) -> None:  # fmt: skip
        """`opener` opens the session of each store; left out, one that only reads.
        `kept`: what a plan told about lakes; left out, everything is read.
        """
        self.estate = estate
        self.state = state
        self.kept = kept
        self.opener = opener or (lambda store: store.read())
        self.cells: dict[str, Cell] = {}
        self.folders: dict[str, FilesStore] = {}  # of files that belong to rows
        self._loads = 0
        self._places: dict[tuple[str, str], str] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Survey:
        try:
            for declared in self.estate.stores:
                self._open(declared)
            self._same_schemas()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._stack.close()

    def until_closed(self, close: Callable[[], None]) -> None:
        """Have something else closed with the survey."""
        self._stack.callback(close)

    def finished(self) -> int:
        """How many plans of this estate were carried out to the end so far."""
        return self.state.finished() if self.state is not None else 0

    def of(self, holds: str) -> list[Cell]:
        """The cells of one schema, as declared."""
        return [c for c in self.cells.values() if c.declared.holds == holds]

    def people(self) -> None:
        """Survey the registers of every cell, then the people whom rows elsewhere refer to."""
        for cell in self.cells.values():
            for table, subject in cell.graph.registers.items():
                people = People(cell.session, cell.graph, subject)
                people.survey(cell.stubs.get(table, ""))
                cell.people[subject.name] = people
        for cell in self.cells.values():
            self._ghosts(cell)
            for subject in cell.graph.registers.values():
                self._away(cell, subject)
            remote = {e.subject for edges in cell.graph.edges.values() for e in edges if e.subject}
            for name in sorted(remote):
                if isinstance(cell.session, CanView):
                    cell.people[name] = self._in_lake(cell, name)
                    continue
                people = People(cell.session, cell.graph, self.estate.subject(name))
                people.add(
                    row
                    for other in self.of(people.subject.register.holds)
                    if name in other.people
                    for batch in other.session.stream(other.people[name].texts())
                    for row in batch
                )
                cell.people[name] = people

    def _in_lake(self, cell: Cell, name: str) -> People:
        """People of a register elsewhere to whom rows of a lake refer."""
        # Only here: what reads lakes takes long to load.
        from domicile.stores.parquet_session import ParquetSession
        from domicile.survey.lake_people import LakePeople

        assert isinstance(cell.session, ParquetSession)  # no other session has views
        subject = self.estate.subject(name)
        cells = (c for c in self.of(subject.register.holds) if name in c.people)
        others = [c.people[name] for c in cells]
        ordinal = self.estate.subjects.index(subject)
        return LakePeople(cell.session, cell.graph, subject, others, ordinal, self.kept)

    def _open(self, declared: model.Store) -> None:
        if declared.files:
            folder = open_files(declared)
            self._distinct(declared, (declared.kind, folder.place()))
            self.folders[declared.name] = folder
            return
        store = open_store(declared)
        self._stack.callback(store.close)
        schema = store.reflect()
        if isinstance(store, CanTellPlace):
            self._distinct(declared, (declared.kind, store.place()))
        # An empty home is described by its cells; `create_schema` is the plan's business.
        session = self._stack.enter_context(self.opener(store))
        graph = Graph(declared.holds, schema, self.estate)
        self.cells[declared.name] = Cell(declared, store, schema, graph, session)

    def _distinct(self, declared: model.Store, place: tuple[str, str]) -> None:
        """No two stores are one: a move between them would delete what it had copied."""
        other = self._places.setdefault(place, declared.name)
        if other != declared.name:
            raise DeclarationError(
                f"is the same place as store {other}, whatever their URLs call it",
                file=self.estate.file, key=f"stores.{declared.name}.url",
                hint="declare each place once: a move between two names of one place would delete "
                "what it copied",
            )  # fmt: skip

    def _same_schemas(self) -> None:
        for holds in {c.declared.holds for c in self.cells.values()}:
            cells = self.of(holds)
            filled = [c for c in cells if c.schema.tables]
            if not filled:
                raise DeclarationError(
                    f"no store that holds {holds} has a table: "
                    f"{', '.join(c.name for c in cells)}",
                    file=self.estate.file, key="stores",
                    hint="is `schema:` right, and is the user let to see the tables?",
                )  # fmt: skip
            for cell in cells:
                if cell.schema.tables:
                    cell.graph = build(self.estate, holds, cell.schema)
                    self.load_stubs(cell)

    def load_stubs(self, cell: Cell) -> None:
        """Stubs that Domicile left, as temporary tables of their keys in the store's own types.

        Again whenever it is asked: as they stand then.
        """
        if self.state is None:
            return
        cell.stubs, cell.copies, cell.sure, cell.written = {}, {}, {}, {}
        self._loads += 1
        work = Work(cell.session, f"s{self._loads}_")
        for table in self.state.stubbed(cell.name):
            if table not in cell.schema.tables:
                continue
            forms = Stubs(cell.graph, cell.session.dialect)
            shape = cell.schema.tables[table]
            columns = forms.shapes.identity(table)
            keys = forms.shapes.labels(table)
            parts: list[str] = []
            copies: list[str] = []
            sures: list[str] = []
            there: list[str] = []
            for kept, sure in product(self.state.kept(cell.name, table), (True, False)):
                name = work.name()
                rows = self.state.noted(cell.name, table, kept, sure=sure)
                if not cell.session.load(name, [(k, "text") for k in [*keys, "digest"]], rows):
                    continue
                # The row is looked at, sure or not: an application may have written to a stub, and
                # then it is a row again, with what was written.
                texts = cell.session.dialect.temp(name)
                loaded = stored(cell.session, work, shape, columns, texts, ["digest"])
                standing = work.create(forms.standing(table, f"({loaded})", kept or None))
                parts.append(f"SELECT * FROM {standing}")
                copies += parts[-1:] if kept else []
                if sure:
                    sures += parts[-1:]
                    same = forms.shapes.same(table, "t", "x")
                    there.append(
                        f"SELECT x.* FROM ({loaded}) x "
                        f"JOIN {cell.session.dialect.table(table)} t ON {same}"
                    )
            if there:
                cell.written[table] = work.create(" UNION ALL ".join(there))
            if sures:
                cell.sure[table] = f"({' UNION ALL '.join(sures)})"
            if copies:
                cell.copies[table] = f"({' UNION ALL '.join(copies)})"
            if parts:
                cell.stubs[table] = work.create(" UNION ALL ".join(parts))

    def _ghosts(self, cell: Cell) -> None:
        """Whom the stubs of a cell stand for, as the state noted."""
        if self.state is None:
            return
        for table, stubs in cell.stubs.items():
            forms = Stubs(cell.graph, cell.session.dialect)
            texts = ", ".join(
                cell.session.dialect.text(f"s.{k}", cell.graph.table(table).column(c).kind)
                for k, c in zip(
                    forms.shapes.labels(table), forms.shapes.identity(table), strict=True
                )
            )
            # Noted and then not written: no stub, and the row itself says whose it is. One that an
            # application wrote to is still about them; one that it deleted is about nobody.
            standing = {
                row
                for rows in (stubs, cell.written.get(table))
                if rows
                for row in cell.session.query(f"SELECT {texts} FROM {rows} s")
            }
            cell.ghosts[table] = [
                Ghost(keys, about[0], about[-1])
                for keys, about in self.state.abouts(cell.name, table)
                if about and keys in standing
            ]

    def _away(self, cell: Cell, subject: model.Subject) -> None:
        """People whom rows here refer to, while their register row is in another cell."""
        people = cell.people[subject.name]
        missing = people.missing()
        wanted = {
            key
            for ghosts in cell.ghosts.values()
            for ghost in ghosts
            for person in (ghost.first, ghost.last)
            if person and (key := person[1]) and person[0] == subject.name
        }
        here = {row[:-2] for row in people.find(sorted(wanted))} if wanted else set()
        missing = sorted({*missing, *(wanted - here)})
        if not missing:
            return
        found: dict[tuple[object, ...], tuple[object, ...]] = {}
        for other in self.of(cell.declared.holds):
            if other is not cell and subject.name in other.people:
                for row in other.people[subject.name].find(missing):
                    found.setdefault(row[:-2], row)
        if found:
            people.add(found.values())
        # Erased people: what is still about them, beside somebody else, is not decided by their
        # absence.
        table = subject.register.table
        emptied: set[tuple[object, ...]] = set()
        if self.state is not None and table in cell.stubs:
            emptied = {keys for keys, _ in self.state.abouts(cell.name, table)}
        gone = sorted(k for k in missing if k not in found and k in {*wanted, *emptied})
        if gone:
            people.add(((*k, None, None) for k in gone), present=GONE)
        if len(missing) > len(found) + len(gone):
            cell.dangling[subject.name] = len(missing) - len(found) - len(gone)


def columns_of(cell: Cell) -> Iterator[tuple[str, str]]:
    """Every (table, column) of a cell."""
    for table in cell.schema.tables.values():
        for column in table.columns:
            yield table.name, column.name


def exact_rows(cell: Cell) -> Mapping[str, int]:
    """Rows of each table, stubs left out, counted in the store."""
    tables = list(cell.schema.tables)
    stubbed = [t for t in tables if t in cell.stubs]
    here = [cell.session.dialect.table(t) for t in tables]
    counted = Work(cell.session, "n").counts([*here, *(cell.stubs[t] for t in stubbed)])
    found = dict(zip(tables, counted, strict=False))
    for table, stubs in zip(stubbed, counted[len(tables) :], strict=True):
        found[table] -= stubs
    return found
