"""Where stores are, and what of it may be shown."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domicile.estate.urls import UrlFormatError, fill, normalise, place, safe

HERE = Path("/srv/estate")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgres://h/db", "postgresql://h/db"),
        ("POSTGRESQL://u:p@h:5432/db", "postgresql://u:p@h:5432/db"),
        ("postgresql:///db?host=/run/pg&port=5433", "postgresql:///db?host=/run/pg&port=5433"),
        ("sqlite:shop.db", "sqlite:///srv/estate/shop.db"),
        ("sqlite:data/my shop.db", "sqlite:///srv/estate/data/my shop.db"),
        ("sqlite:///var/a.db", "sqlite:///var/a.db"),
        ("sqlite:/var/a.db", "sqlite:///var/a.db"),
        ("file:///srv/lake", "file:///srv/lake"),
        ("file://localhost/srv/lake", "file:///srv/lake"),
        ("file:lake", "file:///srv/estate/lake"),
        ("memory:a", "memory:a"),
    ],
)
def test_one_spelling(url: str, expected: str) -> None:
    assert normalise(url, HERE) == expected


def test_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ana")
    assert normalise("sqlite:~/shop.db", HERE) == "sqlite:///home/ana/shop.db"
    assert normalise("file:~/lake", HERE) == "file:///home/ana/lake"


@pytest.mark.parametrize(
    "url",
    [
        "shop.db", "mysql://h/db", "", ":", "sqlite:", "sqlite://", "sqlite://rel/a.db",
        "file://host/lake", "postgresql:db", "postgresql://h:port/db", "postgresql://h:99999/db",
        "postgresql:///db?host=/run/pg&port=x",
    ],
)  # fmt: skip
def test_no_store(url: str) -> None:
    with pytest.raises(UrlFormatError):
        normalise(url, HERE)


def test_an_unknown_scheme_lists_the_known_ones() -> None:
    with pytest.raises(UrlFormatError, match=r"'mysql'.*postgresql.*sqlite.*file.*memory"):
        normalise("mysql://h/db", HERE)


def test_a_value_is_never_in_a_message() -> None:
    written = "${URL}"
    with pytest.raises(UrlFormatError) as caught:
        normalise(fill(written, {"URL": "hunter2://x"}), HERE, written)
    assert "hunter2" not in str(caught.value)


def test_variables() -> None:
    env = {"U": "ana", "P": "p@ss/w:rd#%", "H": "db.example", "URL": "postgres://h/db"}
    assert fill("${URL}", env) == "postgres://h/db"
    url = fill("postgresql://${U}:${P}@${H}:5432/app", env)
    assert url == f"postgresql://ana:{quote(env['P'], safe='')}@db.example:5432/app"
    assert normalise(url, HERE) == url
    assert fill("file:///data/${U}@home/${P}", env) == "file:///data/ana@home/p@ss/w:rd#%"
    with pytest.raises(UrlFormatError, match="NOT_SET"):
        fill("postgresql://${NOT_SET}@h/db", env)
    with pytest.raises(UrlFormatError, match="not closed"):
        fill("postgresql://${U@h/db", env)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ana:secret@h:5432/db", "postgresql://h:5432/db"),
        ("postgresql://${U}:${P}@h/db", "postgresql://h/db"),
        ("postgres://h/db?password=secret&sslmode=require", "postgres://h/db?sslmode=require"),
        ("postgresql://ana:se?cret@h/db", "postgresql://…"),
        ("postgresql://ana:se/cret@h/db", "postgresql://…"),
        ("postgresql://ana:se#cret@h/db", "postgresql://…"),
        ("postgresql://h/db?options=secret@x", "postgresql://…"),
        ("${URL}", "${URL}"),
        ("${SCHEME}://ana:secret@h/db", "${SCHEME}://h/db"),
        ("file:///srv/a@b", "file:///srv/a@b"),
    ],
)
def test_shown(url: str, shown: str) -> None:
    assert safe(url) == shown


@settings(deadline=None)
@given(st.text(min_size=6, max_size=12, alphabet="qzjx/?#@:%&=;"), st.booleans())
def test_a_password_is_never_shown(password: str, in_query: bool) -> None:
    word = f"hunter{password}word"
    url = f"postgresql://h/db?password={word}" if in_query else f"postgresql://ana:{word}@h/db"
    assert "hunter" not in safe(url)
    assert "word" not in safe(url).replace("password", "")


def test_the_same_place() -> None:
    assert place("postgresql://ana@localhost/db") == place("postgresql://bob:x@127.0.0.1:5432/db")
    assert place("postgresql:///db?host=h&port=5433") == place("postgresql://h:5433/db")
    assert place("postgresql://h/a") != place("postgresql://h/b")
