"""PeerTube, a recorded video platform: 64 Americans go home with what is theirs."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import CopyEstate, MakeDatabase
from tests.e2e import support
from tests.e2e.peertube_oracle import AUTHORS, verdicts
from tests.e2e.support import Estate, Rows
from tests.servers import TestServer

BODY = """\
subjects:
  user: {register: app.user, key: id, residence: <residence.country, born: <residence.born}
tables:
  app.actor: {role: attachment}
"""

STAYING = (
    'SELECT email FROM "user" u LEFT JOIN residence r ON r."userId" = u.id'
    " WHERE country IS DISTINCT FROM 'US'"
)
LEAVING = 'SELECT email FROM "user" u JOIN residence r ON r."userId" = u.id WHERE country = \'US\''


def by_table(plan: dict[str, Any], op: str, to: str) -> dict[str, int]:
    """The rows of one kind of step, by table."""
    return {
        s["table"].removeprefix("app."): s["rows"]
        for s in plan["steps"]
        if s["op"] == op and s["to"] == to
    }


@pytest.mark.parametrize("authors", [True, False], ids=["authors", "hold"])
def test_they_go_home_with_what_is_theirs(
    authors: bool, peertube: CopyEstate, pg15: TestServer, database: MakeDatabase, tmp_path: Path
) -> None:
    abroad, home = peertube(name="abroad"), database(pg15, "home")
    body = BODY
    if authors:
        body += "".join(
            f"  app.{t}: {{joint: author, author: {path}}}\n" for t, (_, _, path) in AUTHORS.items()
        )
    estate = Estate(tmp_path, abroad, home, body)
    expected = verdicts(pg15, abroad, authors=authors)
    before, schema = support.rows_of(pg15, abroad), support.schema_of(pg15, abroad)
    leaving, staying = (
        set(pg15.sql(support.name_of(abroad), q).splitlines()) for q in (LEAVING, STAYING)
    )
    assert expected.going["user"].total() == len(leaving) == 64
    assert expected.going["account"].total() == 64
    assert expected.going["actor"].total() == 64 + expected.going["videoChannel"].total()

    plan = estate.plan()
    assert by_table(plan, "move", "home") == {t: r.total() for t, r in expected.going.items()}
    assert {h["table"].removeprefix("app."): h["rows"] for h in plan["held"]} == expected.held
    estate.apply()

    after, there = support.rows_of(pg15, abroad), support.rows_of(pg15, home)
    stubs = by_table(plan, "stub", "abroad")
    for table, rows in before.items():
        stay = rows - expected.going.get(table, Rows())
        assert stay <= after[table], table  # byte for byte the same
        assert (after[table] - stay).total() == stubs.get(table, 0), table
    made = Counter(by_table(plan, "stub", "home")) + Counter(by_table(plan, "copy", "home"))
    for table, rows in there.items():
        going = expected.going.get(table, Rows())
        assert going <= rows, table
        assert (rows - going).total() == made[table], table
    # A stub holds nobody's address, at either end.
    for contents, whose in ((after, leaving), (there, staying)):
        users = "\n".join(contents["user"])
        assert [e for e in whose if e in users] == []
    assert support.schema_of(pg15, abroad) == support.schema_of(pg15, home) == schema
    for url in (abroad, home):
        support.assert_whole(pg15, url)
        assert write(pg15, url) > 0
    assert estate.plan("again.json")["steps"] == []
    verified = estate.verify()
    assert verified["ok"]
    assert not verified["clean"]
    if authors:
        assert mentions(pg15, abroad, home) == {"videoComment.text"}
        assert [
            c for c in verified["checks"]
            if "app.videoComment.text" in c["name"] and "protected people" in c["detail"]
        ]  # fmt: skip
    assert estate.log()["ok"]
    assert [e for e in leaving | staying if e.encode() in estate.evidence()] == []


NAMES = """
    SELECT "preferredUsername" FROM actor JOIN account a ON a."actorId" = actor.id
        JOIN residence r ON r."userId" = a."userId" WHERE country = 'US'
    UNION SELECT "preferredUsername" FROM actor JOIN "videoChannel" c ON c."actorId" = actor.id
        JOIN account a ON a.id = c."accountId"
        JOIN residence r ON r."userId" = a."userId" WHERE country = 'US'
