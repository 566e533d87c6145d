"""The clock: notices once each in a real mail server, what follows, drift, and kills."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from domicile.cli.main import main
from domicile.errors import Stopped, StoreError
from domicile.estate.load import load_estate
from domicile.evidence.keys import SigningKey
from domicile.evidence.place import read_log, state_directory
from domicile.law.standing import read_standing
from domicile.watch.ledger import Ledger
from domicile.watch.notices import channels
from domicile.watch.run import Round, watch_once
from tests.conftest import ROOT
from tests.devices.mailbox import Mailbox, mailbox
from tests.watch.world import DEADLINE, KILLED, make_world


def look(estate: Path, day: date) -> Round:
    return watch_once(estate, day, channels(load_estate(estate)))


def subjects(box: Mailbox) -> list[str]:
    return [str(message["Subject"]) for message in box.messages]


def in_store(folder: Path, store: str) -> int:
    with closing(sqlite3.connect(folder / f"{store}.db")) as connection:
        return int(connection.execute("SELECT count(*) FROM orders").fetchone()[0])


def entries(estate: Path, kind: str) -> list[dict[str, object]]:
    reader = read_log(state_directory(estate))
    return [e for e in (reader.entry(n) for n in range(reader.size)) if e["kind"] == kind]


def test_from_forty_days_before_to_after(tmp_path: Path) -> None:
    """Each stage is told once, at the first look that reaches it."""
    with mailbox() as box:
        estate = make_world(tmp_path, box.port)
        told: list[tuple[int, str]] = []
        for left in (40, 32, 30, 28, 8, 6, 2, 0, -2, -3):
            before = len(box.messages)
            look(estate, DEADLINE - timedelta(days=left))
            told += [(left, subject) for subject in subjects(box)[before:]]
    rest = [(left, s) for left, s in told if "home/rest" in s]
    assert rest == [
        (30, "[shop] home/rest: due on 2026-09-01, 30 days left"),
        (6, "[shop] home/rest: due on 2026-09-01, 6 days left"),
        (0, "[shop] home/rest: due on 2026-09-01, 0 days left"),
        (-2, "[shop] home/rest: the deadline 2026-09-01 has passed"),
        (-2, "[shop] home/rest: waits for a plan to be approved"),
    ]
    assert [left for left, s in told if "home/look" in s] == [30, 6, 0, -2, -2]
    assert set(box.to) == {"privacy@shop.example"}
    assert in_store(tmp_path, "abroad") == 3  # nothing moved without an approval


def test_what_was_approved_in_advance_is_carried_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with mailbox() as box:
        estate = make_world(tmp_path, box.port)
        arguments = ["watch", "--estate", str(estate), "--approve", "home/rest"]
        assert main([*arguments, "--max-rows", "50", "--until", "2026-10-01"]) == 0
        assert "home/rest may be carried out" in capsys.readouterr().out
        found = look(estate, DEADLINE + timedelta(days=1))
        assert ("home/rest", "carried out: 3 rows") in found.consequences
        assert (in_store(tmp_path, "abroad"), in_store(tmp_path, "home")) == (1, 2)
        again = look(estate, DEADLINE + timedelta(days=2))
        assert again.consequences == ()
    (approval,) = entries(estate, "standing_approval")
    assert (approval["max_rows"], approval["until"]) == (50, "2026-10-01")
    assert {(e["clause"], e["what"]) for e in entries(estate, "consequence")} == {
        ("rest", "move"), ("look", "deny"),
    }  # fmt: skip
    standing = json.loads((tmp_path / ".domicile" / "standing.json").read_text("utf-8"))
    assert standing["closed"] == [
        {"mandate": "home", "clause": "look", "kind": "access", "what": "deny", "due": "2026-09-01"}
    ]


@pytest.mark.parametrize(
    ("rows", "until", "said"),
    [("2", "2026-10-01", "more than the 2 approved"), ("50", "2026-09-01", "to be approved")],
)
def test_over_the_cap_or_after_its_last_day_it_waits(
    tmp_path: Path, rows: str, until: str, said: str
) -> None:
    with mailbox() as box:
        estate = make_world(tmp_path, box.port)
        arguments = ["watch", "--estate", str(estate), "--approve", "home/rest"]
        assert main([*arguments, "--max-rows", rows, "--until", until]) == 0
        outcomes = dict(look(estate, DEADLINE + timedelta(days=3)).consequences)
        assert said in outcomes["home/rest"]
    assert in_store(tmp_path, "abroad") == 3


@pytest.mark.parametrize("name", ["estate.yaml", "mandates/home.yaml"])
def test_an_approval_is_for_what_was_declared(tmp_path: Path, name: str) -> None:
    """An estate or a mandate that changed since is not what was approved."""
    with mailbox() as box:
        estate = make_world(tmp_path, box.port)
        arguments = ["watch", "--estate", str(estate), "--approve", "home/rest", "--max-rows"]
        assert main([*arguments, "50", "--until", "2026-10-01"]) == 0
        text = (tmp_path / name).read_text("utf-8")
        changed = text.replace("Trust Inc", "Other Inc").replace("of US people", "of people")
        assert changed != text
        (tmp_path / name).write_text(changed, "utf-8")
        outcomes = dict(look(estate, DEADLINE + timedelta(days=1)).consequences)
        assert "changed since it was approved" in outcomes["home/rest"]
        assert in_store(tmp_path, "abroad") == 3
        assert main([*arguments, "50", "--until", "2026-10-01"]) == 0
        outcomes = dict(look(estate, DEADLINE + timedelta(days=2)).consequences)
        assert outcomes["home/rest"] == "carried out: 3 rows"
    first, second = entries(estate, "standing_approval")
    assert first["digest"] != second["digest"]


def test_rows_count_against_the_cap(tmp_path: Path) -> None:
    with mailbox() as box:
        estate = make_world(tmp_path, box.port)
        arguments = ["watch", "--estate", str(estate), "--approve", "home/rest", "--max-rows"]
        assert main([*arguments, "5", "--until", "2026-10-01"]) == 0
        ledger = Ledger(state_directory(estate))
        with ledger.transaction():
            ledger.use("home/rest", 3)  # as an earlier deadline of the clause would have
        outcomes = dict(look(estate, DEADLINE + timedelta(days=1)).consequences)
        assert outcomes["home/rest"] == "waits: 3 rows and 3 before, more than the 5 approved"
        with ledger.transaction():
            ledger.use("home/rest", -1)
        outcomes = dict(look(estate, DEADLINE + timedelta(days=2)).consequences)
        assert outcomes["home/rest"] == "carried out: 3 rows"
        assert ledger.approvals()["home/rest"].used == 5
        ledger.close()


def test_a_refused_plan_counts_no_rows(tmp_path: Path) -> None:
    """Refused before anything is begun, day after day, the cap stays whole."""
    with mailbox() as box:
        estate = make_world(tmp_path, box.port)
        arguments = ["watch", "--estate", str(estate), "--approve", "home/rest", "--max-rows"]
        mandate = tmp_path / "mandates" / "home.yaml"
        text = mandate.read_text("utf-8")
        mandate.write_text(text + "cosignatures: {need: 1}\n", "utf-8")
        written = estate.read_text("utf-8")
        key = SigningKey.generate("witness.example/w").verifier
        estate.write_text(written + f'witnesses: {{w: {{key: "{key}"}}}}\n', "utf-8")
        assert main([*arguments, "3", "--until", "2026-10-01"]) == 0
        outcomes = dict(look(estate, DEADLINE + timedelta(days=1)).consequences)
        assert "not carried out" in outcomes["home/rest"]
        ledger = Ledger(state_directory(estate))
        assert ledger.approvals()["home/rest"].used == 0
        ledger.close()


@pytest.mark.parametrize(
    ("old", "new"),
    [("deadline: 2026-09-01", "deadline: 2026-12-01"), ("otherwise: move", "otherwise: report"),
     ("status: voluntary", "status: proposed"), ("{id: rest,", "{id: stay,")],
)  # fmt: skip
def test_what_the_mandates_say_no_more_is_dropped(tmp_path: Path, old: str, new: str) -> None:
    """A deadline that was moved, another consequence, a clause that binds no more or is gone:
    nothing is moved, though it waited and is approved. Said again, it follows again."""
    day = DEADLINE + timedelta(days=3)
    with mailbox() as box:
        estate = make_world(tmp_path, box.port)
        mandate = tmp_path / "mandates" / "home.yaml"
        written = mandate.read_text("utf-8")
        assert ("home/rest", "waits for a plan to be approved") in look(estate, day).consequences
        mandate.write_text(written.replace(old, new), "utf-8")
        arguments = ["watch", "--estate", str(estate), "--approve", "home/rest"]
        main([*arguments, "--max-rows", "50", "--until", "2026-10-01"])
        found = look(estate, day).consequences
        assert ("home/rest", "superseded") in found
        assert in_store(tmp_path, "abroad") == 3
        assert "[shop] home/rest: superseded" in subjects(box)
        assert not [c for c in look(estate, day).consequences if c[1] == "superseded"]
        mandate.write_text(written, "utf-8")
        assert main([*arguments, "--max-rows", "50", "--until", "2026-10-01"]) == 0
        outcomes = dict(look(estate, day).consequences)
    if "otherwise" not in old:  # what another `otherwise` brought was told, and is done
        assert outcomes["home/rest"] == "carried out: 3 rows"


def test_every_goes_on_after_what_may_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A notice that was not taken and a store that is away are warned of; the third look is
    whole, and a declaration that is wrong ends it."""
    pauses: list[int] = []
    away = tmp_path / "away.db"

    def pause(seconds: int) -> None:
        pauses.append(seconds)
        if len(pauses) == 1:
            (tmp_path / "abroad.db").rename(away)
        elif len(pauses) == 2:
            away.rename(tmp_path / "abroad.db")
        else:
            estate.write_text("estate: [", encoding="utf-8")

    monkeypatch.setattr("domicile.cli.watch.time", SimpleNamespace(sleep=pause))
    with mailbox() as box:
        estate = make_world(tmp_path, box.port)
        text = (tmp_path / "mandates" / "home.yaml").read_text("utf-8")
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        (tmp_path / "mandates" / "home.yaml").write_text(
            text.replace("2026-09-01", yesterday.isoformat()), "utf-8"
        )
        box.answers.append("451 later")
        assert main(["watch", "--estate", str(estate), "--every", "1h"]) == 2
        assert any("home/rest" in subject for subject in subjects(box))
    assert pauses == [3600, 3600, 3600]
    assert capsys.readouterr().err.count("looking again in 1h") == 2


