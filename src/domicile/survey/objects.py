"""Whose file is it: files matched with the rows that name them, in sets beside the rows.

A file's name is worked out from the columns of its row in the row's own store, and compared with
the names that listing the folders gave. No path is ever made of a row's value, so no value leads
anywhere. A name that no file has is a row without its file; a file that no row names is an orphan.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from domicile.errors import DeclarationError
from domicile.estate import model
from domicile.estate.model import ColumnName, ObjectRule
from domicile.stores.base import Row
from domicile.stores.files import FilesStore, Found, Listing
from domicile.stores.files_folder import Folder
from domicile.stores.parquet_session import ParquetSession
from domicile.survey.objects_index import Index
from domicile.survey.ownership import Shapes
from domicile.survey.survey import Cell, Survey
from domicile.survey.work import Work


@dataclass(frozen=True)
class Missing:
    """Rows of one cell that name a file which is nowhere."""

    rows: int
    outside: int  # of these, whose name is no place in a folder


class Objects:
    """The files of all folders that hold one label. A context manager; `survey` fills it.

    `matched[cell name, rule]` is a temporary table (k1 … kn, n, s) in that cell's session: the row,
    the number of its file, and the number of the file's store.
    """

    def __init__(self, survey: Survey, holds: str) -> None:
        self.survey = survey
        self.holds = holds
        self.stores: list[FilesStore] = [
            f for f in survey.folders.values() if f.declared.holds == holds
        ]
        self.rules: dict[int, ObjectRule] = {
            number: rule
            for number, rule in enumerate(survey.estate.objects)
            if survey.estate.store(rule.store).holds == holds
        }
        self.folders: list[Folder] = []
        self.listings: list[Listing] = []
        self.matched: dict[tuple[str, int], str] = {}
        self.missing: dict[tuple[str, int], Missing] = {}
        self.index = Index()
        self._stack = ExitStack()
        self._stack.callback(self.index.close)

    def survey_files(self, progress: Callable[[str], None] = lambda _: None) -> None:
        """List every folder, then match the files with the rows of every cell."""
        fit = [re.compile(_shape(rule), re.DOTALL) for rule in self.rules.values()]
        for number, store in enumerate(self.stores):
            progress(f"{store.name}: listing files")
            folder = self._stack.enter_context(store.open())
            listing = store.listing(folder)
            self.folders.append(folder)
            self.listings.append(listing)
            self.index.fill(number, self._fitting(listing, fit))
        self.index.filled()
        for cell in self.cells():
            progress(f"{cell.name}: whose file is it")
            self._match(cell)

    def close(self) -> None:
        """Let go of the folders and of the scratch database."""
        self._stack.close()

    def cells(self) -> list[Cell]:
        """The cells with tables whose rows name these files."""
        labels = {rule.table.holds for rule in self.rules.values()}
        return [
            c for c in self.survey.cells.values() if c.declared.holds in labels and c.schema.tables
        ]

    def number(self, store: str) -> int:
        """The number of a folder's store."""
        return next(i for i, s in enumerate(self.stores) if s.name == store)

    def declared(self) -> list[model.Store]:
        """The folders' stores, as declared."""
        return [s.declared for s in self.stores]

    def _fitting(
        self, listing: Listing, fit: list[re.Pattern[str]]
    ) -> Iterator[tuple[Found, bool]]:
        for found in listing:
            yield found, any(p.fullmatch(found.path) for p in fit)

    def _match(self, cell: Cell) -> None:
        work = Work(cell.session, f"of_{self.number_of_label()}_")
        loaded = work.name()
        session = cell.session
        session.load(
            loaded, [("s", "integer"), ("n", "bigint"), ("name", "text")], self.index.names()
        )
        # Indexed in SQLite, where it is asked for name by name.
        names = work.create(f"SELECT l.s, l.n, l.name AS k1 FROM {session.dialect.temp(loaded)} l")
        work.drop(session.dialect.temp(loaded))
        for number, rule in self.rules.items():
            if rule.table.holds != cell.declared.holds:
                continue
            table = rule.table.table
            shapes = Shapes(cell.graph, session.dialect)
            expression = name_of(cell, number, rule)
            stubs = cell.stubs.get(table)
            real = (
                f"NOT EXISTS (SELECT 1 FROM {stubs} x WHERE {shapes.same(table, 't', 'x')})"
                if stubs
                else "1 = 1"
            )
            every = f"{session.dialect.table(table)} t"
            self.matched[cell.name, number] = work.create(
                f"SELECT {shapes.named(table, 't')}, f.n, f.s FROM {every} "
                f"JOIN {names} f ON f.k1 = {expression} WHERE {real}"
            )
            odd = (
                f"'/' || {expression} || '/' LIKE '%/../%' OR '/' || {expression} || '/' LIKE "
                f"'%/./%' OR '/' || {expression} || '/' LIKE '%//%'"
            )
            counted = session.query(
                f"SELECT count(*), coalesce(sum(CASE WHEN {odd} THEN 1 ELSE 0 END), 0) "
                f"FROM {every} WHERE {expression} IS NOT NULL AND {real} "
                f"AND NOT EXISTS (SELECT 1 FROM {names} f WHERE f.k1 = {expression})"
            )[0]
            self.missing[cell.name, number] = Missing(int(counted[0]), int(counted[1]))
        work.drop(names)

    def rowless(self, number: int) -> tuple[int, int]:
        """Files of a folder that no row names: those that fit a declared key, and the others."""
        for cell in self.cells():
            for (name, _), matched in self.matched.items():
                if name == cell.name:
                    query = f"SELECT DISTINCT m.n FROM {matched} m WHERE m.s = {number}"
                    lines = (row for batch in cell.session.stream(query) for row in batch)
                    self.index.many("INSERT OR IGNORE INTO named VALUES (?)", lines)
        counted = self.index.all(
            "SELECT coalesce(sum(fits), 0), coalesce(sum(NOT fits), 0) FROM file "
            "WHERE store = ? AND n NOT IN (SELECT n FROM named)",
            (number,),
        )[0]
        return int(counted[0]), int(counted[1])

    def named(self, paths: Collection[str]) -> set[str]:
        """Which of these names some row of some cell has."""
        found: set[str] = set()
        for cell in self.cells() if paths else ():
            work = Work(cell.session, f"oq_{self.number_of_label()}_")
            name = work.name()
            cell.session.load(name, [("name", "text")], ((p,) for p in sorted(paths)))
            for number, rule in self.rules.items():
                if rule.table.holds == cell.declared.holds:
                    query = (
                        f"SELECT DISTINCT l.name FROM {cell.session.dialect.temp(name)} l "
                        f"JOIN {cell.session.dialect.table(rule.table.table)} t "
                        f"ON l.name = {name_of(cell, number, rule)}"
                    )
                    found.update(str(r[0]) for b in cell.session.stream(query) for r in b)
            work.drop(cell.session.dialect.temp(name))
        return found

    def number_of_label(self) -> int:
        """Tells the temporary tables of one label from those of others."""
        labels = sorted({f.declared.holds for f in self.survey.folders.values()})
        return labels.index(self.holds)

    def load(self, cell: Cell, work: Work, numbers: Iterator[Row]) -> str:
        """Numbers of files as a temporary table (n) of a cell."""
        name = work.name()
        cell.session.load(name, [("n", "bigint")], numbers)
        return cell.session.dialect.temp(name)


