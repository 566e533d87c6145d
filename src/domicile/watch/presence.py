"""Who was where at the last look, so that the next one tells who came, left, moved country or came
of age: also where as many came as left.

Kept at home, never in the log and never in a notice: for each person eight bytes of a keyed hash
(BLAKE2b, RFC 7693) and two that say residence and whether they are a child. The key is the
estate's own (`keys/people.secret.watch`), is destroyed with the people secret, and without it
nobody can test a guess. Two people of 80 million share a hash with a chance of 1 in 5,700; one of
them would not be told of.

A look is a folder with one set for each register and store, sorted by hash, in parts of about a
million people, so that memory stays flat. Folders are made whole before the ledger names them.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from domicile.counted import counted
from domicile.durable.files import sync, write_whole
from domicile.evidence.place import open_secret
from domicile.law.condition import Under
from domicile.survey.map_rows import ADULT
from domicile.survey.people import People
from domicile.survey.survey import Survey
from domicile.watch.drift import Change

FOLDER = "people"
KEY = "people.secret.watch"
INDEX = "index.json"

PART = 1 << 20
"""People of one part, about."""

_LINE = np.dtype([("who", "<u8"), ("said", "<u2")])

Lines = npt.NDArray[Any]


@dataclass(frozen=True)
class Set:
    """The people of one register in one store, as they were seen."""

    folder: Path
    number: int
    subject: str
    store: str
    country: str  # of the store
    parts: int  # a power of two

    def within(self, piece: int, pieces: int) -> Lines:
        """Those whose hash is in one of so many equal pieces of all hashes, sorted."""
        lines = np.fromfile(self._path(piece * self.parts // pieces), dtype=_LINE)
        width = 64 - (pieces.bit_length() - 1)
        first, last = piece << width, (piece + 1 << width) - 1
        who = lines["who"]
        start = np.searchsorted(who, np.uint64(first), side="left")
        return lines[start : np.searchsorted(who, np.uint64(last), side="right")]

    def _path(self, part: int) -> Path:
        return self.folder / f"{self.number}.{part}"


class Presence:
    """The looks that are kept in one state directory."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._folder = state / FOLDER

    def take(self, survey: Survey, day: date) -> str:
        """Keep who is in the stores of a survey, ages as on `day`; the name of the look.

        Durable on return. Raises StoreError, EvidenceError, OSError.
        """
        secret = open_secret(self._state, KEY)
        name = os.urandom(8).hex()
        folder = self._folder / name
        folder.mkdir(mode=0o700, parents=True)
        sets: list[list[Any]] = []
        for cell in survey.cells.values():
            for subject, people in cell.people.items():
                if people.local:
                    parts = _write(people, secret, folder, len(sets), day)
                    sets.append([subject, cell.name, cell.declared.country, parts])
        index = {"version": 1, "key": _key_id(secret), "day": day.isoformat(), "sets": sets}
        write_whole(folder / INDEX, json.dumps(index))
        sync(self._folder)
        return name

    def keep_only(self, name: str) -> None:
        """Remove every look but one: those before it, and what a kill left."""
        if self._folder.is_dir():
            for entry in self._folder.iterdir():
                if entry.name != name:
                    shutil.rmtree(entry, ignore_errors=True)

    def changes(self, before: str, after: str) -> tuple[Change, ...]:
        """What is told of people between two looks; nothing when the first is not to be had, or
        was hashed with another key."""
        old, new = self._sets(before), self._sets(after)
        if old is None or new is None:
            return ()
        subjects = dict.fromkeys(each.subject for each in new)
        return tuple(
            change
            for subject in subjects
            for change in _compare(
                [each for each in old if each.subject == subject],
                [each for each in new if each.subject == subject],
            )
        )

    def _sets(self, name: str) -> list[Set] | None:
        folder = self._folder / name
        try:
            index = json.loads((folder / INDEX).read_text("utf-8"))
        except OSError:
            return None
        if not name or index["key"] != _key_id(open_secret(self._state, KEY)):
            return None
        return [Set(folder, number, *each) for number, each in enumerate(index["sets"])]