def test_a_duty_that_is_met_is_not_told(tmp_path: Path) -> None:
    with mailbox() as box:
        estate = make_world(tmp_path, box.port)
        with closing(sqlite3.connect(tmp_path / "abroad.db")) as connection:
            connection.execute("DELETE FROM orders WHERE person_id = 1")
            connection.execute("DELETE FROM person WHERE id = 1")
            connection.commit()
        look(estate, DEADLINE - timedelta(days=5))
        assert all("home/rest" not in subject for subject in subjects(box))


def test_drift_is_told_with_what_changed(tmp_path: Path) -> None:
    with mailbox() as box:
        estate = make_world(tmp_path, box.port)
        day = DEADLINE - timedelta(days=100)
        assert look(estate, day).changes == ()
        assert look(estate, day).changes == ()
        with closing(sqlite3.connect(tmp_path / "abroad.db")) as connection:
            connection.executescript(
                "CREATE TABLE lead (id INTEGER PRIMARY KEY, email TEXT);"
                "INSERT INTO lead VALUES (1, 'cas@example.org'), (2, 'dan@example.com');"
                "ALTER TABLE orders ADD COLUMN phone TEXT;"
                "INSERT INTO person VALUES (3, 'eva@example.org', 'US', '1980-01-01');"
                "UPDATE person SET country = 'DE' WHERE id = 2;"
            )
        changes = {(c.what, c.where): c.detail for c in look(estate, day).changes}
        (text,) = [str(m.get_content()) for m in box.messages]
    assert "user.contact.email" in changes["new_table", "abroad: app.lead"]
    assert ("new_column", "abroad: app.orders.phone") in changes
    came = changes["people_came", "abroad: person of US"]
    assert came == "1 person appeared, abroad in SG; now 2"
    moved = changes["moved_country", "abroad: person of DE"]
    assert moved == "1 person moved here from NL"
    assert "abroad: app.lead: this table is new, and holds user.contact.email" in text
    assert "example.org" not in text.replace("shop.example", "")
    (entry,) = entries(estate, "watch")
    assert entry["drift"] == len(changes)


