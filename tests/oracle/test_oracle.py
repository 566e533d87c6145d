"""The oracle on small worlds whose answers are reasoned in the comments beside them."""

from __future__ import annotations

from dataclasses import replace

from domicile.estate.model import ColumnName, TableName, TableRole
from domicile.stores.schema import Column, ForeignKey, Key, Table
from tests.oracle.model import Reading, Rows, Value
from tests.oracle.outcome import Outcome, expected
from tests.oracle.ownership import Ownership
from tests.oracle.short import AMY, ATTACHMENT, BEA, CUSTOMER, path, table, world


def keys(found: Rows, name: str) -> list[Value]:
    """The `id` of each row of a table."""
    return [r["id"] for r in found[name]]


def moved(outcome: Outcome, name: str) -> list[Value]:
    """The `id` of each moving row of a table."""
    at = outcome.ownership.world
    return [at.row(r)["id"] for r in sorted(outcome.moving) if r[0] == name]


def test_dependents_move_and_reference_data_is_copied_as_far_as_needed() -> None:
    film = table("film", "id*")
    rental = table("rental", "id*", "customer>customer", "film>film")
    payment = table("payment", "id*", "rental>rental")
    outcome = expected(
        world(
            {
                film: [(1,), (2,), (3,)],
                CUSTOMER: [AMY, BEA],
                rental: [(1, 1, 1), (2, 2, 2), (3, None, 3)],  # the third is about nobody
                payment: [(1, 1), (2, 2), (3, 3)],
            }
        )
    )
    assert moved(outcome, "customer") == [1]
    assert moved(outcome, "rental") == [1]
    assert moved(outcome, "payment") == [1]
    # Amy's rental needs film 1. Films 2 and 3 belong to rows that stay.
    assert keys(outcome.home, "film") == [1]
    assert keys(outcome.source, "film") == [1, 2, 3]
    assert keys(outcome.source, "payment") == [2, 3]
    assert outcome.source_stubs == {}
    assert (outcome.rows("payment"), outcome.subjects("payment")) == (1, 1)


def test_a_register_row_is_about_its_own_person_only() -> None:
    # Bea's favourite video is Amy's; that makes Amy no party to Bea's row, nor to Bea's orders.
    customer = table("customer", "id*", "country", "favourite>video")
    video = table("video", "id*", "owner>customer")
    order = table("order", "id*", "customer>customer")
    outcome = expected(
        world({customer: [(1, "US", None), (2, "NL", 1)], video: [(1, 1)], order: [(1, 2)]})
    )
    assert moved(outcome, "customer") == [1]
    assert moved(outcome, "video") == [1]
    assert moved(outcome, "order") == []
    # Bea's row stays and points at the video, so the video's key stays with nothing else.
    assert outcome.source_stubs == {"video": {(1,)}}
    assert outcome.home_stubs == {}


def test_a_reply_is_about_everyone_up_its_thread_and_mixed_rows_are_held() -> None:
    comment = table("comment", "id*", "author>customer", "answers>comment")
    data: dict[Table, list[tuple[Value, ...]]] = {
        CUSTOMER: [AMY, BEA],
        comment: [(1, 2, None), (2, 1, 1), (3, 1, 2), (4, 1, None), (5, 2, 4)],
    }
    outcome = expected(world(data))
    # 2 and 3 answer Bea, 5 answers Amy: joint. Only 4 is Amy's alone.
    assert moved(outcome, "comment") == [4]
    assert sorted(outcome.held.values()) == ["joint"] * 3
    assert keys(outcome.source, "comment") == [1, 2, 3, 5]
    # Amy's register row is pointed at by held 2 and 3, comment 4 by held 5.
    assert outcome.source_stubs == {"customer": {(1,)}, "comment": {(4,)}}

    by_author = expected(world(data, {"comment": TableRole(joint="author", author=path("author"))}))
    assert moved(by_author, "comment") == [2, 3, 4]
    assert by_author.held == {}
    # Comment 2 answers Bea's 1: a stub at home; its nullable author is not kept, so no stub of Bea.
    assert by_author.home_stubs == {"comment": {(1,)}}
    assert by_author.source_stubs == {"comment": {(4,)}}  # answered by Bea's 5


