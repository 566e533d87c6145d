"""Loading an estate: what it gives, and one error with file, line and key for what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domicile.errors import DeclarationError
from domicile.estate.load import load_estate
from domicile.estate.model import ColumnName, Estate, Hop, Link, TableName

ESTATE = """\
estate: video-store
controller: {name: Video Store Ltd, country: SG}
stores:
  singapore: {url: "postgresql://${PGUSER}:${PGPASSWORD}@127.0.0.1:5432/pagila", country: SG, operator: Video Store Ltd, holds: app}
  texas: {url: "postgresql://127.0.0.1:5433/pagila", country: United States, operator: Oracle, holds: app, schema: shop}
  lake: {url: "file:lake", country: NO, operator: Video Store Ltd, holds: events}
  media: {url: "file:///srv/media", country: sg, operator: Video Store Ltd, holds: media}
organisations:
  Oracle: {country: US}
  Video Store Ltd: {country: SG, owned_by: [{name: Parent Group, country: CN, share: 60}, {name: Others, share: 40}]}
subjects:
  customer:
    register: app.customer
    key: customer_id
    residence: address_id.city_id.country_id.country
    born: <residence.born
  device: {register: app."User Device", key: [owner, "serial no"]}
links:
  - {from: events.watch.user_id, to: customer}
  - {from: events.watch.payload->user->id, to: app.customer.customer_id}
columns:
  app.customer.activebool: {category: system.operations}
tables:
  app.address: {role: attachment, of: [app.customer.address_id]}
  app.film: {role: reference}
  app.comment: {joint: split, author: channelId.accountId, keep: [text]}
objects:
  - {store: media, key: "videos/{app.video.id}/{app.video.\\"File Name\\"}.mp4"}
flows:
  - {from: app, to: Ad Exchange Inc, categories: [user.behavior], uses: [marketing.advertising.profiling]}
legal_holds:
  - {name: case 12, reason: "Art. 17(3)(e) GDPR", tables: [app.payment], subjects: [customer]}
mandates: [clover]
"""  # noqa: E501 - one store a line, as people write it
ENV = {"PGUSER": "ana", "PGPASSWORD": "hunter2"}
LEAST = """\
estate: e
stores:
  a: {url: "sqlite:a.db", country: NL, operator: X, holds: app}
  b: {url: "sqlite:b.db", country: US, operator: X, holds: app}