def test_who_comes_of_age_is_seen(tmp_path: Path) -> None:
    with mailbox() as box:
        estate = make_world(tmp_path, box.port)
        look(estate, date(2026, 1, 10))
        # Eighteen on 15 September 2028; the deadline of the mandate is long past by then.
        changes = look(estate, date(2028, 9, 15)).changes
    assert [(c.what, c.where) for c in changes] == [("came_of_age", "abroad: person of NL")]


def test_a_server_that_is_away_loses_nothing(tmp_path: Path) -> None:
    with mailbox() as box:
        estate = make_world(tmp_path, box.port)
        box.answers += ["451 later", "250 OK", "451 later"]
        arguments = ["watch", "--once", "--estate", str(estate), "--as-of", "2026-08-30"]
        assert main(arguments) == 5
        assert len(box.messages) == 1
        assert main(arguments) == 5
        assert main(arguments) == 0
        assert len(box.messages) == 2
        assert main(arguments) == 0
        assert len(box.messages) == 2


@pytest.mark.faults
def test_killed_at_every_line_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    """A process is ended at each line of a round, and another goes on. A notice that was taken and
    not marked comes again under the same Message-ID: a mailbox keeps one."""
    day = DEADLINE + timedelta(days=1)
    with mailbox() as box:
        command = [sys.executable, "-m", "tests.watch.world", str(tmp_path), day.isoformat(),
                   str(box.port)]  # fmt: skip
        done = subprocess.run(
            command, cwd=ROOT, timeout=1200, check=True, capture_output=True, text=True
        )
        codes = [line.split() for line in done.stdout.splitlines()]
        sent = [(str(m["Subject"]), str(m["Message-ID"])) for m in box.messages]
    assert len(codes) >= 10
    assert codes == [[str(KILLED), "0"]] * (len(codes) - 1) + [["0", "0"]]
    for line in range(2, len(codes) + 2):
        shop = f"[shop{line}] home/"
        mine = [(subject, name) for subject, name in sent if shop in subject]
        assert sorted({subject.removeprefix(shop)[:18] for subject, _ in mine}) == [
            "look: deny", "look: the deadline", "rest: carried out:", "rest: the deadline",
        ]  # fmt: skip
        assert len(set(mine)) == 4
        assert len(mine) <= 5  # one kill, so at most one notice that nobody could know of
        folder = tmp_path / str(line)
        assert [each.name for each in read_standing(folder / ".domicile")] == ["home/look"]
        assert (in_store(folder, "abroad"), in_store(folder, "home")) == (1, 2)


