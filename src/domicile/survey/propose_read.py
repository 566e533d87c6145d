"""Reads unseen stores for `init`: groups them into applications, samples and classifies tables.

An application is what stores with the same tables hold together; its stores are its cells. Samples
hold people's data: they stay in memory; only names, counts and shares go into a proposal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from types import TracebackType

from domicile.errors import DeclarationError, StoreRefused
from domicile.estate import model
from domicile.estate.model import TableName
from domicile.stores.base import Session, Store
from domicile.stores.postgres import PostgresStore
from domicile.stores.registry import open_store
from domicile.stores.schema import Schema, Table
from domicile.survey import classify_names as names
from domicile.survey.classify import classify
from domicile.survey.classify_verdict import Verdict

SAMPLE = 400
"""Rows sampled of each table: a share is then within 5 points (19 times of 20)."""

PREFIXED = 0.7
"""Share of tables whose names begin with one word, from which it is a prefix and says nothing."""

SAME = 0.8
"""Share of tables, by name and columns, that two stores have in common when they are cells."""


@dataclass
class Seen:
    """One table as `init` sees it."""

    table: Table
    rows: int  # as the catalogue guesses, at least the sample's
    sampled: int
    samples: dict[str, list[str]]  # column → filled values, as text
    verdicts: dict[str, Verdict]
    about: names.TableContext
    aligned: list[tuple[str | None, ...]] = field(default_factory=list)  # the sampled rows

    def together(self, columns: Sequence[str]) -> list[tuple[str, ...]]:
        """The values of several columns, of the rows that have all of them."""
        places = [self.table.names.index(column) for column in columns]
        found = []
        for row in self.aligned:
            values = tuple(v for place in places if (v := row[place]))
            if len(values) == len(places):
                found.append(values)
        return found

    def categories(self) -> set[str]:
        """The categories of people's data in it."""
        return {v.category for v in self.verdicts.values() if v.category.startswith("user")}

    def distinct(self, columns: Sequence[str]) -> float:
        """How many different values a sampled row has there, at most 1; 1 when nothing is known."""
        if len(columns) != 1 or not (values := self.samples.get(columns[0])):
            return 1.0
        return len(set(values)) / len(values)


@dataclass
class Application:
    """The stores that hold one schema, and what was seen in them."""

    holds: str
    stores: list[model.Store]
    schema: Schema
    seen: dict[str, Seen] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)  # table → why it could not be read

    @cached_property
    def prefix(self) -> str:
        """The word with which the names of most tables begin (`wp_users`), as folded; or none."""
        first = Counter(w[0] for t in self.schema.tables if len(w := names.words(t)) > 1)
        word, count = first.most_common(1)[0] if first else ("", 0)
        return word if count >= max(3, PREFIXED * len(self.schema.tables)) else ""

    def words(self, table: str) -> tuple[str, ...]:
        """The words of a table's name, without the prefix of all of them."""
        words = names.words(table)
        return words[1:] if len(words) > 1 and words[0] == self.prefix else words

    def name(self, table: str) -> TableName:
        """The table as the estate will name it."""
        return TableName(self.holds, table)


class Reading:
    """The stores of an `init`, opened. A context manager; nothing in them is changed."""

    def __init__(self, stores: Sequence[model.Store]) -> None:
        self.declared = list(stores)
        self.opened: dict[str, Store] = {}
        self.schemas: dict[str, Schema] = {}  # store → what it holds, reflected once
        self.applications: list[Application] = []
        self._stack = ExitStack()
        self._sessions: dict[str, Session] = {}

    def __enter__(self) -> Reading:
        try:
            for declared in self.declared:
                store = open_store(declared)
                self._stack.callback(store.close)
                self.opened[declared.name] = store
                self.schemas[declared.name] = store.reflect()
            found = any(s.tables for s in self.schemas.values())
            hint = "" if found else _elsewhere(self.opened.values())
            self.applications = _applications(self.declared, self.schemas, hint)
            for application in self.applications:
                for table in application.schema.tables.values():
                    application.seen[table.name] = self._look(application, table)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._stack.close()

    def sessions(self, application: Application) -> Iterator[Session]:
        """A session in each cell that has tables, opened when first asked for."""
        for declared in application.stores:
            if not self.schemas[declared.name].tables:
                continue
            if declared.name not in self._sessions:
                read = self.opened[declared.name].read()
                self._sessions[declared.name] = self._stack.enter_context(read)
            yield self._sessions[declared.name]

    def forget(self) -> None:
        """Open new sessions next time: one was refused something and may be of no more use."""
        self._sessions.clear()

    def _look(self, application: Application, table: Table) -> Seen:
        """Sample the table in the first cell that has rows of it."""
        rows: list[tuple[str | None, ...]] = []
        estimate = 0
        for declared in application.stores:
            here = self.schemas[declared.name].tables.get(table.name)
            if here is None or not set(table.names) <= set(here.names):
                continue
            estimate = max(estimate, here.estimate)
            if not rows:
                try:
                    rows = self.opened[declared.name].sample(table.name, table.names, SAMPLE)
                except StoreRefused as error:  # no permission on one table is no end of the rest
                    application.unread[table.name] = error.message
        columns = {c: [row[i] for row in rows] for i, c in enumerate(table.names)}
        return Seen(
            table, max(estimate, len(rows)), len(rows),
            {c: [v for v in values if v is not None and v != ""] for c, values in columns.items()},
            classify(table, columns), names.context(table), rows,
        )  # fmt: skip


def _elsewhere(stores: Iterable[Store]) -> str:
    """What to do when no store has tables where they were looked for."""
    for store in stores:
        if isinstance(store, PostgresStore) and (names := store.schemas()):
            return f"the tables of store {store.name} are in {', '.join(names)}: say --schema"
    return ""


def _applications(
    stores: Sequence[model.Store], schemas: dict[str, Schema], hint: str = ""
) -> list[Application]:
    """Group stores by what they hold. An empty one is the home of the application there is."""
    groups: list[tuple[Schema, list[model.Store]]] = []
    empty = [s for s in stores if not schemas[s.name].tables]
    for store in stores:
        schema = schemas[store.name]
        if not schema.tables:
            continue
        for number, (other, members) in enumerate(groups):
            if _alike(schema, other):
                members.append(store)
                if len(schema.tables) > len(other.tables):
                    groups[number] = (schema, members)
                break
        else:
            groups.append((schema, [store]))
    if not groups:
        raise DeclarationError(
            f"no table in {', '.join(s.name for s in stores)}",
            hint=hint or "is it the right database, and is the user let to see it?",
        )
    if empty and len(groups) > 1:
        raise DeclarationError(
            f"store {empty[0].name} has no tables, and the others hold {len(groups)} different"
            " schemas, so which of them it is a home for cannot be told",
            hint="run init without it, and declare it in the file",
        )
    groups[0][1].extend(empty)
    labels = _labels([members for _, members in groups])
    return [
        Application(label, members, schema)
        for label, (schema, members) in zip(labels, groups, strict=True)
    ]


def _alike(one: Schema, other: Schema) -> bool:
    mine = {(t.name, frozenset(t.names)) for t in one.tables.values()}
    theirs = {(t.name, frozenset(t.names)) for t in other.tables.values()}
    return len(mine & theirs) >= SAME * max(len(mine), len(theirs))


def _labels(groups: Sequence[Sequence[model.Store]]) -> list[str]:
    """`app` when there is one application, else each by the name of its first store."""
    if len(groups) == 1:
        return ["app"]
    return [members[0].name for members in groups]