def test_an_author_without_a_person_holds_the_row() -> None:
    channel = table("channel", "id*", "owner>customer")
    comment = table("comment", "id*", "channel>channel", "writer>channel")
    role = {"comment": TableRole(joint="author", author=path("writer", "owner"))}
    outcome = expected(
        world(
            {
                CUSTOMER: [AMY, BEA],
                channel: [(1, 1), (2, 2), (3, None)],
                # 1: written by Amy on Bea's. 2: written by Bea on Amy's.
                comment: [(1, 2, 1), (2, 1, 2)],
            },
            role,
        )
    )
    assert moved(outcome, "comment") == [1]
    # On a channel of Bea's and Amy's both, written from a channel of nobody: held.
    pair = table("pair", "id*", "a>channel", "b>channel", "writer>channel")
    outcome = expected(
        world(
            {CUSTOMER: [AMY, BEA], channel: [(1, 1), (2, 2), (3, None)], pair: [(1, 1, 2, 3)]},
            {"pair": TableRole(joint="author", author=path("writer", "owner"))},
        )
    )
    assert outcome.held == {("pair", 0): "joint"}


def test_an_author_path_may_end_at_a_row_about_one_person() -> None:
    channel = table("channel", "id*", "owner>customer")
    comment = table("comment", "id*", "channel>channel", "writer>channel")
    outcome = expected(
        world(
            {CUSTOMER: [AMY, BEA], channel: [(1, 1), (2, 2)], comment: [(1, 2, 1), (2, 1, 2)]},
            {"comment": TableRole(joint="author", author=path("writer"))},
        )
    )
    assert moved(outcome, "comment") == [1]
    # Bea's comment 2 stays on Amy's channel; Amy's comment 1 goes and needs Bea's channel.
    assert outcome.source_stubs == {"channel": {(1,)}}
    assert outcome.home_stubs == {"channel": {(2,)}}


def test_attachments_move_with_their_users_and_stay_when_shared_across_the_line() -> None:
    address = table("address", "id*", "city>city")
    customer = table("customer", "id*", "country", "address>address")
    city = table("city", "id*")
    outcome = expected(
        world(
            {
                city: [(1,), (2,)],
                # 1 Amy's own, 2 Amy's neighbours' (both go), 3 shared with Bea, 4 nobody's, 5 Bea's
                address: [(1, 1), (2, 1), (3, 2), (4, 2), (5, 2)],
                customer: [
                    (1, "US", 1),
                    (2, "US", 2),
                    (3, "US", 2),
                    (4, "US", 3),
                    (5, "NL", 3),
                    (6, "NL", 5),
                ],
            },
            {"address": ATTACHMENT},
        )
    )
    assert moved(outcome, "address") == [1, 2]
    assert sorted(map(str, keys(outcome.home, "address"))) == ["1", "2", "3"]  # 3 is a copy
    assert keys(outcome.source, "address") == [3, 4, 5]
    assert keys(outcome.source, "city") == [1, 2]
    assert outcome.source_stubs == {}


def test_what_refers_to_an_own_attachment_is_its_persons_and_to_a_shared_one_nobodys() -> None:
    actor = table("actor", "id*")
    customer = table("customer", "id*", "country", "actor>actor")
    follow = table("follow", "id*", "who>actor", "whom>actor")
    given = world(
        {
            actor: [(1,), (2,), (3,)],
            customer: [(1, "US", 1), (2, "NL", 2), (3, "US", 3), (4, "US", 3)],
            follow: [(1, 1, 1), (2, 1, 2), (3, 3, 3), (4, 1, 3)],
        },
        {"actor": ATTACHMENT},
    )
    outcome = expected(given)
    # 1 is Amy's; 2 hers and Bea's: joint; 3 only meets an actor of two people: nobody's; 4 is
    # Amy's, by its other key.
    assert moved(outcome, "follow") == [1, 4]
    assert outcome.held == {("follow", 1): "joint"}
    assert moved(outcome, "actor") == [1, 3]  # both users of 3 go
    # The held follow 2 points at actor 1, nobody's follow 3 at actor 3.
    assert outcome.source_stubs == {"actor": {(1,), (3,)}}

    # The other reading: rows that only reach people through the actor share it with nobody.
    shares = expected(given, Reading(only_through_attachment="shares"))
    assert moved(shares, "actor") == []
    assert moved(shares, "follow") == []
    assert sorted(map(str, keys(shares.home, "actor"))) == ["1", "3"]  # copies