def test_one_at_a_time(tmp_path: Path) -> None:
    import fcntl

    with mailbox() as box:
        estate = make_world(tmp_path, box.port)
        (tmp_path / ".domicile").mkdir()
        with (tmp_path / ".domicile" / "watch.lock").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            assert main(["watch", "--once", "--estate", str(estate)]) == 5


def test_a_lock_that_cannot_be_made_is_one_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    estate = make_world(tmp_path, 1)
    (tmp_path / ".domicile" / "watch.lock").mkdir(parents=True)
    assert main(["watch", "--once", "--estate", str(estate)]) == 5
    assert "watch.lock: Is a directory" in capsys.readouterr().err


def test_apply_without_standard_input_is_not_approved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    estate, plan = str(make_world(tmp_path, 1)), str(tmp_path / "plan.json")
    assert main(["plan", "--estate", estate, "-o", plan, "--as-of", "2026-10-01"]) == 0
    monkeypatch.setattr("sys.stdin", None)
    assert main(["apply", plan, "--estate", estate]) == 4
    assert "the plan was not approved" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [[], ["--once", "--every", "1h"], ["--every", "soon"],
     ["--every", "1h", "--as-of", "2026-08-30"], ["--approve", "home/rest"],
     ["--approve", "home/rst", "--max-rows", "1", "--until", "2026-10-01"],
     ["--approve", "home/look", "--max-rows", "1", "--until", "2026-10-01"]],
)  # fmt: skip
def test_wrong_options(tmp_path: Path, arguments: list[str]) -> None:
    estate = make_world(tmp_path, 25)
    assert main(["watch", "--estate", str(estate), *arguments]) == 2


