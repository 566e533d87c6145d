"""What `init` proposes for small estates whose right answer is known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile.errors import DeclarationError
from domicile.estate import urls
from domicile.estate.document import parse_document
from domicile.estate.load import load_estate
from domicile.survey.propose import propose
from domicile.survey.propose_check import check
from domicile.survey.propose_model import Proposal, ProposedSubject, ProposedTable
from domicile.survey.propose_read import Reading
from domicile.survey.propose_stores import stores
from domicile.survey.propose_text import render, scalar

COUNTRIES = ("Netherlands", "Germany", "United States", "France", "Singapore", "Belgium")
CODES = ("NL", "DE", "US", "FR", "SG", "BE")
PEOPLE = 60
Rows = Sequence[Sequence[str | int | float | None]]

SHOP = """
    CREATE TABLE country (id INTEGER PRIMARY KEY, country TEXT);
    CREATE TABLE address (id INTEGER PRIMARY KEY, street TEXT, phone TEXT,
        country_id INTEGER REFERENCES country (id));
    CREATE TABLE shop (id INTEGER PRIMARY KEY, address_id INTEGER REFERENCES address (id));
    CREATE TABLE staff (id INTEGER PRIMARY KEY, first_name TEXT, last_name TEXT, email TEXT,
        address_id INTEGER REFERENCES address (id), shop_id INTEGER REFERENCES shop (id));
    CREATE TABLE customer (id INTEGER PRIMARY KEY, first_name TEXT, last_name TEXT, email TEXT,
        birth_date TEXT, address_id INTEGER REFERENCES address (id),
        shop_id INTEGER REFERENCES shop (id));
    CREATE TABLE composer (id INTEGER PRIMARY KEY, first_name TEXT, last_name TEXT);
    CREATE TABLE track (id INTEGER PRIMARY KEY, title TEXT,
        composer_id INTEGER REFERENCES composer (id));
    CREATE TABLE sale (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customer (id),
        staff_id INTEGER REFERENCES staff (id), track_id INTEGER REFERENCES track (id));