def labels_of_folders(survey: Survey) -> list[str]:
    """The labels of folders of files, in the order of the estate."""
    return list(dict.fromkeys(f.declared.holds for f in survey.folders.values()))


def name_of(cell: Cell, number: int, rule: ObjectRule) -> str:
    """The name of a row's file, in SQL over alias `t`; NULL where a column of it is.

    Raises DeclarationError for a table or column that the schema does not have.
    """
    estate = cell.graph.estate
    key = f"objects[{number}].key"
    if isinstance(cell.session, ParquetSession):
        raise DeclarationError(
            f"got {rule.table}, which is in the lake {cell.name}, expected a table of a database",
            file=estate.file, key=key, hint="rows of a lake name no files yet",
        )  # fmt: skip
    shape = cell.schema.tables.get(rule.table.table)
    if shape is None:
        raise DeclarationError(
            f"no table {rule.table} in store {cell.name}", file=estate.file, key=key,
            hint=f"the tables there: {', '.join(sorted(cell.schema.tables))}",
        )  # fmt: skip
    dialect = cell.session.dialect
    parts: list[str] = []
    for part in rule.parts:
        if isinstance(part, ColumnName):
            if part.column not in shape.names:
                raise DeclarationError(
                    f"no column {part.column} in {rule.table}", file=estate.file, key=key,
                    hint=f"its columns: {', '.join(shape.names)}",
                )  # fmt: skip
            value = f"t.{dialect.quote(part.column)}"
            if part.json:
                parts.append(dialect.json(value, part.json))
            else:
                parts.append(dialect.text(value, shape.column(part.column).kind))
        else:
            parts.append(dialect.literal(part))
    return f"({' || '.join(parts)})"


def _shape(rule: ObjectRule) -> str:
    """A pattern that every name of the rule fits, to be matched from end to end."""
    return "".join(".*" if isinstance(p, ColumnName) else re.escape(p) for p in rule.parts)


def fixed_depth(rule: ObjectRule) -> int:
    """How many folders of a name are the same for every row: these stay when they are empty."""
    first = rule.parts[0]
    return first.count("/") if isinstance(first, str) else 0