"""


def load(tmp_path: Path, text: str, env: dict[str, str] | None = None) -> Estate:
    file = tmp_path / "estate.yaml"
    file.write_text(text, encoding="utf-8")
    return load_estate(file, ENV if env is None else env)


def test_everything(tmp_path: Path) -> None:
    estate = load(tmp_path, ESTATE)
    singapore, texas, lake, media = estate.stores
    assert singapore.url == "postgresql://ana:hunter2@127.0.0.1:5432/pagila"
    assert singapore.shown == "postgresql://127.0.0.1:5432/pagila"
    assert (texas.country, texas.schema, texas.kind) == ("US", "shop", "postgresql")
    assert (lake.country, lake.url) == ("NO", f"file://{tmp_path}/lake")
    assert media.country == "SG"
    assert estate.cells("app") == (singapore, texas)
    assert estate.controller is not None
    assert estate.organisations[1].owned_by[0].share == 60
    customer, device = estate.subjects
    assert customer.register == TableName("app", "customer")
    assert str(customer.residence) == "address_id.city_id.country_id.country"
    assert customer.born is not None
    assert customer.born.hops == (Hop("residence", backward=True),)
    assert device.key == ("owner", "serial no")
    assert device.register.table == "User Device"
    watch = TableName("events", "watch")
    assert estate.links == (
        Link(ColumnName(watch, "user_id"), subject="customer"),
        Link(
            ColumnName(watch, "payload", ("user", "id")),
            target=ColumnName(TableName("app", "customer"), "customer_id"),
        ),
    )
    comment = estate.tables[TableName("app", "comment")]
    assert (comment.joint, comment.keep) == ("split", ("text",))
    assert comment.author is not None
    assert comment.author.hops == (Hop("channelId"), Hop("accountId"))
    assert estate.flows[0].uses == ("marketing.advertising.profiling",)
    assert estate.legal_holds[0].subjects == ("customer",)
    assert estate.mandate_files == ("clover",)
    (rule,) = estate.objects
    video = TableName("app", "video")
    assert rule.table == video
    assert rule.parts == (
        "videos/", ColumnName(video, "id"), "/", ColumnName(video, "File Name"), ".mp4"
    )  # fmt: skip
    # What a folder is for tells it from a lake.
    assert [(s.name, s.kind) for s in (lake, media)] == [("lake", "file"), ("media", "files")]


def test_the_digest_does_not_hold_the_environment(tmp_path: Path) -> None:
    one = load(tmp_path, ESTATE)
    two = load(tmp_path, ESTATE, {"PGUSER": "bob", "PGPASSWORD": "other"})
    assert one.digest == two.digest
    assert one.digest != load(tmp_path, ESTATE.replace("key: customer_id", "key: id")).digest


def test_the_digest_tells_places_and_no_passwords(tmp_path: Path) -> None:
    def of(url: str) -> str:
        return load(tmp_path, LEAST.replace("sqlite:b.db", url)).digest

    assert of("postgresql://ana:one@h/db") == of("postgresql://bob:two@h/db")
    assert of("postgresql://ana:one@h/db") != of("postgresql://ana:one@h/other")
    assert of("sqlite:x.db") != of("sqlite:y.db")


def with_lines(text: str) -> str:
    return LEAST + text


def with_link(links: str) -> str:
    return f"{LEAST}subjects: {{pair: {{register: app.p, key: [a, b]}}}}\nlinks: [{links}]\n"


def test_links_of_several_columns_and_of_some_rows(tmp_path: Path) -> None:
    estate = load(
        tmp_path,
        with_link(
            "{from: [app.x.a, app.x.b], to: pair}, {from: app.c.i, to: app.p.a, where: {t: P}},"
            " {from: app.c.i, to: app.q.id, where: {t: [Q, 7], kind: x}}"
        ),
    )
    x, c = TableName("app", "x"), TableName("app", "c")
    assert estate.links == (
        Link(ColumnName(x, "a"), subject="pair", more=("b",)),
        Link(ColumnName(c, "i"), target=ColumnName(TableName("app", "p"), "a"),
             where=(("t", ("P",)),)),
        Link(ColumnName(c, "i"), target=ColumnName(TableName("app", "q"), "id"),
             where=(("t", ("Q", "7")), ("kind", ("x",)))),
    )  # fmt: skip
    assert estate.links[0].columns == ("a", "b")


def with_media(rules: str) -> str:
    folder = '  m: {url: "file:///srv/media", country: NL, operator: X, holds: m}\n'
    return f"{LEAST}{folder}objects: [{rules}]\n"


@pytest.mark.parametrize(
    ("text", "key", "line", "said"),
    [
        ("estate: e\n", "", 1, "the key stores is missing"),
        ("estate: e\nstores: {}\n", "stores", 2, "got a mapping with nothing in it"),
        ("estate: e\nstores: [a]\n", "stores", 2, "got a list, expected a mapping"),
        (with_lines("storse: {}\n"), "storse", 5, "Did you mean stores?"),
        (LEAST.replace("operator: X, holds: app}\n  b", "oprator: X, holds: app}\n  b"),
         "stores.a.oprator", 3, "Did you mean operator?"),
        (LEAST.replace("  b:", "  c:\n    country: NL\n    oprator: X\n    holds: app\n  b:"),
         "stores.c.oprator", 6, "Did you mean operator?"),
        (LEAST.replace(", holds: app}\n  b", "}\n  b"), "stores.a", 3, "the key holds is missing"),
        (LEAST.replace("country: US", "country: Netherlnds"), "stores.b.country", 4,
         "Did you mean Netherlands (NL)?"),
        (LEAST.replace("country: US", "country: Korea"), "stores.b.country", 4, "one country"),
        (LEAST.replace("sqlite:b.db", "mysql://h/db"), "stores.b.url", 4, "postgresql://"),
        (LEAST.replace("sqlite:b.db", "sqlite:./x/../a.db"), "stores.b.url", 4, "as store a"),
        (LEAST.replace("sqlite:b.db", "postgresql://${NOT_SET}@h/b"), "stores.b.url", 4,
         "environment variable NOT_SET is not set"),
        (LEAST.replace("operator: X", "operator: '${NOT_SET}'", 1), "stores.a.operator", 3, "url"),
        (LEAST.replace("  b:", "  b/c:"), "stores.b/c", 4, "a name of letters"),
        (with_lines("subjects: {'': {register: app.c, key: id}}\n"), "subjects.", 5, "a name of"),
        (with_lines("subjects: {c: {register: app.c}}\n"), "subjects.c", 5, "key is missing"),
        (with_lines("subjects: {c: {register: ap.c, key: id}}\n"), "subjects.c.register", 5,
         "Did you mean app?"),
        (with_lines("subjects: {c: {register: c, key: id}}\n"), "subjects.c.register", 5,
         "a table such as app.customer"),
        (with_lines("subjects: {c: {register: app.c, key: []}}\n"), "subjects.c.key", 5, "a list"),
        (with_lines("subjects: {c: {register: app.c, key: [a, a]}}\n"), "subjects.c.key", 5,
         "none twice"),
        (with_lines("subjects:\n  c: {register: app.c, key: a}\n  d: {register: app.c, key: a}\n"),
         "subjects.d.register", 7, "already the register of c"),
        (with_lines("subjects: {c: {register: app.c, key: id, residence: a..b}}\n"),
         "subjects.c.residence", 5, "position 3"),
        (with_lines("links: [{from: app.x.y, to: custmer}]\nsubjects:\n"
                    "  customer: {register: app.c, key: id}\n"), "links[0].to", 5,
         "Did you mean customer?"),
        (with_lines("links: [{from: app.x, to: app.c.id}]\n"), "links[0].from", 5, "a column"),
        (with_lines("links: [{from: app.x.y, to: app.c.id}, {from: app.x.y, to: app.d.id}]\n"),
         "links[1].from", 5, "linked twice"),
        (with_lines("columns: {app.c.mail: {category: user.contact.emial}}\n"),
         "columns.app.c.mail.category", 5, "Did you mean user.contact.email?"),
        (with_lines("columns:\n  app.c.a: {category: user}\n  'app.\"c\".a': {category: user}\n"),
         'columns.app."c".a', 7, "twice"),
        (with_lines("tables: {app.c: {role: atachment}}\n"), "tables.app.c.role", 5,
         "Did you mean attachment?"),
        (with_lines("tables: {app.c: {}}\n"), "tables.app.c", 5, "nothing in it"),
        (with_lines("tables: {app.c: {joint: author}}\n"), "tables.app.c.joint", 5, "author"),
        (with_lines("tables: {app.c: {author: a.b}}\n"), "tables.app.c.author", 5, "joint"),
        (with_lines("tables: {app.c: {joint: author, author: a, keep: [b]}}\n"),
         "tables.app.c.keep", 5, "split only"),
        (with_lines("tables: {app.c: {role: reference, joint: hold}}\n"), "tables.app.c.joint", 5,
         "no joint"),
        (with_lines("tables: {app.c: {role: ignore, of: [app.d.e]}}\n"), "tables.app.c.of", 5,
         "attachment only"),
        (with_lines("objects: [{store: medai, key: 'x/{app.v.id}'}]\n"), "objects[0].store", 5,
         "a declared store"),
        (with_lines("objects: [{store: a, key: 'x/all'}]\n"), "objects[0].key", 5, "in braces"),
        (with_lines("objects: [{store: a, key: 'x/{app.v.id'}]\n"), "objects[0].key", 5, "braces"),
        (with_lines("objects: [{store: a, key: 'x/{app.v.id}'}]\n"), "objects[0].store", 5,
         "a folder of files"),
        (with_media("{store: m, key: '../{app.v.id}'}"), "objects[0].key", 6, "below the folder"),
        (with_media("{store: m, key: '/x/{app.v.id}'}"), "objects[0].key", 6, "below the folder"),
        (with_media("{store: m, key: 'x//{app.v.id}'}"), "objects[0].key", 6, "below the folder"),
        (with_media("{store: m, key: '{app.v.id}/{app.w.id}'}"), "objects[0].key", 6,
         "one table's"),
        (with_media("{store: m, key: '{m.v.id}'}"), "objects[0].key", 6, "a folder of files"),
        (with_media("{store: m, key: '{app.v.id}'}, {store: m, key: '{app.v.id}'}"), "objects[1]",
         6, "twice"),
        (with_media("{store: m, key: '{app.v.id}'}").replace("holds: m}", "holds: app}"),
         "objects[0].store", 6, "store a is none"),
        (with_media("{store: m, key: '{app.v.id}'}") + "tables: {m.v: {role: ignore}}\n",
         "tables.m.v", 7, "has no tables"),
        (with_lines("flows: [{from: apps, to: X}]\n"), "flows[0].from", 5, "Did you mean app?"),
        (with_lines("flows: [{from: app, to: X, uses: [marketin]}]\n"), "flows[0].uses[0]", 5,
         "Did you mean marketing?"),
        (with_lines("legal_holds: [{name: n, reason: r}]\n"), "legal_holds[0]", 5, "holds nothing"),
        (with_lines("organisations: {X: {country: NL, owned_by: [{name: Y, share: 160}]}}\n"),
         "organisations.X.owned_by[0].share", 5, "at most 100"),
        (with_lines("organisations: {X: {country: NL, owned_by: [{name: Y, share: 60},"
                    " {name: Z, share: 50}]}}\n"), "organisations.X.owned_by", 5, "110%"),
        (with_link("{from: app.x.a, to: pair}"), "links[0].from", 6, "the key of pair is a, b"),
        (with_link("{from: [app.x.a, app.y.b], to: pair}"), "links[0].from[1]", 6,
         "another column of app.x"),
        (with_link("{from: [app.x.a, app.x.b], to: app.z.a}"), "links[0].to", 6,
         "expected 2, as many as in from"),
        (with_link("{from: app.x.a, to: app.z.a, where: {}}"), "links[0].where", 6,
         "a text or a list of texts"),
        (with_link("{from: app.x.a, to: app.z.a, where: {t: 1.5}}"), "links[0].where.t", 6,
         "expected a text or a list of texts"),
        (with_link("{from: app.x.a, to: app.z.a}, {from: app.x.a, to: app.y.a, where: {t: P}}"),
         "links[1].from", 6, "once for all rows"),
        (with_link("{from: app.x.a, to: app.z.a, where: {t: P}},"
                   " {from: app.x.a, to: app.y.a, where: {t: P}}"),
         "links[1].from", 6, "app.x.a where t is P is linked twice"),
        (with_lines("controller: {name: 5, country: NL}\n"), "controller.name", 5,
         "got a number, expected a text"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path: Path, text: str, key: str, line: int, said: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        load(tmp_path, text)
    assert (caught.value.key, caught.value.line) == (key, line)
    assert said in str(caught.value)
    assert str(tmp_path / "estate.yaml") in str(caught.value)


def test_the_first_problem_by_line_is_told(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError) as caught:
        load(tmp_path, with_lines("flowss: []\n").replace("holds: app", "hold: app", 1))
    assert caught.value.line == 3


def test_two_stores_of_one_server_are_told_apart_by_schema(tmp_path: Path) -> None:
    store = 'url: "postgresql://h/db", country: NL, operator: X, holds: app'
    text = f"estate: e\nstores:\n  a: {{{store}, schema: one}}\n  b: {{{store}, schema: two}}\n"
    assert len(load(tmp_path, text).stores) == 2
    with pytest.raises(DeclarationError, match="same place"):
        load(tmp_path, text.replace("schema: two", "schema: one"))


def test_no_message_holds_a_secret(tmp_path: Path) -> None:
    for broken in ("postgresql://ana:${P}@h:port/db", "${P}", "mysql://ana:${P}@h/db"):
        with pytest.raises(DeclarationError) as caught:
            load(tmp_path, LEAST.replace("sqlite:b.db", broken), {"P": "hunter2"})
        assert "hunter2" not in str(caught.value)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_changed_estate_loads_or_is_one_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(ESTATE)))
    length = data.draw(st.integers(0, 30))
    text = ESTATE[:start] + data.draw(st.text(max_size=5)) + ESTATE[start + length :]
    file = tmp_path_factory.getbasetemp() / "changed.yaml"
    file.write_bytes(text.encode("utf-8", "replace"))
    try:
        told = str(file) + load_estate(file, ENV).digest
    except DeclarationError as error:
        told = str(error)
    assert told.startswith(str(file))
    assert "hunter2" not in told