def test_an_attachment_that_reference_data_uses_is_copied_and_stays() -> None:
    address = table("address", "id*")
    customer = table("customer", "id*", "country", "address>address", "store>store")
    store = table("store", "id*", "address>address")
    outcome = expected(
        world(
            {address: [(1,)], store: [(1, 1)], customer: [(1, "US", 1, 1)]},
            {"address": ATTACHMENT, "store": TableRole("reference")},
        )
    )
    assert moved(outcome, "customer") == [1]
    assert moved(outcome, "address") == []
    assert moved(outcome, "store") == []  # a wrong way would make it Amy's
    assert keys(outcome.home, "store") == keys(outcome.home, "address") == [1]
    assert keys(outcome.source, "store") == keys(outcome.source, "address") == [1]


def test_the_lowest_tier_with_a_row_decides_also_when_that_row_is_about_nobody() -> None:
    actor = table("actor", "id*")
    account = table("account", "id*", "user>customer", "actor~>actor")  # unique: tier 1
    like = table("like", "id*", "user>customer", "actor>actor")  # direct to the register: tier 2
    view = table("view", "id*", "account>account", "actor>actor")  # reaches it: tier 3
    found = Ownership(
        world(
            {
                CUSTOMER: [AMY, BEA],
                actor: [(1,), (2,), (3,), (4,)],
                account: [(1, 1, 1), (2, None, 2), (3, 2, None)],
                like: [(1, 2, 1), (2, 1, 2), (3, 2, 3)],
                view: [(1, 1, 3), (2, 3, 4)],
            },
            {"actor": ATTACHMENT},
        )
    )
    amy, bea = ("customer", (1,)), ("customer", (2,))
    assert found.users[("actor", 0)] == {amy}  # by account 1; Bea's like does not matter
    assert found.users[("actor", 1)] == set()  # account 2 decides, and is nobody's
    assert found.users[("actor", 2)] == {bea}  # no account: the like decides, not Amy's view
    assert found.users[("actor", 3)] == {bea}  # only a view
    assert found.about[("like", 0)] == {amy, bea}  # the like on Amy's actor is about both


def test_an_authors_first_hop_does_not_describe_and_declared_references_do_alone() -> None:
    actor = table("actor", "id*")
    video = table("video", "id*", "owner>customer", "by>actor")
    data: dict[Table, list[tuple[Value, ...]]] = {
        CUSTOMER: [AMY, BEA],
        actor: [(1,)],
        video: [(1, 1, 1)],
    }
    amy = ("customer", (1,))
    assert Ownership(world(data, {"actor": ATTACHMENT})).users[("actor", 0)] == {amy}
    authored = {"actor": ATTACHMENT, "video": TableRole(joint="author", author=path("by"))}
    assert Ownership(world(data, authored)).users[("actor", 0)] == set()

    other = table("other", "id*", "owner>customer", "actor~>actor")
    of = TableRole("attachment", of=(ColumnName(TableName("app", "video"), "by"),))
    declared = world({**data, other: [(1, 2, 1)]}, {"actor": of})
    assert Ownership(declared).users[("actor", 0)] == {amy}


def test_an_attachments_attachment_has_its_users() -> None:
    image = table("image", "id*")
    actor = table("actor", "id*", "image>image")
    customer = table("customer", "id*", "country", "actor>actor")
    outcome = expected(
        world(
            {
                image: [(1,), (2,)],
                actor: [(1, 1), (2, 2), (3, 2)],
                customer: [(1, "US", 1), (2, "US", 2), (3, "NL", 3)],
            },
            {"image": ATTACHMENT, "actor": ATTACHMENT},
        )
    )
    assert moved(outcome, "actor") == [1, 2]
    assert moved(outcome, "image") == [1]  # 2 is shared with Bea's actor
    assert keys(outcome.home, "image") == [1, 2]


def test_stubs_at_home_keep_their_not_null_keys_and_need_those_parents() -> None:
    channel = table("channel", "id*", "owner!>customer", "style>style")
    video = table("video", "id*", "channel!>channel")
    style = table("style", "id*")
    like = table("like", "id*", "by>customer", "video>video")
    outcome = expected(
        world(
            {
                CUSTOMER: [AMY, BEA],
                style: [(1,)],
                channel: [(1, 2, 1)],
                video: [(1, 1)],
                like: [(1, 1, 1)],
            },
            {"like": TableRole(joint="author", author=path("by"))},
        )
    )
    assert moved(outcome, "like") == [1]
    # like → video (Bea's) → channel (not null) → Bea; the nullable style is not kept.
    assert outcome.home_stubs == {"video": {(1,)}, "channel": {(1,)}, "customer": {(2,)}}
    assert keys(outcome.home, "style") == []
    assert keys(outcome.home, "customer") == [1]


