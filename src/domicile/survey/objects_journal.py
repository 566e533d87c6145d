"""The journal of files that belong to rows: what was copied where, and what is about to go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from domicile.stores.parquet_files import Mark
from domicile.survey.state import State

Stage = Literal["naming", "copied", "removing", "moved", "erase"]
"""`naming`: a copy is about to get its name at home. `copied`: it stands there, and the source has
the file too. `removing`: the source is about to lose it. `moved`: the source lost it. `erase`: the
rows it belongs to are about to be erased, and it is to go after them."""

PAGE = 5_000
"""Entries read at a time."""

_TABLE = """
CREATE TABLE IF NOT EXISTS object_file (
  store TEXT NOT NULL, path TEXT NOT NULL, home TEXT NOT NULL, stage TEXT NOT NULL,
  name TEXT NOT NULL, seen TEXT NOT NULL, placed TEXT NOT NULL, size INTEGER NOT NULL,
  digest TEXT NOT NULL, before TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (store, path)
) WITHOUT ROWID
"""

_COLUMNS = "store, path, home, stage, name, seen, placed, size, digest, before"


@dataclass(frozen=True)
class Entry:
    """One file. Paths may be personal data, which is why they are here and not in the log."""

    store: str
    path: str
    home: str  # the store; "" for an erasure
    stage: Stage
    name: str  # the table of its row, as the estate names it
    seen: Mark  # of the file at the source when it was copied, or chosen for erasure
    placed: Mark | None  # of the copy at home
    size: int
    digest: str  # sha256:… of its bytes; "" for an erasure
    before: Mark | None = None  # `naming`: of the older copy of ours that this one replaces

    def at(self, stage: Stage) -> Entry:
        """The same file at another stage."""
        return replace(self, stage=stage)


class ObjectsJournal:
    """The part of the state file that is about files. A write is durable when it returns."""

    def __init__(self, state: State) -> None:
        self._state = state
        state.write(_TABLE)

    def note(self, entries: Sequence[Entry]) -> None:
        """Put files at their stages, in place of what was noted about them."""
        if entries:
            with self._state.transaction():
                self._state.write_all(
                    f"INSERT OR REPLACE INTO object_file ({_COLUMNS}) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (_line(e) for e in entries),
                )

    def forget(self, store: str, paths: Iterable[str]) -> None:
        """These files of a store are settled, and nothing is to be known about them."""
        with self._state.transaction():
            self._state.write_all(
                "DELETE FROM object_file WHERE store = ? AND path = ?", ((store, p) for p in paths)
            )

    def find(self, store: str, path: str) -> Entry | None:
        """What is noted about one file."""
        row = self._state.connection.execute(
            f"SELECT {_COLUMNS} FROM object_file WHERE store = ? AND path = ?", (store, path)
        ).fetchone()
        return _entry(row) if row else None

    def at(self, stage: Stage, store: str = "") -> Iterator[Entry]:
        """The files at a stage, of one source or of all, in the order of store and path.

        Read in pages, so that memory is flat and stages may be changed on the way.
        """
        after = ("", "")
        while True:
            page = self._state.connection.execute(
                f"SELECT {_COLUMNS} FROM object_file WHERE (store, path) > (?, ?) "
                "AND stage = ? AND ? IN ('', store) ORDER BY store, path LIMIT ?",
                (*after, stage, store, PAGE),
            ).fetchall()
            yield from map(_entry, page)
            if len(page) < PAGE:
                return
            after = (page[-1][0], page[-1][1])


def _line(entry: Entry) -> tuple[str | int, ...]:
    return (
        entry.store, entry.path, entry.home, entry.stage, entry.name, _text(entry.seen),
        _text(entry.placed), entry.size, entry.digest, _text(entry.before),
    )  # fmt: skip


def _entry(row: tuple[str, str, str, Stage, str, str, str, int, str, str]) -> Entry:
    store, path, home, stage, name, seen, placed, size, digest, before = row
    mark = _mark(seen)
    assert mark is not None  # every file was seen
    return Entry(store, path, home, stage, name, mark, _mark(placed), size, digest, _mark(before))


def _text(mark: Mark | None) -> str:
    return f"{mark.size} {mark.changed} {mark.inode}" if mark else ""


def _mark(text: str) -> Mark | None:
    return Mark(*map(int, text.split())) if text else None
