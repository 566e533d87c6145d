"""What `init` makes of schemas as applications have them: without keys, with types beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from domicile.cli.main import main
from domicile.survey.propose_model import Proposal
from tests.survey.test_propose import CODES, database, proposal, url

PEOPLE = range(1, 41)
USERS = [
    (i, f"user{i}@example.org", f"$2a$12${i:053d}", f"Ann Lee {i}", CODES[i % 6]) for i in PEOPLE
]


def written(result: Proposal, *, active: bool = True) -> set[tuple[object, ...]]:
    """The links as (from …, to, where)."""
    return {
        (*k.sources, k.to, *k.where) for k in result.links if k.active == active
    }  # fmt: skip


@pytest.fixture(scope="module")
def rails(tmp_path_factory: pytest.TempPathFactory) -> Proposal:
    """Users 1 to 40, posts 101 to 140, photos 201 to 240; no key is declared anywhere."""
    script = """
        CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, encrypted_password TEXT,
            name TEXT, country_code TEXT);
        CREATE TABLE posts (id INTEGER PRIMARY KEY, user_id INTEGER, title TEXT);
        CREATE TABLE photos (id INTEGER PRIMARY KEY, user_id INTEGER, caption TEXT);
        CREATE TABLE comments (id INTEGER PRIMARY KEY, commentable_type TEXT,
            commentable_id INTEGER, user_id INTEGER, body TEXT);
        CREATE TABLE follows (id INTEGER PRIMARY KEY, follower_id INTEGER, followed_id INTEGER);
        CREATE TABLE likes (id INTEGER PRIMARY KEY, likeable_type TEXT, likeable_id INTEGER);
    """

    def about(i: int) -> tuple[str, int]:
        return (r"App\Models\Post", 100 + i) if i % 2 else ("Photo", 200 + i)

    file = database(
        tmp_path_factory.mktemp("rails") / "rails.db", script,
        users=USERS,
        posts=[(100 + i, i, "A title") for i in PEOPLE],
        photos=[(200 + i, 41 - i, "A caption") for i in PEOPLE],
        comments=[(i, *about(i), i % 40 + 1, "Well said") for i in PEOPLE],
        follows=[(i, i, i % 40 + 1) for i in PEOPLE],
        likes=[(i, "Post", 100 + i) if i < 30 else (i, "Story", 900 + i) for i in PEOPLE],
    )  # fmt: skip
    return proposal(url(file))


def test_each_type_is_a_link_for_its_rows(rails: Proposal) -> None:
    kind = "commentable_type"
    post, photo = (kind, r"App\Models\Post"), (kind, "Photo")
    assert {
        ("app.comments.commentable_id", "app.posts.id", post),
        ("app.comments.commentable_id", "app.photos.id", photo),
        ("app.likes.likeable_id", "app.posts.id", ("likeable_type", "Post")),
    } <= written(rails)
    (likes,) = [k for k in rails.links if k.source.column == "likeable_id"]
    assert "1 other type names no table" in likes.reason.because


def test_whom_an_act_is_about_is_a_person_too(rails: Proposal) -> None:
    assert ("app.follows.followed_id", "users") in written(rails)
    roles = {str(t.table): t.role for t in rails.tables if t.active}
    assert str(roles["app.follows"].author) == "follower_id"
    assert str(roles["app.comments"].author) == "user_id"
    assert "app.posts" not in roles  # about one person


def test_django_says_the_type_by_a_key(tmp_path: Path) -> None:
    script = """
        CREATE TABLE django_content_type (id INTEGER PRIMARY KEY, app_label TEXT, model TEXT);
        CREATE TABLE auth_user (id INTEGER PRIMARY KEY, email TEXT, password TEXT, name TEXT,
            country TEXT);
        CREATE TABLE blog_post (id INTEGER PRIMARY KEY,
            author_id INTEGER REFERENCES auth_user (id));
        CREATE TABLE taggit_item (id INTEGER PRIMARY KEY, object_id TEXT,
            content_type_id INTEGER REFERENCES django_content_type (id));
    """
    file = database(
        tmp_path / "d.db", script,
        django_content_type=[(1, "auth", "user"), (7, "blog", "post")], auth_user=USERS,
        blog_post=[(100 + i, i) for i in PEOPLE],
        taggit_item=[(i, *((str(100 + i), 7) if i % 2 else (str(i), 1))) for i in PEOPLE],
    )  # fmt: skip
    assert {
        ("app.taggit_item.object_id", "app.blog_post.id", ("content_type_id", "7")),
        ("app.taggit_item.object_id", "user", ("content_type_id", "1")),
    } <= written(proposal(url(file)))


def test_keys_of_several_columns_under_another_spelling(tmp_path: Path) -> None:
    script = """
        CREATE TABLE kunde (mandant_id INTEGER, kundennummer INTEGER, vorname TEXT, nachname TEXT,
            email TEXT, land TEXT, PRIMARY KEY (mandant_id, kundennummer));
        CREATE TABLE auftrag (mandant_id INTEGER, auftragsnummer INTEGER, kunden_nr INTEGER,
            PRIMARY KEY (mandant_id, auftragsnummer));
        CREATE TABLE position (mandant_id INTEGER, auftragsnummer INTEGER, nr INTEGER,
            PRIMARY KEY (mandant_id, auftragsnummer, nr));
    """
    people: Sequence[tuple[int, int]] = [(1 + i % 2, 100 + i) for i in PEOPLE]
    file = database(
        tmp_path / "k.db", script,
        kunde=[(m, k, "Eva", "Roth", f"eva{k}@example.org", CODES[k % 6]) for m, k in people],
        auftrag=[(m, 500 + k, k) for m, k in people],
        position=[(m, 500 + k, 1) for m, k in people],
    )  # fmt: skip
    result = proposal(url(file))
    assert {
        ("app.auftrag.mandant_id", "app.auftrag.kunden_nr", "kunde"),
        ("app.position.mandant_id", "app.position.auftragsnummer", "app.auftrag.mandant_id"),
    } <= written(result)


def test_a_prefix_of_all_tables_says_nothing_and_nought_is_nobody(tmp_path: Path) -> None:
    script = """
        CREATE TABLE wp_users (ID INTEGER PRIMARY KEY, user_email TEXT, user_pass TEXT,
            display_name TEXT, country TEXT);
        CREATE TABLE wp_posts (ID INTEGER PRIMARY KEY, post_author INTEGER);
        CREATE TABLE wp_comments (comment_ID INTEGER PRIMARY KEY, comment_post_ID INTEGER,
            comment_author_email TEXT, user_id INTEGER);
    """
    file = database(
        tmp_path / "w.db", script, wp_users=USERS,
        wp_posts=[(100 + i, i) for i in PEOPLE],
        wp_comments=[(i, 100 + i, f"g{i}@example.net", i if i % 2 else 0) for i in PEOPLE],
    )  # fmt: skip
    result = proposal(url(file))
    assert [s.name for s in result.subjects if s.active] == ["users"]
    reasons = {str(k.source): k.reason for k in result.links if k.active}
    assert not reasons["app.wp_comments.user_id"].guessed
    assert "app.wp_comments.comment_post_ID" in reasons
    assert any("20 of 40 sampled have no row in app.wp_users" in note for note in result.notes)


def test_accounts_of_strangers_are_not_the_register(tmp_path: Path) -> None:
    script = """
        CREATE TABLE accounts (id INTEGER PRIMARY KEY, username TEXT, display_name TEXT);
        CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, encrypted_password TEXT,
            country TEXT, account_id INTEGER REFERENCES accounts (id));
        CREATE TABLE statuses (id INTEGER PRIMARY KEY,
            account_id INTEGER REFERENCES accounts (id), text TEXT);
    """
    file = database(
        tmp_path / "m.db", script,
        accounts=[(i, f"name_{i}", f"Ann Lee {i}") for i in range(1, 121)],
        users=[(1000 + i, mail, word, land, i) for i, mail, word, _, land in USERS],
        statuses=[(i, i, "A word") for i in range(1, 121)],
    )  # fmt: skip
    result = proposal(url(file))
    assert [str(s.register) for s in result.subjects if s.active] == ["app.users"]
    roles = {str(t.table): t.role.role for t in result.tables if t.active}
    assert roles["app.accounts"] == "attachment"


def test_several_addresses_of_one_person_come_before_the_firms(tmp_path: Path) -> None:
    script = """
        CREATE TABLE hospitals (id INTEGER PRIMARY KEY, name TEXT, country TEXT);
        CREATE TABLE patients (id INTEGER PRIMARY KEY, name TEXT, email TEXT,
            hospital_id INTEGER REFERENCES hospitals (id));
        CREATE TABLE addresses (id INTEGER PRIMARY KEY, street TEXT, country TEXT,
            patient_id INTEGER REFERENCES patients (id));
    """
    file = database(
        tmp_path / "h.db", script,
        hospitals=[(i, f"Hospital {i}", CODES[i]) for i in range(5)],
        patients=[(i, f"Ann Lee {i}", f"a{i}@example.org", i % 5) for i in PEOPLE],
        addresses=[(i, f"{i} High Street", CODES[i % 6], i) for i in PEOPLE],
    )  # fmt: skip
    (subject,) = proposal(url(file)).subjects
    assert subject.residence is None
    assert "app.addresses.country would be the person's own" in (
        subject.other_residences[0].reason.because
    )


def test_a_country_among_attributes_is_seen(tmp_path: Path) -> None:
    script = """
        CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, password TEXT, name TEXT);
        CREATE TABLE user_attribute (id INTEGER PRIMARY KEY, name TEXT, value TEXT,
            user_id INTEGER REFERENCES users (id));
    """
    file = database(
        tmp_path / "a.db", script, users=[row[:4] for row in USERS],
        user_attribute=[(i, "country", CODES[i % 6], i) for i in PEOPLE]
        + [(100 + i, "theme", "dark", i) for i in PEOPLE],
    )  # fmt: skip
    result = proposal(url(file))
    assert result.subjects[0].residence is None
    assert any(note.startswith("app.user_attribute.value holds countries") for note in result.notes)


def test_a_single_store_is_told_that_it_has_no_home(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = (
        "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, pw TEXT, name TEXT, land TEXT)"
    )
    file = database(tmp_path / "one.db", script, users=USERS)
    out = tmp_path / "estate.yaml"
    assert main(["init", url(file), "-o", str(out), "--country", "SG"]) == 0
    assert "Nothing of app can be moved yet: it is in one store" in capsys.readouterr().out
    example = out.read_text().split("  # home:\n")[1].split("\n\n")[0]
    assert "  #   holds: app" in example.splitlines()


def test_a_plain_path_is_told_how_to_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = database(tmp_path / "one.db", "CREATE TABLE t (a INTEGER)")
    assert main(["init", str(file), "-o", str(tmp_path / "e.yaml")]) == 2
    assert f"for that file write sqlite:{file}" in capsys.readouterr().err
