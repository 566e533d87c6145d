"""Stubs that nothing points at any more are taken away, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from domicile.cli.main import main
from domicile.evidence.place import read_log
from domicile.survey.state import State
from tests.apply.test_split import ESTATE, apply, place, planned, rows, sql, steps

__all__ = ["place"]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def moved(place: Path, capsys: Capture) -> Path:
    """Everything went home, with `joint: author`: comment 3 of Bea still points at video 1, and
    home has Bea and her video as stubs, for Amy's comment 2."""
    (place / "estate.yaml").write_text(ESTATE.replace("split", "author").format(keep=""))
    planned(capsys)
    apply()
    assert stubs(place) == {"abroad": ["video"], "texas": ["video"]}
    return place


def stubs(place: Path) -> dict[str, list[str]]:
    """The tables in which the state knows stubs, by store."""
    state = State(place / ".domicile")
    found = {s: sorted(state.stubbed(s)) for s in ("abroad", "texas")}
    state.close()
    return found


def test_the_last_pointer_was_deleted(moved: Path, capsys: Capture) -> None:
    sql(moved, "abroad", "DELETE FROM comment WHERE id = 3")
    plan = planned(capsys)
    assert [(s["op"], s["table"], s["from"], s["to"], s["rows"]) for s in plan["steps"]] == [
        ("remove_stub", "app.video", "abroad", None, 1)
    ]
    assert main(["verify", "--json"]) == 0
    assert "nothing points at 1 of them" in capsys.readouterr().out
    planned(capsys)
    apply()
    assert rows(moved, "abroad", "video") == [(2, 2, "of Bea")]
    assert stubs(moved) == {"abroad": [], "texas": ["video"]}
    said = [e for _, e in read_log(moved / ".domicile").entries() if e["kind"] == "batch"]
    assert (said[-1]["operation"], said[-1]["store"], said[-1]["rows"]) == (
        "remove_stub", "abroad", 1,
    )  # fmt: skip
    assert planned(capsys)["steps"] == []


def test_at_home_too(moved: Path, capsys: Capture) -> None:
    sql(moved, "texas", "DELETE FROM comment WHERE id = 2")
    assert [s["from"] for s in planned(capsys)["steps"]] == ["texas"]
    apply()
    assert [r[0] for r in rows(moved, "texas", "video")] == [1]
    assert planned(capsys)["steps"] == []


def test_a_plan_takes_the_last_pointer_away(moved: Path, capsys: Capture) -> None:
    """Bea moves to the US: her comment 3 goes home and the stub of video 1 has nothing left."""
    sql(moved, "abroad", "UPDATE person SET country = 'US' WHERE id = 2")
    plan = planned(capsys)
    assert steps(plan, "remove_stub") == [("app.video", None, 1)]
    apply()
    assert rows(moved, "abroad", "video") == []
    assert stubs(moved) == {"abroad": [], "texas": []}
    assert [r[2] for r in rows(moved, "texas", "video")] == ["of Amy", "of Bea"]
    assert planned(capsys)["steps"] == []


def test_one_that_is_pointed_at_again_stays(moved: Path, capsys: Capture) -> None:
    sql(moved, "abroad", "DELETE FROM comment WHERE id = 3")
    assert len(planned(capsys)["steps"]) == 1
    sql(moved, "abroad", "INSERT INTO comment VALUES (9, 2, 1, 'back', NULL, NULL)")
    apply()
    assert [r[0] for r in rows(moved, "abroad", "video")] == [1, 2]


def test_one_that_was_written_to_stays(moved: Path, capsys: Capture) -> None:
    sql(moved, "abroad", "DELETE FROM comment WHERE id = 3")
    sql(moved, "abroad", "UPDATE video SET title = 'mine now' WHERE id = 1")
    plan = planned(capsys)
    assert plan["steps"] == []
    assert [(h["table"], h["code"]) for h in plan["held"]] == [("app.video", "collision")]
    sql(moved, "abroad", "UPDATE video SET title = NULL WHERE id = 1")
    assert len(planned(capsys)["steps"]) == 1
    sql(moved, "abroad", "UPDATE video SET title = 'mine now' WHERE id = 1")
    apply()
    assert rows(moved, "abroad", "video")[0] == (1, None, "mine now")


def test_one_that_the_application_deleted_is_nobodys_row(moved: Path, capsys: Capture) -> None:
    """Nothing is planned for it, and the next apply forgets it."""
    sql(moved, "abroad", "DELETE FROM comment WHERE id = 3; DELETE FROM video WHERE id = 1")
    sql(moved, "texas", "DELETE FROM comment WHERE id = 2")
    assert [(s["op"], s["from"]) for s in planned(capsys)["steps"]] == [("remove_stub", "texas")]
    apply()
    assert stubs(moved) == {"abroad": [], "texas": []}


def test_one_in_doubt_stays(moved: Path, capsys: Capture) -> None:
    """A stub of a table of keys alone cannot be told from its row: only the state knows. While
    a transaction was to replace it, and nobody knows what became of that, it may be the row."""
    sql(moved, "abroad", "DELETE FROM comment WHERE id = 3")
    state = State(moved / ".domicile")
    with state.transaction():
        state.doubt_stubs("abroad", "video", [("1",)], "")
    state.close()
    assert planned(capsys)["steps"] == []


def test_a_copy_goes_when_nobody_here_needs_it(place: Path, capsys: Capture) -> None:
    """Amy's comment to Bea left a copy; then Bea goes too, with her video."""
    planned(capsys)
    apply()
    sql(place, "abroad", "UPDATE person SET country = 'US' WHERE id = 2")
    plan = planned(capsys)
    assert steps(plan, "remove_stub") == [
        ("app.comment", None, 1), ("app.person", None, 1), ("app.video", None, 1),
    ]  # fmt: skip
    apply()
    assert {t: rows(place, "abroad", t) for t in ("person", "video", "comment")} == {
        "person": [], "video": [], "comment": [],
    }  # fmt: skip
    assert planned(capsys)["steps"] == []
