"""Who came, left, moved country and came of age between two looks, told by sets: against the
naive answer, also where as many came as left, and in several parts."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from domicile.estate.load import load_estate
from domicile.evidence.place import destroy_commitments, open_commitments, state_directory
from domicile.survey.survey import Survey
from domicile.watch import presence
from domicile.watch.presence import Presence
from tests.watch.world import make_world

DAY = date(2026, 6, 1)

Person = tuple[str, str]  # country, born
Stores = dict[str, dict[int, Person]]


def take(estate: Path, kept: Presence, people: Stores) -> str:
    for store, rows in people.items():
        with closing(sqlite3.connect(estate.parent / f"{store}.db")) as connection:
            connection.execute("DELETE FROM orders")
            connection.execute("DELETE FROM person")
            connection.executemany(
                "INSERT INTO person VALUES (?, 'x@example.org', ?, ?)",
                [(key, country or None, born) for key, (country, born) in rows.items()],
            )
            connection.commit()
    with Survey(load_estate(estate), None) as survey:
        survey.people()
        return kept.take(survey, DAY)


def naive(old: Stores, new: Stores) -> Counter[tuple[str, str, str]]:
    """(what, store, residence) → people, one person at a time."""
    told: Counter[tuple[str, str, str]] = Counter()
    for store, people in new.items():
        then = old[store]
        for key, (country, born) in people.items():
            residence = country or "unknown residence"
            if key not in then:
                told["people_came", store, residence] += 1
                continue
            told["moved_country", store, residence] += then[key][0] != country
            told["came_of_age", store, residence] += child(then[key][1]) > child(born)
            told["became_minor", store, residence] += child(then[key][1]) < child(born)
        for key, (country, _) in then.items():
            told["people_left", store, country or "unknown residence"] += key not in people
    return +told


def child(born: str) -> bool:
    return born > "2008-06-01"


@pytest.mark.parametrize(("seed", "part"), [(1, 1 << 20), (2, 16), (3, 5), (4, 64)])
def test_against_one_person_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, part: int
) -> None:
    monkeypatch.setattr(presence, "PART", part)
    chance = random.Random(seed)
    estate = make_world(tmp_path, 25)
    kept = Presence(state_directory(estate))

    def person() -> Person:
        return chance.choice(["US", "NL", "SG", ""]), chance.choice(["1980-01-01", "2012-01-01"])

    stores: Stores = {"abroad": {n: person() for n in range(300)}, "home": {}}
    before = take(estate, kept, stores)
    for _ in range(3):
        old = {store: dict(people) for store, people in stores.items()}
        for key in chance.sample(sorted(stores["abroad"]), 120):
            if chance.random() < 0.3:
                stores["home"][key] = stores["abroad"].pop(key)  # carried home
            elif chance.random() < 0.5:
                del stores["abroad"][key]
            else:
                stores["abroad"][key] = person()
        for key in chance.sample(range(1000, 9000), 60):
            stores[chance.choice(["abroad", "home"])][key] = person()
        after = take(estate, kept, stores)
        told: Counter[tuple[str, str, str]] = Counter()
        for change in kept.changes(before, after):
            store, _, rest = change.where.partition(": ")
            count = int(change.detail.split(" ", 1)[0].replace(",", ""))
            told[change.what, store, rest.removeprefix("person of ")] += count
        assert told == naive(old, stores)
        kept.keep_only(after)
        before = after


def test_as_many_came_as_left(tmp_path: Path) -> None:
    """Counts are the same, people are not; whoever is at home now is said to come from abroad."""
    estate = make_world(tmp_path, 25)
    kept = Presence(state_directory(estate))
    one, two, three = ("US", "1990-01-01"), ("US", "1991-01-01"), ("NL", "2009-01-01")
    before = take(estate, kept, {"abroad": {1: one, 2: two, 3: three}, "home": {}})
    after = take(estate, kept, {"abroad": {4: one, 2: two, 3: three}, "home": {1: one}})
    assert [str(change) for change in kept.changes(before, after)] == [
        "abroad: person of US: 1 person appeared, abroad in SG; now 2",
        "home: person of US: 1 person came from abroad; now 1",
        "abroad: person of US: 1 person left; now 2",
    ]


def test_nothing_of_anybody_is_kept_in_clear(tmp_path: Path) -> None:
    """Only hashes under a key that goes with the people secret; a new key compares with nothing."""
    estate = make_world(tmp_path, 25)
    state = state_directory(estate)
    kept = Presence(state)
    keys = {71_000_001: ("US", "1990-01-01"), 71_000_002: ("NL", "2010-01-01")}
    before = take(estate, kept, {"abroad": keys, "home": {}})
    files = [path for path in (state / presence.FOLDER).rglob("*") if path.is_file()]
    assert len(files) == 3
    for path in files:
        content = path.read_bytes()
        assert all(str(key).encode() not in content for key in keys)
        assert all(key.to_bytes(8, "little") not in content for key in keys)
        assert path.name == presence.INDEX or path.stat().st_mode & 0o777 == 0o600
    open_commitments(state)
    destroy_commitments(state)
    assert not (state / "keys" / presence.KEY).exists()
    after = take(estate, kept, {"abroad": {}, "home": {}})
    assert kept.changes(before, after) == ()
    assert kept.changes("", after) == ()
    assert kept.changes("gone", after) == ()