def test_a_round_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with mailbox() as box:
        estate = make_world(tmp_path, box.port)
        arguments = ["watch", "--once", "--estate", str(estate), "--as-of", "2026-08-30", "--json"]
        assert main(arguments) == 0
    document = json.loads(capsys.readouterr().out)
    duty = document["duties"][0]
    assert (duty["clause"], duty["due"], duty["days_left"]) == ("look", "2026-09-01", 2)
    page = (ROOT / "docs" / "commands" / "watch.md").read_text(encoding="utf-8")
    assert all(f"`{key}`" in page for key in (*document, *duty))


def test_deadlines_do_not_wait_for_a_store(tmp_path: Path) -> None:
    """A store that is away ends the round with 3, after what needs no look is told and closed,
    and the rest is told by the last look."""
    away, here = tmp_path / "away.db", tmp_path / "abroad.db"
    with mailbox() as box:
        estate = make_world(tmp_path, box.port)
        look(estate, DEADLINE - timedelta(days=60))
        here.rename(away)
        for _ in range(2):
            with pytest.raises(StoreError, match="abroad"):
                look(estate, DEADLINE + timedelta(days=1))
        told = subjects(box)
        texts = [str(message.get_content()) for message in box.messages]
        away.rename(here)
        closed = read_standing(state_directory(estate))
        look(estate, DEADLINE + timedelta(days=1))
        here.rename(away)
        with pytest.raises(StoreError):
            look(estate, DEADLINE + timedelta(days=2))
        later = subjects(box)[len(told) :]
    assert told == [
        "[shop] home/look: the deadline 2026-09-01 has passed",
        "[shop] home/look: deny",
        "[shop] home/rest: the deadline 2026-09-01 has passed",
        "[shop] the stores cannot be looked at",
    ]
    assert "2 findings are open, as the stores were on 2026-07-03" in texts[2]
    assert "since the look of 2026-07-03: store abroad" in texts[3]
    assert [each.name for each in closed] == ["home/look"]
    assert later == [
        "[shop] home/rest: waits for a plan to be approved",
        "[shop] the stores cannot be looked at",
    ]


def test_what_only_a_look_shows_is_closed_in_the_same_round(tmp_path: Path) -> None:
    with mailbox() as box:
        estate = make_world(tmp_path, box.port)
        flow = "flows: [{from: app, to: Ads Inc, categories: [user], uses: [marketing]}]\n"
        estate.write_text(estate.read_text("utf-8") + flow, "utf-8")
        mandate = tmp_path / "mandates" / "home.yaml"
        ads = "  - {id: ads, use: {forbid: [marketing]}, otherwise: stop}\n"
        mandate.write_text(mandate.read_text("utf-8") + ads, "utf-8")
        found = look(estate, DEADLINE + timedelta(days=1))
    assert ("home/ads", "stop") in found.consequences
    closed = [each.name for each in read_standing(state_directory(estate))]
    assert closed == ["home/ads", "home/look"]