def _write(people: People, secret: bytes, folder: Path, number: int, day: date) -> int:
    """Write one set; how many parts it has."""
    session = people.session
    ((count,),) = session.query(f"SELECT count(*) FROM {people.raw} WHERE present = 1")
    parts = 1 << max(int(count) // PART, 0).bit_length()
    minor = Under(ADULT, day).to_sql({"born": "p.born"}, session.dialect.name)
    query = (
        f"SELECT {people.key_texts()}, p.residence, CASE WHEN {minor} THEN 1 ELSE 0 END "
        f"FROM {people.raw} p WHERE present = 1"
    )
    key = hashlib.blake2b(people.subject.name.encode(), key=secret).digest()
    with ExitStack() as stack:
        files = [
            stack.enter_context(os.fdopen(_private(folder / f"{number}.{part}"), "wb"))
            for part in range(parts)
        ]
        for batch in session.stream(query):
            lines = np.empty(len(batch), dtype=_LINE)
            lines["who"] = [_hash(key, row[:-2]) for row in batch]
            lines["said"] = [_said(row[-2], row[-1]) for row in batch]
            if parts == 1:
                files[0].write(lines.tobytes())
                continue
            where = lines["who"] >> np.uint64(64 - (parts.bit_length() - 1))
            for part in range(parts):
                files[part].write(lines[where == part].tobytes())
    for part in range(parts):
        path = folder / f"{number}.{part}"
        lines = np.sort(np.fromfile(path, dtype=_LINE), order="who", kind="stable")
        first = np.ones(len(lines), dtype=bool)  # a key that a register has twice is one person
        first[1:] = lines["who"][1:] != lines["who"][:-1]
        write_whole(path, lines[first].tobytes(), secret=True)
    return parts


def _private(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def _hash(key: bytes, row: Sequence[Any]) -> int:
    text = repr(tuple(row)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8, key=key).digest())


def _key_id(secret: bytes) -> str:
    return hashlib.blake2b(b"domicile/watch/key\n", digest_size=8, key=secret).hexdigest()


def _said(residence: str | None, minor: int) -> int:
    """Residence and childhood in one number: 27 by 27 countries, twice."""
    first, second = (ord(letter) - 64 for letter in residence) if residence else (0, 0)
    return (first * 27 + second) * 2 + int(minor)


def _residence(said: int) -> str:
    first, second = divmod(said // 2, 27)
    return chr(64 + first) + chr(64 + second) if said // 2 else "unknown residence"


def _compare(old: list[Set], new: list[Set]) -> Iterator[Change]:
    """One subject: store by store, piece by piece."""
    pieces = max(each.parts for each in (*old, *new))
    came: Counter[tuple[str, str, str]] = Counter()  # store, residence, from which store
    left: Counter[tuple[str, str]] = Counter()
    moved: Counter[tuple[str, str, str]] = Counter()  # store, from, to
    aged: Counter[tuple[str, str, int]] = Counter()
    now: Counter[tuple[str, str]] = Counter()
    for piece in range(pieces):
        before = {each.store: each.within(piece, pieces) for each in old}
        for each in new:
            store, after = each.store, each.within(piece, pieces)
            then = before.get(store)
            _count(now, (store,), after["said"])
            if then is None:  # a new store: drift says so, and who is in it came
                then = np.empty(0, dtype=_LINE)
            _, at, was = np.intersect1d(
                after["who"], then["who"], assume_unique=True, return_indices=True
            )
            pairs = np.stack([then["said"][was], after["said"][at]], axis=1).astype(np.int64)
            for (one, two), count in _distinct(pairs[pairs[:, 0] != pairs[:, 1]]):
                if one // 2 != two // 2:
                    moved[store, _residence(one), _residence(two)] += count
                if one % 2 != two % 2:
                    aged[store, _residence(two), two % 2] += count
            _count(left, (store,), np.delete(then, was)["said"])
            fresh = np.delete(after, at)
            for other, there in before.items():
                if other != store:
                    known = np.isin(fresh["who"], there["who"])
                    for said, count in _distinct(fresh["said"][known]):
                        came[store, _residence(said), other] += count
                    fresh = fresh[~known]
            for said, count in _distinct(fresh["said"]):
                came[store, _residence(said), ""] += count
    country = {each.store: each.country for each in new}
    subject = new[0].subject
    for (store, residence, other), count in sorted(came.items()):
        abroad = f", abroad in {country[store]}" if residence not in (
            country[store], "unknown residence") else ""  # fmt: skip
        origin = f"came from {other}" if other else "appeared"
        yield Change(
            "people_came", f"{store}: {subject} of {residence}",
            f"{counted(count, 'person', 'people')} {origin}{abroad}; now {now[store, residence]:,}",
        )  # fmt: skip
    for (store, residence), count in sorted(left.items()):
        yield Change(
            "people_left", f"{store}: {subject} of {residence}",
            f"{counted(count, 'person', 'people')} left; now {now[store, residence]:,}",
        )  # fmt: skip
    for (store, one, two), count in sorted(moved.items()):
        yield Change(
            "moved_country", f"{store}: {subject} of {two}",
            f"{counted(count, 'person', 'people')} moved here from {one}",
        )  # fmt: skip
    for (store, residence, minor), count in sorted(aged.items()):
        said = "said to be under 18, and not before" if minor else "came of age"
        be = ("is " if count == 1 else "are ") if minor else ""
        yield Change(
            "became_minor" if minor else "came_of_age", f"{store}: {subject} of {residence}",
            f"{counted(count, 'person', 'people')} {be}{said}",
        )  # fmt: skip


def _distinct(values: npt.NDArray[Any]) -> Iterator[tuple[Any, int]]:
    """Each distinct value, or row of values, with how often it stands there."""
    if len(values):
        each, counts = np.unique(values, axis=0, return_counts=True)
        yield from zip(each.tolist(), counts.tolist(), strict=True)


def _count(into: Counter[tuple[str, str]], store: tuple[str], said: npt.NDArray[Any]) -> None:
    for value, count in _distinct(said):
        into[(*store, _residence(value))] += count
