"""Laws that the oracle's own answers keep in every random world: nothing lost, keys whole."""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, given, settings

from tests.oracle.generate import dangling, worlds
from tests.oracle.model import Edge, Row, RowId, Rows, Value, World, key_of
from tests.oracle.outcome import Keys, expected, kept_columns

random_worlds = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def with_stubs(world: World, rows: Rows, stubs: Keys, origin: Rows) -> Rows:
    """Full rows and, for keys that lead to them, the rows that the stubs stand for."""
    return {
        name: rows[name]
        + [r for r in origin[name] if key_of(r, table.identity) in stubs.get(name, set())]
        for name, table in world.schema.tables.items()
    }


def counted(rows: list[Row]) -> Counter[tuple[tuple[str, Value], ...]]:
    """Rows as a multiset."""
    return Counter(tuple(sorted(r.items())) for r in rows)


@random_worlds
@given(worlds())
def test_every_row_lives_at_the_source_or_at_home(world: World) -> None:
    outcome = expected(world)
    for name in world.schema.tables:
        before = counted(world.source[name])
        at_home, at_source = counted(outcome.home[name]), counted(outcome.source[name])
        assert not [r for r in before if not at_source[r] and not at_home[r]]


@random_worlds
@given(worlds())
def test_rows_that_stay_are_unchanged_and_home_loses_nothing(world: World) -> None:
    outcome = expected(world)
    for name in world.schema.tables:
        assert counted(outcome.source[name]) <= counted(world.source[name])
        assert counted(outcome.home[name]) >= counted(world.home[name])
        added = counted(outcome.home[name]) - counted(world.home[name])
        assert added <= counted(world.source[name])


@random_worlds
@given(worlds())
def test_keys_are_whole_at_both_ends(world: World) -> None:
    outcome = expected(world)
    at_source = with_stubs(world, outcome.source, outcome.source_stubs, world.source)
    at_home = with_stubs(world, outcome.home, outcome.home_stubs, world.source)
    assert not any(
        _counts(world, outcome.source, at_source, *x) for x in dangling(world, at_source)
    )
    assert not any(_counts(world, outcome.home, at_home, *x) for x in dangling(world, at_home))


def _counts(world: World, full: Rows, there: Rows, row_id: RowId, edge: Edge) -> bool:
    """Whether a dangling key is really there: a stub has only some of its row's keys."""
    row = there[row_id[0]][row_id[1]]
    return row in full[row_id[0]] or set(edge.columns) <= kept_columns(world, row_id[0])


@random_worlds
@given(worlds())
def test_nothing_of_those_who_go_remains_but_what_is_held_or_shared(world: World) -> None:
    outcome = expected(world)
    owners = outcome.ownership
    for row_id in world.row_ids():
        if row_id in outcome.moving or row_id in outcome.held:
            continue
        if owners.verdicts[row_id] == "shared":
            continue
        labels = {owners.labels[p] for p in owners.about[row_id]}
        authored = world.role(row_id[0]).joint == "author" and len(owners.about[row_id]) > 1
        assert "go" not in labels or authored, "a row of somebody who goes stays without a reason"


@random_worlds
@given(worlds())
def test_nothing_of_those_who_stay_comes_home_in_full(world: World) -> None:
    outcome = expected(world)
    owners = outcome.ownership
    for row_id in outcome.moving | outcome.copied:
        labels = {owners.labels[p] for p in owners.about[row_id]}
        assert not labels or "go" in labels


@random_worlds
@given(worlds())
def test_no_key_at_home_has_two_rows(world: World) -> None:
    outcome = expected(world)
    for name, table in world.schema.tables.items():
        stubs = outcome.home_stubs.get(name, set())
        for key in table.keys:
            values = [key_of(r, key.columns) for r in outcome.home[name]]
            values = [v for v in values if None not in v]
            assert len(values) == len(set(values))
            if key.columns == table.identity:
                assert not stubs & set(values)


@random_worlds
@given(worlds())
def test_every_stub_has_something_that_points_at_it(world: World) -> None:
    outcome = expected(world)
    for full, stubs in (
        (outcome.source, outcome.source_stubs),
        (outcome.home, outcome.home_stubs),
    ):
        there = with_stubs(world, full, stubs, world.source)
        for name, keys in stubs.items():
            identity = world.table(name).identity
            for key in keys:
                stub = next(r for r in world.source[name] if key_of(r, identity) == key)
                assert any(
                    key_of(row, edge.columns) == key_of(stub, edge.parent_columns)
                    for edge in world.edges_to(name)
                    for row in there[edge.child]
                )
