"""Names and paths as the estate writes them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domicile.estate.model import ColumnName, Hop, Path, TableName
from domicile.estate.names import (
    NameFormatError,
    parse_column,
    parse_hops,
    parse_label,
    parse_path,
    parse_table,
)

NAMES = st.text(min_size=1, max_size=12).filter(lambda name: "\x00" not in name)
TABLES = st.builds(TableName, NAMES, NAMES)


@settings(deadline=None)
@given(TABLES)
def test_tables_come_back(table: TableName) -> None:
    assert parse_table(str(table)) == table


@settings(deadline=None)
@given(st.builds(ColumnName, TABLES, NAMES, st.lists(NAMES, max_size=3).map(tuple)))
def test_columns_come_back(column: ColumnName) -> None:
    assert parse_column(str(column)) == column


@settings(deadline=None)
@given(st.lists(st.builds(Hop, NAMES, st.booleans()), max_size=4), NAMES)
def test_paths_come_back(hops: list[Hop], column: str) -> None:
    path = Path(tuple(hops), column)
    assert parse_path(str(path)) == path
    only = Path((*hops, Hop(column)))
    assert parse_hops(str(only)) == only


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("app.customer", TableName("app", "customer")),
        ("app.accountVideoRate", TableName("app", "accountVideoRate")),
        ('app."accountVideoRate"', TableName("app", "accountVideoRate")),
        ('app."User Account"', TableName("app", "User Account")),
        ('app."a ""b"".c"', TableName("app", 'a "b".c')),
        ("app.größe", TableName("app", "größe")),
        ("my-app.order", TableName("my-app", "order")),
    ],
)
def test_tables(text: str, table: TableName) -> None:
    assert parse_table(text) == table


def test_columns_and_json() -> None:
    watch = TableName("events", "watch")
    assert parse_column("events.watch.user_id") == ColumnName(watch, "user_id")
    assert parse_column("events.watch.payload->user->id").json == ("user", "id")
    assert parse_column('events.watch."pay load"->"user id"->0') == ColumnName(
        watch, "pay load", ("user id", "0")
    )
    assert parse_column("events.watch.a-b->c-d") == ColumnName(watch, "a-b", ("c-d",))


def test_paths() -> None:
    assert parse_path("country") == Path((), "country")
    assert parse_path("address_id.city_id.country") == Path(
        (Hop("address_id"), Hop("city_id")), "country"
    )
    assert parse_path("<residence.country") == Path((Hop("residence", True),), "country")
    assert parse_path('<"User Home"."land code"').column == "land code"
    assert parse_hops("channelId.accountId").hops == (Hop("channelId"), Hop("accountId"))
    assert parse_label('"odd label"') == "odd label"


@pytest.mark.parametrize(
    "text",
    [
        "", "customer", "app.", ".customer", "app..customer", "app.b.c", "app.user account",
        'app."open', 'app.""', "app.9lives", "app.<customer", "app.customer->x", "app.customer;",
        "app/customer",
    ],
)  # fmt: skip
def test_no_table(text: str) -> None:
    with pytest.raises(NameFormatError):
        parse_table(text)


@pytest.mark.parametrize("text", ["app.customer", "app.customer.a->", "app.c.a->>b", "a.b.c.d"])
def test_no_column(text: str) -> None:
    with pytest.raises(NameFormatError):
        parse_column(text)


@pytest.mark.parametrize("text", ["", "<residence", "a.<b", "a.b->c", "a b"])
def test_no_path(text: str) -> None:
    with pytest.raises(NameFormatError):
        parse_path(text)