def test_before_the_first_look_nobody_knows(tmp_path: Path) -> None:
    with mailbox() as box:
        estate = make_world(tmp_path, box.port)
        (tmp_path / "abroad.db").unlink()
        with pytest.raises(StoreError):
            look(estate, DEADLINE - timedelta(days=5))
        texts = [str(message.get_content()) for message in box.messages]
    assert any("home/rest is due" in t and "could not be looked at" in t for t in texts)


def test_what_is_closed_is_shown_and_opens_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """check, plan, duties and verify read what the watch closed; what the mandates say no more is
    open again, at once for whoever reads and for good with the next round."""

    def closed(command: str) -> list[dict[str, str]]:
        day = ["--as-of", "2026-09-03"]
        assert main([command, "--estate", str(estate), *day, "--json"]) == 0
        found: list[dict[str, str]] = json.loads(capsys.readouterr().out)["closed"]
        return found

    look_line = {"mandate": "home", "clause": "look", "kind": "access", "what": "deny",
                 "due": "2026-09-01"}  # fmt: skip
    with mailbox() as box:
        estate = make_world(tmp_path, box.port)
        for command in ("check", "plan", "duties"):
            assert closed(command) == []
        look(estate, DEADLINE + timedelta(days=1))
        for command in ("check", "plan", "duties"):
            assert closed(command) == [look_line]
        assert main(["check", "--estate", str(estate), "--as-of", "2026-09-03"]) == 0
        assert "Closed since the deadline passed" in capsys.readouterr().out
        assert main(["verify", "--estate", str(estate), "--as-of", "2026-09-03", "--json"]) == 1
        checks = json.loads(capsys.readouterr().out)["checks"]
        (mine,) = [c for c in checks if c["name"] == "closed home.look"]
        assert (mine["status"], mine["detail"][:37]) == (
            "unknown", "deny since its deadline 2026-09-01: w",
        )  # fmt: skip
        mandate = tmp_path / "mandates" / "home.yaml"
        text = mandate.read_text("utf-8")
        mandate.write_text(text.replace("status: voluntary", "status: revoked"), "utf-8")
        assert closed("check") == []
        assert len(read_standing(state_directory(estate))) == 1
        found = look(estate, DEADLINE + timedelta(days=2))
        assert ("home/look", "superseded") in found.consequences
        assert read_standing(state_directory(estate)) == ()
        texts = [str(m.get_content()) for m in box.messages if "superseded" in m["Subject"]]
        assert any("deny followed, and is over" in each for each in texts)
        (state_directory(estate) / "standing.json").write_text('{"version": 1}', "utf-8")
        assert main(["check", "--estate", str(estate)]) == 2
        assert "what is closed cannot be read" in capsys.readouterr().err
        look(estate, DEADLINE + timedelta(days=2))
        assert closed("check") == []


def test_an_address_that_is_refused_keeps_others_from_nothing(tmp_path: Path) -> None:
    """Of several addresses one is refused: the other is told once, and the one is tried again. An
    address that is added later does not get what others got before it."""
    day = DEADLINE - timedelta(days=1)
    with mailbox() as box:
        estate = make_world(tmp_path, box.port)
        text = estate.read_text("utf-8")
        mandate = tmp_path / "mandates" / "home.yaml"
        mandate.write_text(mandate.read_text("utf-8").partition("  - {id: look")[0], "utf-8")

        def watchers(*names: str) -> None:
            listed = ", ".join(f"{name}@shop.example" for name in names)
            estate.write_text(text.replace("privacy@shop.example", listed), "utf-8")

        watchers("privacy", "board")
        box.unknown.add("board@shop.example")
        with pytest.raises(Stopped, match="refused by mail"):
            look(estate, day)
        assert box.to == ["privacy@shop.example"]
        with pytest.raises(Stopped):
            look(estate, day)
        assert box.to == ["privacy@shop.example"]
        box.unknown.clear()
        watchers("privacy", "board", "late")
        look(estate, day)
        assert box.to == ["privacy@shop.example", "board@shop.example"]
        look(estate, DEADLINE + timedelta(days=1))
        assert box.to[2:].count("late@shop.example") == 2  # it passed, and it waits for a plan
        assert len(box.to) == 2 + 3 * 2