def test_unknown_residence_stays_and_makes_rows_joint_unless_protected() -> None:
    note = table("note", "id*", "a>customer", "b>customer")
    data: dict[Table, list[tuple[Value, ...]]] = {
        CUSTOMER: [AMY, (2, "Atlantis"), (3, None)],
        note: [(1, 1, 2), (2, 2, 3), (3, 1, None)],
    }
    outcome = expected(world(data))
    assert moved(outcome, "customer") == [1]
    assert moved(outcome, "note") == [3]
    assert outcome.held == {("note", 0): "joint"}
    outcome = expected(replace(world(data), unknown_residence="protect"))
    assert moved(outcome, "customer") == [1, 2, 3]
    assert moved(outcome, "note") == [1, 2, 3]
    outcome = expected(replace(world(data), home_allowed=False))
    assert outcome.moving == set()


def test_a_collision_holds_the_row_and_what_refers_to_it_but_an_equal_row_is_removed() -> None:
    order = table("order", "id*", "customer>customer", "film>film")
    line = table("line", "id*", "order>order")
    film = table("film", "id*", "title")
    outcome = expected(
        world(
            {
                film: [(1, 10), (2, 20)],
                CUSTOMER: [AMY, (5, "US"), (6, "US")],
                # 1 needs film 1, which is another one at home; 2 collides itself; 3 goes
                order: [(1, 1, 1), (2, 5, None), (3, 1, 2), (4, 6, None)],
                line: [(1, 1), (2, 2), (3, 3), (4, 4)],
            },
            home={
                "film": [(1, 99), (2, 20)],
                "order": [(2, None, None)],
                "customer": [(1, "US"), (6, "NL")],
            },
        )
    )
    assert moved(outcome, "customer") == [1, 5]  # Amy is equal at home: only removed here
    assert moved(outcome, "order") == [3]
    assert moved(outcome, "line") == [3]
    held = {"customer": 1, "order": 3, "line": 3}
    assert {t: outcome.held_rows(t) for t in held} == held
    assert keys(outcome.home, "customer") == [1, 6, 5]
    assert keys(outcome.home, "film") == [1, 2]
    # Held orders 1 and 2 stay in full and point at Amy and at 5.
    assert outcome.source_stubs == {"customer": {(1,), (5,)}}


def test_another_person_under_the_key_of_a_needed_stub_is_a_collision() -> None:
    like = table("like", "id*", "by>customer", "whom>customer")
    given = world(
        {CUSTOMER: [AMY, BEA], like: [(1, 1, 2)]},
        {"like": TableRole(joint="author", author=path("by"))},
        home={"customer": [(2, "US")]},  # not Bea
    )
    assert moved(expected(given), "like") == []
    assert moved(expected(given, Reading(stub_key_taken="accept")), "like") == [1]
    assert moved(expected(replace(given, home={"customer": [], "like": []})), "like") == [1]


def test_a_cycle_and_a_self_reference_go_whole() -> None:
    staff = table("staff", "id*", "customer>customer", "shop>shop", "boss>staff")
    shop = table("shop", "id*", "manager>staff")
    outcome = expected(
        world(
            {
                CUSTOMER: [AMY, BEA],
                staff: [(1, 1, 1, 1), (2, 2, 2, None), (3, None, 1, None)],
                shop: [(1, 1), (2, 2)],
            }
        )
    )
    assert moved(outcome, "staff") == [1, 3]
    assert moved(outcome, "shop") == [1]
    assert outcome.held == {}


def test_composite_keys_and_keys_with_a_null_part() -> None:
    seat = Table(
        "seat",
        (
            Column("hall", "INTEGER", "int", nullable=False),
            Column("no", "INTEGER", "int", nullable=False),
            Column("holder", "INTEGER", "int"),
        ),
        (Key(("hall", "no"), primary=True),),
        (ForeignKey(("holder",), "customer", ("id",)),),
    )
    ticket = Table(
        "ticket",
        tuple(Column(c, "INTEGER", "int", nullable=c != "id") for c in ("id", "hall", "no")),
        (Key(("id",), primary=True),),
        (ForeignKey(("hall", "no"), "seat", ("hall", "no")),),
    )
    outcome = expected(
        world(
            {
                CUSTOMER: [AMY, BEA],
                seat: [(1, 1, 1), (1, 2, 2), (2, 1, None)],
                ticket: [(1, 1, 1), (2, 1, 2), (3, 1, None), (4, 2, 1)],
            }
        )
    )
    assert moved(outcome, "ticket") == [1]
    assert keys(outcome.source, "ticket") == [2, 3, 4]