"""


def database(path: Path, script: str, **rows: Rows) -> Path:
    """An SQLite file with these rows; tables in the order in which keys need them."""
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute(script)
        for table, values in rows.items():
            marks = ", ".join("?" * len(values[0]))
            quoted = '"' + table.replace('"', '""') + '"'
            connection.executemany(f"INSERT INTO {quoted} VALUES ({marks})", values)
    return path


def shop(path: Path) -> Path:
    """Customers with addresses of their own, whose shop and its staff have addresses too."""
    n = range(1, PEOPLE + 1)
    return database(
        path, SHOP,
        country=[(i, c) for i, c in enumerate(COUNTRIES, 1)],
        address=[(i, f"{i} High Street", f"+3120{i:07}", 1 + i % 6) for i in range(1, PEOPLE + 5)],
        shop=[(1, PEOPLE + 1), (2, PEOPLE + 2)],
        staff=[(i, "Sam", f"Clerk{i}", f"s{i}@shop.example", PEOPLE + 2 + i, i) for i in (1, 2)],
        customer=[
            (i, "Ada", f"Body{i}", f"c{i}@mail.example", f"19{40 + i}-05-01", i, 1 + i % 2)
            for i in n
        ],
        composer=[(i, "Clara", f"Note{i}") for i in range(1, 6)],
        track=[(i, f"Song {i}", 1 + i % 5) for i in range(1, 31)],
        sale=[(i, 1 + i % PEOPLE, 1 + i % 2, 1 + i % 30) for i in range(1, 200)],
    )  # fmt: skip


def proposal(*given: str) -> Proposal:
    """The checked proposal for these `[NAME=]URL`s."""
    named = stores(given, (), (), (), Path.cwd())
    with Reading([n.opened for n in named]) as reading:
        result = propose(reading, "test", [n.written for n in named])
        check(result, reading, Path.cwd(), {})
    return result


def url(path: Path) -> str:
    return f"sqlite:{path}"


def residence(subject: ProposedSubject) -> str:
    return str(subject.residence.path) if subject.residence else ""


def tables(result: Proposal, *, active: bool = True) -> dict[str, ProposedTable]:
    return {t.table.table: t for t in result.tables if t.active == active}


def links(result: Proposal, *, active: bool = True) -> dict[str, str]:
    return {str(k.source): k.to for k in result.links if k.active == active}


@pytest.fixture(scope="module")
def of_shop(tmp_path_factory: pytest.TempPathFactory) -> Proposal:
    return proposal(url(shop(tmp_path_factory.mktemp("shop") / "shop.db")))


def test_the_customers_are_the_register(of_shop: Proposal) -> None:
    customer, *others = of_shop.subjects
    assert (str(customer.register), customer.key) == ("app.customer", ("id",))
    assert customer.active
    assert not customer.reason.guessed
    assert str(customer.born and customer.born.path) == "birth_date"
    assert [(o.name, o.active) for o in others] == [("staff", False)]
    assert "act for the organisation" in others[0].reason.because


def test_the_residence_is_the_customers_and_not_the_shops(of_shop: Proposal) -> None:
    customer = of_shop.subjects[0]
    assert residence(customer) == "address_id.country_id.country"
    others = {str(o.path): o.reason.because for o in customer.other_residences}
    assert "many rows share one of app.shop" in others["shop_id.address_id.country_id.country"]


def test_an_address_is_an_attachment_and_a_composer_is_not(of_shop: Proposal) -> None:
    active = tables(of_shop)
    assert {t for t, p in active.items() if p.role.role == "attachment"} == {"address"}
    assert "customer.address_id refers to it" in active["address"].reason.because
    composer = tables(of_shop, active=False)["composer"]
    assert composer.role.role == "reference"


def test_rows_of_one_person_need_no_author(of_shop: Proposal) -> None:
    assert not [t for t in of_shop.tables if t.role.author]


def test_what_is_commented_out_is_valid_once_uncommented(of_shop: Proposal, tmp_path: Path) -> None:
    text = render(of_shop).replace("ZZ", "NL")
    lines = [
        line.replace("# ", "", 1)
        if line.lstrip().startswith(("# staff:", "#   register", "#   key", "#   residence"))
        else line
        for line in text.splitlines()
    ]
    file = tmp_path / "estate.yaml"
    file.write_text("\n".join(lines))
    assert [s.name for s in load_estate(file).subjects] == ["customer", "staff"]


def test_no_value_of_anybody_is_in_the_proposal(of_shop: Proposal) -> None:
    shown = render(of_shop) + json.dumps(of_shop.document())
    for value in ("mail.example", "shop.example", "Body", "Clerk", "High Street", "Clara", "+3120"):
        assert value not in shown


def test_a_code_on_an_oddly_named_register_and_links_without_keys(tmp_path: Path) -> None:
    path = database(
        tmp_path / "k.db",
        """CREATE TABLE tbl_kunden (kunden_id INTEGER PRIMARY KEY, vorname TEXT, nachname TEXT,
               email TEXT, wohnland_cd TEXT, geburtsdatum TEXT, staatsangehoerigkeit TEXT);
           CREATE TABLE bestellung (bestell_nr INTEGER PRIMARY KEY, kunden_id INTEGER, summe REAL);
           CREATE TABLE stichprobe (nr INTEGER PRIMARY KEY, kunden_id INTEGER)""",
        tbl_kunden=[
            (i, "Eva", f"Muster{i}", f"k{i}@post.example", CODES[i % 6], "1980-02-03", "DE")
            for i in range(1, 50)
        ],
        bestellung=[(i, 1 + i % 49, i * 2.5) for i in range(1, 120)],
        stichprobe=[(i, 20 + i) for i in range(1, 50)],  # three in five exist
    )
    result = proposal(url(path))
    (kunden,) = result.subjects
    assert (kunden.name, str(kunden.register)) == ("kunden", "app.tbl_kunden")
    assert residence(kunden) == "wohnland_cd"
    assert str(kunden.born and kunden.born.path) == "geburtsdatum"
    assert links(result) == {"app.bestellung.kunden_id": "kunden"}
    assert links(result, active=False) == {"app.stichprobe.kunden_id": "kunden"}
    reasons = {str(k.source): k.reason.because for k in result.links}
    assert "49 of 49 different values" in reasons["app.bestellung.kunden_id"]
    assert "29 of 49 different values" in reasons["app.stichprobe.kunden_id"]


def test_a_residence_table_is_found_backwards(tmp_path: Path) -> None:
    path = database(
        tmp_path / "u.db",
        """CREATE TABLE user (id INTEGER PRIMARY KEY, username TEXT, email TEXT, password TEXT);
           CREATE TABLE residence (user_id INTEGER PRIMARY KEY REFERENCES user (id), country TEXT,
               born TEXT);
           CREATE TABLE visit (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES user (id),
               country TEXT)""",
        user=[(i, f"u{i}", f"u{i}@mail.example", "x" * 40) for i in range(1, 41)],
        residence=[(i, CODES[i % 6], "2001-01-01") for i in range(1, 41)],
        visit=[(i, 1 + i % 40, CODES[(i * 7) % 6]) for i in range(1, 90)],
    )
    result = proposal(url(path))
    (user,) = result.subjects
    assert residence(user) == "<residence.country"
    assert str(user.born and user.born.path) == "<residence.born"
    assert any("app.visit.country holds countries too" in note for note in result.notes)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("nationality", CODES),
        ("birth_country", COUNTRIES),
        ("state", ("CA", "DE", "GA", "IL", "IN", "PA")),
        ("language", ("nl", "de", "fr", "es", "it", "pt")),
    ],
)
def test_what_looks_like_a_country_and_is_no_residence(
    tmp_path: Path, column: str, values: Sequence[str]
) -> None:
    path = database(
        tmp_path / "p.db",
        f"CREATE TABLE person (id INTEGER PRIMARY KEY, full_name TEXT, email TEXT, {column} TEXT)",
        person=[(i, f"Jan Jansen{i}", f"p{i}@mail.example", values[i % 6]) for i in range(1, 40)],
    )
    result = proposal(url(path))
    assert residence(result.subjects[0]) == ""
    assert "no residence was found" in render(result)


def test_billing_is_a_guess_and_home_is_not(tmp_path: Path) -> None:
    script = "CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT, email TEXT, {})"
    rows = [(i, f"Ann{i}", f"a{i}@mail.example", CODES[i % 6]) for i in range(40)]
    one = database(tmp_path / "1.db", script.format("billing_country TEXT"), customer=rows)
    both = database(
        tmp_path / "2.db",
        script.format("billing_country TEXT, country TEXT"),
        customer=[(*row, CODES[row[0] % 5]) for row in rows],
    )
    guess = proposal(url(one)).subjects[0].residence
    assert guess is not None
    assert (str(guess.path), guess.reason.guessed) == ("billing_country", True)
    sure = proposal(url(both)).subjects[0].residence
    assert sure is not None
    assert (str(sure.path), sure.reason.guessed) == ("country", False)


def test_a_composite_key_and_the_sender_of_a_message(tmp_path: Path) -> None:
    people = [(i % 3, i, f"Naam {i}", f"p{i}@mail.example") for i in range(1, 60)]
    path = database(
        tmp_path / "c.db",
        """CREATE TABLE personen (filiaal INTEGER NOT NULL, volgnr INTEGER NOT NULL, naam TEXT,
               email TEXT, PRIMARY KEY (filiaal, volgnr));
           CREATE TABLE bericht (id INTEGER PRIMARY KEY, van INTEGER, afzender_nr INTEGER,
               aan INTEGER, ontvanger_nr INTEGER, tekst TEXT,
               CONSTRAINT heen FOREIGN KEY (aan, ontvanger_nr) REFERENCES personen,
               CONSTRAINT af FOREIGN KEY (van, afzender_nr) REFERENCES personen)""",
        personen=people,
        bericht=[(i, *people[i % 59][:2], *people[(i * 7 + 1) % 59][:2], "") for i in range(90)],
    )
    result = proposal(url(path))
    assert result.subjects[0].key == ("filiaal", "volgnr")
    assert str(tables(result)["bericht"].role.author) == "af"


def test_authors_of_rows_about_several_people(tmp_path: Path) -> None:
    path = database(
        tmp_path / "j.db",
        """CREATE TABLE user (id INTEGER PRIMARY KEY, email TEXT, password TEXT, country TEXT);
           CREATE TABLE video (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES user (id));
           CREATE TABLE liking (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES user (id),
               video_id INTEGER REFERENCES video (id));
           CREATE TABLE report (id INTEGER PRIMARY KEY, flagged_id INTEGER REFERENCES user (id),
               reporter_id INTEGER REFERENCES user (id));
           CREATE TABLE report_note (id INTEGER PRIMARY KEY,
               report_id INTEGER REFERENCES report (id), video_id INTEGER REFERENCES video (id));
           CREATE TABLE marriage (id INTEGER PRIMARY KEY, one_id INTEGER REFERENCES user (id),
               other_id INTEGER REFERENCES user (id))""",
        user=[(i, f"u{i}@mail.example", "y" * 40, CODES[i % 6]) for i in range(1, 31)],
        video=[(i, 1 + i % 30) for i in range(1, 20)],
        liking=[(i, 1 + (i * 3) % 30, 1 + i % 19) for i in range(1, 60)],
        report=[(i, 1 + i % 30, 1 + (i + 1) % 30) for i in range(1, 20)],
        report_note=[(i, i, 1 + (i * 2) % 19) for i in range(1, 19)],
        marriage=[(i, i, 30 - i) for i in range(1, 15)],
    )
    result = proposal(url(path))
    authors = {t: str(p.role.author) for t, p in tables(result).items()}
    assert authors == {
        "liking": "user_id", "report": "reporter_id", "report_note": "report_id.reporter_id",
    }  # fmt: skip
    assert "19 of 19 rows are about several people" in tables(result)["report"].reason.because
    assert set(tables(result, active=False)) == {"marriage"}


def test_an_author_that_leads_to_nobody_gives_way(tmp_path: Path) -> None:
    path = database(
        tmp_path / "a.db",
        """CREATE TABLE user (id INTEGER PRIMARY KEY, email TEXT, password TEXT, country TEXT);
           CREATE TABLE account (id INTEGER PRIMARY KEY, label TEXT,
               user_id INTEGER UNIQUE REFERENCES user (id));
           CREATE TABLE video (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES user (id));
           CREATE TABLE comment (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES user (id),
               video_id INTEGER REFERENCES video (id));
           CREATE TABLE mark (id INTEGER PRIMARY KEY, comment_id INTEGER REFERENCES comment (id),
               account_id INTEGER REFERENCES account (id))""",
        user=[(i, f"u{i}@mail.example", "y" * 40, CODES[i % 6]) for i in range(1, 31)],
        account=[(i, "", i if i < 5 else None) for i in range(1, 31)],
        video=[(i, i) for i in range(1, 31)],
        comment=[(i, 1 + i % 30, i) for i in range(1, 31)],
        mark=[(i, i, i) for i in range(1, 31)],
    )
    mark = tables(proposal(url(path)))["mark"]
    assert str(mark.role.author) == "comment_id.user_id"
    assert mark.reason.guessed
    assert "to nobody in the register for 26 of these" in mark.reason.because


def test_shared_rows_and_far_names_are_not_attachments(tmp_path: Path) -> None:
    path = database(
        tmp_path / "s.db",
        """CREATE TABLE client (id INTEGER PRIMARY KEY, token TEXT, secret TEXT, email TEXT);
           CREATE TABLE member (id INTEGER PRIMARY KEY, first_name TEXT, last_name TEXT,
               email TEXT, client_id INTEGER REFERENCES client (id));
           CREATE TABLE book (id INTEGER PRIMARY KEY, title TEXT, author TEXT);
           CREATE TABLE loan (id INTEGER PRIMARY KEY, member_id INTEGER REFERENCES member (id),
               book_id INTEGER REFERENCES book (id))""",
        client=[(1, "t", "s" * 30, "app@firm.example")],
        member=[(i, "Ada", f"Body{i}", f"m{i}@mail.example", 1) for i in range(1, 50)],
        book=[(i, f"Story {i}", f"Writer{i} Pen") for i in range(1, 50)],
        loan=[(i, i, i) for i in range(1, 50)],
    )
    result = proposal(url(path))
    assert [(s.name, s.active) for s in result.subjects] == [("member", True), ("client", False)]
    assert not [t for t in tables(result).values() if t.role.role == "attachment"]


def test_links_across_stores_and_inside_json(tmp_path: Path) -> None:
    people = shop(tmp_path / "shop.db")
    events = database(
        tmp_path / "e.db",
        "CREATE TABLE watch (id INTEGER PRIMARY KEY, payload TEXT, customer_id INTEGER)",
        watch=[
            (i, json.dumps({"user": {"id": 1 + i % 60}, "page": "p"}), 1 + (i * 7) % 60)
            for i in range(1, 120)
        ],
    )
    result = proposal(f"a={url(people)}", f"ev={url(events)}")
    assert {s.name: s.holds for s in result.stores} == {"a": "a", "ev": "ev"}
    assert links(result) == {
        "ev.watch.payload->user->id": "customer", "ev.watch.customer_id": "customer",
    }  # fmt: skip


def test_two_kinds_of_people_and_an_e_mail_as_a_link(tmp_path: Path) -> None:
    people = [(i, f"b{i}@mail.example", "Ada", f"Body{i}") for i in range(1, 60)]
    path = database(
        tmp_path / "m.db",
        """CREATE TABLE buyers (id INTEGER PRIMARY KEY, email TEXT, first_name TEXT,
               last_name TEXT);
           CREATE TABLE sellers (id INTEGER PRIMARY KEY, email TEXT, first_name TEXT,
               last_name TEXT);
           CREATE TABLE orders (id INTEGER PRIMARY KEY, buyer_id INTEGER REFERENCES buyers (id),
               seller_id INTEGER REFERENCES sellers (id));
           CREATE TABLE mail_log (id INTEGER PRIMARY KEY, email TEXT)""",
        buyers=people,
        sellers=[(i, f"s{i}@mail.example", "Bo", "Sells") for i in range(1, 60)],
        orders=[(i, 1 + i % 59, 1 + (i * 7) % 59) for i in range(1, 150)],
        mail_log=[(i, people[i % 59][1]) for i in range(1, 150)],
    )
    result = proposal(url(path))
    assert {s.name: s.active for s in result.subjects} == {"buyers": True, "sellers": True}
    assert all(s.reason.guessed for s in result.subjects)
    assert str(tables(result)["orders"].role.author) == "buyer_id"
    assert links(result) == {"app.mail_log.email": "app.buyers.email"}
    assert result.links[0].reason.guessed


def test_cells_of_one_application_and_an_empty_home(tmp_path: Path) -> None:
    given = [url(shop(tmp_path / name)) for name in ("sg.db", "us.db")]
    (tmp_path / "home.db").touch()
    result = proposal(*given, url(tmp_path / "home.db"))
    assert {s.name: s.holds for s in result.stores} == {"sg": "app", "us": "app", "home": "app"}
    assert len(result.subjects) == 2


def test_stores_without_a_table_and_without_people(tmp_path: Path) -> None:
    (tmp_path / "none.db").touch()
    with pytest.raises(DeclarationError, match="no table in none"):
        proposal(url(tmp_path / "none.db"))
    film = database(tmp_path / "f.db", "CREATE TABLE film (id INTEGER, title TEXT)", film=[(1, "")])
    result = proposal(url(film))
    assert not result.subjects
    assert "one row for each person" in result.notes[0]


def test_names_that_need_quotes(tmp_path: Path) -> None:
    accounts: Rows = [(i, f"q{i}@mail.example", "Ada", CODES[i % 6]) for i in range(1, 40)]
    path = database(
        tmp_path / "q.db",
        """CREATE TABLE "User ""A"" #1" ("the id" INTEGER PRIMARY KEY, "e-mail" TEXT,
               "first name" TEXT, "country: home" TEXT);
           CREATE TABLE "a.b" (id INTEGER PRIMARY KEY, "to, user" INTEGER
               REFERENCES "User ""A"" #1" ("the id"))""",
        **{'User "A" #1': accounts, "a.b": [(i, i) for i in range(1, 40)]},
    )
    (user,) = proposal(url(path)).subjects
    assert (user.register.table, user.key) == ('User "A" #1', ("the id",))
    assert residence(user) == '"country: home"'


@given(st.text(min_size=1).filter(lambda t: t.isprintable()))
def test_a_scalar_is_read_back_as_the_same_text(text: str) -> None:
    assert parse_document(f"key: {scalar(text)}\n".encode(), "x").data == {"key": text}
    flow = f"key: {{a: {scalar(text)}, b: [{scalar(text)}]}}\n"
    assert parse_document(flow.encode(), "x").data == {"key": {"a": text, "b": [text]}}


_LETTERS = st.text(st.characters(codec="ascii", categories=["L", "N"]), max_size=20)


@given(
    _LETTERS.map(lambda word: f"Ge4Heim{word}%2F%40"),
    st.sampled_from(["postgresql://me:{}@h/db", "postgres://me:{}@h:1/d?sslmode=require",
                     "postgresql://h/db?password={}&user=me"]),
)  # fmt: skip
def test_a_password_is_never_written_and_its_variable_opens_the_store(
    secret: str, form: str
) -> None:
    (named,) = stores([f"x={form.format(secret)}"], (), (), (), Path.cwd(), {})
    assert "Ge4Heim" not in named.written.url + named.opened.shown
    (value,) = named.variables.values()
    assert value == unquote(secret)
    again = urls.normalise(urls.fill(named.written.url, named.variables), Path.cwd())
    assert unquote(again) == unquote(named.opened.url)


def test_a_variable_that_was_given_stays(tmp_path: Path) -> None:
    given = "postgresql://${DB_USER}:${DB_WORD}@h/db"
    env = {"DB_USER": "me", "DB_WORD": "s3cret"}
    (named,) = stores([given], (), (), (), tmp_path, env)
    assert (named.written.url, named.variables) == (given, {})
    assert named.opened.url == "postgresql://me:s3cret@h/db"


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_relative_path_starts_at_the_estate_file(in_folder: Path) -> None:
    shop(in_folder / "s.db")
    here, *_ = stores(["sqlite:s.db"], (), (), (), in_folder)
    there, *_ = stores(["sqlite:s.db"], (), (), (), in_folder / "sub")
    assert here.written.url == "sqlite:s.db"
    assert there.written.url == f"sqlite://{in_folder / 's.db'}"