"""


def mentions(server: TestServer, abroad: str, home: str) -> set[str]:
    """Every column abroad that still holds a name of someone now at home: a plain search."""
    names = set(server.sql(support.name_of(home), NAMES).splitlines())
    columns = server.sql(
        support.name_of(abroad),
        "SELECT table_name || '.' || column_name FROM information_schema.columns"
        " WHERE table_schema = 'public'"
        " AND data_type IN ('text', 'character varying', 'json', 'jsonb', 'ARRAY')",
    ).splitlines()
    query = " UNION ALL ".join(
        f"""SELECT '{t}.{c}|' || translate("{c}"::text, E'\\n\\r', '  ') FROM "{t}" """
        for t, c in (name.split(".") for name in columns)
    )
    found: set[str] = set()
    for line in server.sql(support.name_of(abroad), query).splitlines():
        column, _, text = line.partition("|")
        if names.intersection(re.findall(r"[\w.-]+", text)):
            found.add(column)
    return found


def write(server: TestServer, url: str) -> int:
    """Comment on a video as a person would; the comment's number, which the database gives."""
    return int(
        server.sql(
            support.name_of(url),
            """
            INSERT INTO "videoComment"
                (url, text, "videoId", "accountId", "heldForReview", "createdAt", "updatedAt")
            SELECT 'https://example.org/new', 'Good', v.id, a.id, false, now(), now()
            FROM video v, account a LIMIT 1 RETURNING id""",
        )
    )


def test_the_answer_names_everyone_whom_no_key_leads_to(
    peertube: CopyEstate, pg15: TestServer, database: MakeDatabase, tmp_path: Path
) -> None:
    """Pending registrations, JSON snapshots, URLs, free text, profiles that nobody refers to."""
    abroad = peertube(name="abroad")
    estate = Estate(tmp_path, abroad, database(pg15, "home"), BODY)
    before = support.rows_of(pg15, abroad)
    said = {
        f"{u['table'].removeprefix('app.')}.{u['column']}": u["reason"]
        for u in estate.plan()["unknown"]
        if u["store"] == "abroad"
    }
    assert support.rows_of(pg15, abroad) == before
    for place in (
        "userRegistration.", "userRegistration.email",  # pending: no user yet
        "account.", "actor.", "videoChannel.",  # profiles of deleted people, and of other servers
        "videoAbuse.deletedVideo",  # a JSON snapshot of a video that was deleted
        "videoComment.text", "video.description", "videoChannel.support",  # free text
    ):  # fmt: skip
        assert place in said, sorted(said)
    pending = support.picked(pg15, abroad, '"userRegistration"', 't."userId" IS NULL').total()
    assert said["userRegistration."].startswith(f"{pending} rows")


def test_after_the_move_verify_names_who_is_left_in_text(
    peertube: CopyEstate, pg15: TestServer, database: MakeDatabase, tmp_path: Path
) -> None:
    """What others wrote about those who left stays, and is named; so is every held row."""
    abroad = peertube(name="abroad")
    name = support.name_of(abroad)
    gone = pg15.sql(name, f"{LEAVING} ORDER BY u.id LIMIT 1")
    pg15.sql(
        name,
        f"""UPDATE "videoComment" SET text = 'Write to {gone}' WHERE id = (
            SELECT c.id FROM "videoComment" c JOIN account a ON a.id = c."accountId"
            JOIN residence r ON r."userId" = a."userId" WHERE country = 'NL' LIMIT 1)""",
    )
    authors = "  app.videoComment: {joint: author, author: accountId}\n"
    estate = Estate(tmp_path, abroad, database(pg15, "home"), BODY + authors)
    held = {h["table"] for h in estate.plan()["held"]}
    estate.apply()
    verified = estate.verify()
    unknown, kept = support.checks(verified, "unknown"), support.checks(verified, "held")
    assert [n for n in unknown if n.endswith("abroad app.videoComment.text")]
    assert gone not in str(verified)
    assert {f"held abroad {t}" for t in held} <= set(kept)
    assert verified["ok"]
    assert not verified["clean"]
