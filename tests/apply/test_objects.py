"""Files go where their rows go: planned, carried out, verified; and what is left alone."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from domicile.apply import objects
from domicile.apply.refuse import Cap
from domicile.apply.run import apply_plan
from domicile.errors import DeclarationError, PlanRefused, Stopped, StoreRefused
from domicile.evidence.place import read_log
from domicile.stores.files_folder import Folder
from domicile.survey.objects_journal import ObjectsJournal
from domicile.survey.state import State
from tests.apply.objects import HOME, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def steps(plan: dict[str, Any], store: str = "media") -> list[tuple[Any, ...]]:
    return [
        (s["op"], s["table"], s["to"], s["subjects"], s["rows"], s["bytes"])
        for s in plan["steps"]
        if s["from"] == store
    ]


def held(plan: dict[str, Any], store: str = "media") -> list[tuple[str, int, str]]:
    return [(h["table"], h["rows"], h["code"]) for h in plan["held"] if h["store"] == store]


def unknown(plan: dict[str, Any], store: str = "media") -> str:
    return "; ".join(u["reason"] for u in plan["unknown"] if u["store"] == store)


def checks(verified: dict[str, Any]) -> dict[str, str]:
    return {c["name"]: c["status"] for c in verified["checks"]}


FILES_GO = "domicile.stores.files_folder.Folder.take"
ROWS_GO = "domicile.apply.run._carry_out"
"""Steps of apply at which a store may refuse."""


def stopped(world: World, plan: dict[str, Any], monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Apply a plan up to a step that a store refuses."""

    def refuse(*_: Any, **__: Any) -> None:
        raise StoreRefused("made up", "no")

    with monkeypatch.context() as patched:
        patched.setattr(step, refuse)
        with pytest.raises(StoreRefused):
            world.apply(plan)


def test_files_go_home_with_their_rows(world: World) -> None:
    world.declare({1: "US", 2: "NL", 3: "US", 4: None})
    for key, person in ((10, 1), (11, 1), (20, 2), (30, 3), (40, 4)):
        world.video(key, person)
    before = world.files("media")
    plan = world.plan()
    assert steps(plan) == [("move_files", "app.video", "media_us", 2, 3, 21)]
    curable = [f for f in plan["findings"] if f["store"] == "media" and f["state"] == "curable"]
    assert [(f["mandate"], f["clause"], f["subjects"], f["rows"]) for f in curable] == [
        ("home", "rest", 2, 3)
    ]
    assert "1 file of people of unknown residence" in unknown(plan)
    assert world.files("media") == before
    done = world.apply(plan)
    assert done["files"] == [
        {"store": "media", "to": "media_us", "table": "app.video", "files": 3, "bytes": 21}
    ]
    gone = ["videos/10.mp4", "videos/11.mp4", "videos/30.mp4"]
    assert world.names("media_us") == gone
    assert world.files("media_us") == {p: before[p] for p in gone}
    assert world.names("media") == ["videos/20.mp4", "videos/40.mp4"]
    assert (world.ids("app"), world.ids("home")) == ([20, 40], [10, 11, 30])
    assert world.plan()["steps"] == []
    verified = world.verify()
    assert verified["ok"]
    assert checks(verified)["carried media_us"] == "ok"
    assert checks(verified)["rest media"] == "ok"
    nature = [c["name"] for c in verified["checks"] if c["name"].startswith("by nature media:")]
    assert len(nature) == 4


def test_files_without_a_row_and_rows_without_a_file_are_named(world: World) -> None:
    world.declare({1: "US", 2: "NL"})
    world.video(10, 1, None)
    world.video(20, 2, None)
    world.video(21, 2)
    world.put("videos/99.mp4", b"nobody's")
    world.put("old/thing.txt", b"?")
    (world.root / "media/link.mp4").symlink_to("/etc/hostname")
    plan = world.plan()
    assert steps(plan) == []
    said = unknown(plan)
    assert "1 file that no row names, though a key of `objects` fits" in said
    assert "1 file that no key of `objects` fits" in said
    assert "1 symbolic link:" in said
    assert "2 rows name files of videos/{app.video.id}.mp4 that no folder has" in unknown(
        plan, "app"
    )
    before = world.files("media")
    world.apply(plan)
    assert world.files("media") == before
    assert world.ids("home") == [10]  # a row whose file is nowhere is not held for it
    mapped = world.map()
    codes = [u["code"] for u in mapped["unknown"] if u["code"] in ("missing", "orphan")]
    assert sorted(codes) == ["missing", "missing", "orphan", "orphan", "orphan"]
    media = next(f for f in mapped["files"] if f["name"] == "media")
    assert (media["files"], media["country"]) == (3, "SG")
    assert media["files_by_residence"] == [{"residence": "NL", "whose": "known", "files": 1}]


def test_without_a_home_for_the_file_both_stay(world: World) -> None:
    world.declare({1: "US"}, more="")
    world.video(10, 1)
    world.video(11, 1, None)
    plan = world.plan()
    assert held(plan) == [("app.video", 1, "no home")]
    assert ("app.video", 1, "file") in held(plan, "app")
    world.apply(plan)
    assert (world.ids("app"), world.ids("home")) == ([10], [11])
    assert world.names("media") == ["videos/10.mp4"]
    verified = world.verify()
    assert verified["ok"]
    assert not verified["clean"]


def test_another_file_at_home_under_the_same_name_holds_both(world: World) -> None:
    world.declare({1: "US"})
    for key in (10, 11, 12):
        world.video(key, 1)
    world.sql("app", "INSERT INTO remark VALUES (1, 10, 'x'), (2, 11, 'y')")
    world.put("videos/10.mp4", b"another", "media_us")  # of another size
    world.put("videos/11.mp4", b"film XX", "media_us")  # of the same size
    world.put("videos/12.mp4", b"film 12", "media_us")  # the same bytes
    plan = world.plan()
    assert held(plan) == [("app.video", 2, "collision")]
    assert ("app.video", 2, "file") in held(plan, "app")
    assert ("app.remark", 2, "file") in held(plan, "app")
    assert steps(plan) == [("move_files", "app.video", "media_us", 1, 1, 7)]
    world.apply(plan)
    assert (world.ids("app"), world.ids("home")) == ([10, 11], [12])
    assert world.ids("app", "remark") == [1, 2]
    assert world.names("media") == ["videos/10.mp4", "videos/11.mp4"]
    assert (world.root / "media_us/videos/10.mp4").read_bytes() == b"another"
    assert world.names("media_us") == ["videos/10.mp4", "videos/11.mp4", "videos/12.mp4"]


def test_a_file_that_two_rows_name_is_joint(world: World) -> None:
    world.declare({1: "US", 2: "NL", 3: "US"}, rules=('{store: media, key: "f/{app.video.name}"}',))
    for key, person, name in (
        (10, 1, "mixed"), (20, 2, "mixed"), (11, 1, "ours"), (30, 3, "ours"), (21, 2, "theirs"),
    ):  # fmt: skip
        world.video(key, person, None, name=name)
    for name in ("mixed", "ours", "theirs"):
        world.put(f"f/{name}", name.encode())
    plan = world.plan()
    assert held(plan) == [("app.video", 1, "joint")]
    assert steps(plan) == [("move_files", "app.video", "media_us", 2, 1, 4)]
    world.apply(plan)
    assert world.names("media") == ["f/mixed", "f/theirs"]
    assert world.names("media_us") == ["f/ours"]
    assert (world.ids("app"), world.ids("home")) == ([10, 20, 21], [11, 30])


def test_two_keys_and_other_tables_name_files(world: World) -> None:
    world.declare({1: "US", 2: "NL"}, rules=(
        '{store: media, key: "videos/{app.video.id}/{app.video.name}"}',
        '{store: media, key: "thumbs/{app.video.id}.jpg"}',
        '{store: media, key: "avatars/{app.person.avatar}"}',
    ))  # fmt: skip
    for key, person in ((10, 1), (20, 2)):
        world.video(key, person, None, name="the film.mp4")
        world.put(f"videos/{key}/the film.mp4", b"film")
        world.put(f"thumbs/{key}.jpg", b"thumb")
        world.sql(
            "app", "UPDATE person SET avatar = ? WHERE id = ?", (f"2026/{person}.png", person)
        )
        world.put(f"avatars/2026/{person}.png", b"face")
    plan = world.plan()
    assert steps(plan) == [
        ("move_files", "app.person", "media_us", 1, 1, 4),
        ("move_files", "app.video", "media_us", 2, 2, 9),
    ]
    world.apply(plan)
    assert world.names("media_us") == [
        "avatars/2026/1.png",
        "thumbs/10.jpg",
        "videos/10/the film.mp4",
    ]
    assert world.names("media") == ["avatars/2026/2.png", "thumbs/20.jpg", "videos/20/the film.mp4"]
    # A folder's name may be a row's key: it goes when it is empty, the key's own parts stay.
    assert not (world.root / "media/videos/10").exists()


def test_erased_rows_take_their_files_with_them(world: World) -> None:
    world.declare({1: "US", 2: "NL"}, otherwise="erase")
    for key, person in ((10, 1), (20, 2)):
        world.video(key, person)
    plan = world.plan()
    assert steps(plan) == [("erase_files", "app.video", None, 1, 1, 7)]
    done = world.apply(plan)
    assert done["files"] == [
        {"store": "media", "to": None, "table": "app.video", "files": 1, "bytes": 7}
    ]
    assert world.names("media") == ["videos/20.mp4"]
    assert world.names("media_us") == []
    assert (world.ids("app"), world.ids("home")) == ([20], [])
    assert world.plan()["steps"] == []


def test_a_legal_hold_stops_the_erasure_of_files_too(world: World) -> None:
    hold = "legal_holds: [{name: case, reason: Art. 17(3)(e) GDPR, tables: [app.video]}]"
    world.declare({1: "US"}, otherwise="erase", extra=hold)
    world.video(10, 1)
    plan = world.plan()
    assert held(plan) == [("app.video", 1, "legal hold")]
    world.apply(plan)
    assert world.names("media") == ["videos/10.mp4"]
    assert world.ids("app") == [10]


def test_rows_that_may_stay_have_files_that_may_not(world: World) -> None:
    """The database is where it should be, the folder is not: the files go alone."""
    world.declare({1: "US", 2: "NL"})
    world.sql("home", "INSERT INTO person VALUES (1, 'p1@example.org', 'US', NULL)")
    world.sql("app", "DELETE FROM person WHERE id = 1")
    world.video(10, 1, store="home")
    world.video(20, 2)
    plan = world.plan()
    assert steps(plan) == [("move_files", "app.video", "media_us", 1, 1, 7)]
    assert not steps({"steps": [{**s, "bytes": 0} for s in plan["steps"]]}, "home")
    world.apply(plan)
    assert world.names("media_us") == ["videos/10.mp4"]
    assert world.names("media") == ["videos/20.mp4"]


def test_a_held_row_keeps_its_file(world: World) -> None:
    world.declare({1: "US", 2: "NL"})
    world.video(10, 1, other=2)  # about two people whose verdicts differ
    world.video(11, 1)
    world.sql("home", "INSERT INTO person VALUES (9, 'x@example.org', 'US', NULL)")
    world.sql("home", "INSERT INTO video VALUES (11, 9, 'another', NULL)")  # a collision of rows
    plan = world.plan()
    assert sorted(held(plan)) == [("app.video", 1, "joint"), ("app.video", 1, "row")]
    world.apply(plan)
    assert world.names("media") == ["videos/10.mp4", "videos/11.mp4"]
    assert world.names("media_us") == []


def test_a_plan_for_files_of_others_is_refused(world: World) -> None:
    """The rows are home already, so only the folder tells that somebody else is meant now."""
    world.declare({2: "NL"})
    for key, country in ((1, "US"), (3, "NL")):
        world.sql("home", "INSERT INTO person VALUES (?, ?, ?, NULL)",
                  (key, f"p{key}@example.org", country))  # fmt: skip
        world.video(key * 10, key, store="home")
    plan = world.plan()
    assert [p["people"] for p in plan["people"] if p["store"] == "media"] == [1]
    world.sql("home", "UPDATE person SET country = CASE id WHEN 1 THEN 'NL' ELSE 'US' END")
    with pytest.raises(PlanRefused, match=r"store media: .* as many, but others"):
        world.apply(plan)
    assert world.names("media_us") == []
    world.apply(world.plan())
    assert world.names("media_us") == ["videos/30.mp4"]


# Names.


def test_a_row_whose_value_leads_out_of_the_folder_names_nothing(world: World) -> None:
    world.declare({1: "US"}, rules=('{store: media, key: "{app.video.name}"}',))
    outside = world.put("secret.mp4", b"not a person's", ".")
    for key, name in enumerate(
        ("../secret.mp4", "x/../../secret.mp4", str(outside), "//x", "./a.mp4", "", "a\0b",
         "..", "%2e%2e/secret.mp4", "..\\secret.mp4", "inside.mp4"), 10,
    ):  # fmt: skip
        world.video(key, 1, None, name=name)
    world.put("inside.mp4", b"film")
    world.put("a.mp4", b"film")
    plan = world.plan()
    assert steps(plan) == [("move_files", "app.video", "media_us", 1, 1, 4)]
    assert "by a name that is no place in a folder" in unknown(plan, "app")
    world.apply(plan)
    assert outside.read_bytes() == b"not a person's"
    assert world.names("media") == ["a.mp4"]
    assert world.names("media_us") == ["inside.mp4"]


@pytest.mark.parametrize(
    "name", ["ünï ☃ 𝄞.mp4", "a'b\"c;--.mp4", "50%_.mp4", "line\nbreak.mp4", "*?[x].mp4", "-rf.mp4"]
)
def test_odd_names_are_names(world: World, name: str) -> None:
    world.declare({1: "US"}, rules=('{store: media, key: "v/{app.video.name}"}',))
    world.video(10, 1, None, name=name)
    world.put(f"v/{name}", b"film")
    world.put("v/other.mp4", b"other")
    world.apply()
    assert world.names("media_us") == [f"v/{name}"]
    assert world.names("media") == ["v/other.mp4"]


def test_a_name_in_another_form_of_unicode_is_the_same_unless_two_files_could_be_meant(
    world: World,
) -> None:
    world.declare({1: "US"}, rules=('{store: media, key: "{app.video.name}"}',))
    composed, decomposed = "caf\u00e9.mp4", "cafe\u0301.mp4"
    world.video(10, 1, None, name=composed)
    world.put(decomposed, b"film")
    assert steps(world.plan()) == [("move_files", "app.video", "media_us", 1, 1, 4)]
    world.put(composed, b"the other")  # now the name is one file's own
    assert steps(world.plan()) == [("move_files", "app.video", "media_us", 1, 1, 9)]
    world.apply()
    assert world.names("media") == [decomposed]
    assert world.names("media_us") == [composed]


def test_a_column_that_is_not_there_is_named_with_its_key(world: World) -> None:
    world.declare({1: "US"}, rules=('{store: media, key: "{app.video.nmae}"}',))
    with pytest.raises(DeclarationError, match=r"no column nmae in app\.video") as caught:
        world.plan()
    assert caught.value.key == "objects[0].key"


# Others write meanwhile.


def at(
    monkeypatch: pytest.MonkeyPatch, owner: type, method: str, act: Callable[[], object]
) -> None:
    """Do something once, right before a method is called for the first time."""
    real = getattr(owner, method)
    waiting = [act]

    def first(*args: Any, **kwargs: Any) -> Any:
        if waiting:
            waiting.pop()()
        return real(*args, **kwargs)

    monkeypatch.setattr(owner, method, first)


@pytest.mark.parametrize("method", ["receive", "settle", "take"])
def test_a_file_rewritten_meanwhile_goes_as_it_is_in_the_end(
    world: World, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    world.declare({1: "US"})
    world.video(10, 1)
    plan = world.plan()
    at(monkeypatch, Folder, method, lambda: world.put("videos/10.mp4", b"rewritten"))
    world.apply(plan)
    assert (world.root / "media_us/videos/10.mp4").read_bytes() == b"rewritten"
    assert world.names("media") == []
    assert world.ids("home") == [10]


def test_a_file_that_is_always_being_written_holds_its_own_row_only(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.declare({1: "US", 3: "US"})
    world.video(10, 1)
    world.video(30, 3)
    plan = world.plan()
    real = Folder.receive

    def receive(this: Folder, source: Folder, path: str, seen: Any) -> Any:
        if path == "videos/10.mp4":
            with (world.root / "media" / path).open("ab") as file:
                file.write(b"more")
        return real(this, source, path, seen)

    monkeypatch.setattr(Folder, "receive", receive)
    with pytest.raises(Stopped, match="changed while being moved"):
        world.apply(plan)
    assert (world.ids("app"), world.ids("home")) == ([10], [30])
    assert world.names("media_us") == ["videos/30.mp4"]
    assert world.names("media") == ["videos/10.mp4"]
    monkeypatch.setattr(Folder, "receive", real)
    world.apply(plan)
    assert (world.ids("app"), world.ids("home")) == ([], [10, 30])
    assert world.names("media") == []


def test_a_file_that_is_open_for_writing_stays_until_it_is_closed(world: World) -> None:
    world.declare({1: "US"})
    world.video(10, 1)
    plan = world.plan()
    with (world.root / "media/videos/10.mp4").open("ab") as file:
        with pytest.raises(Stopped):
            world.apply(plan)
        file.write(b", and its end")
    world.apply(plan)
    assert (world.root / "media_us/videos/10.mp4").read_bytes() == b"film 10, and its end"
    assert world.names("media") == []


def test_a_file_put_at_home_meanwhile_is_not_overwritten(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.declare({1: "US", 3: "US"})
    world.video(10, 1)
    world.video(30, 3)
    plan = world.plan()
    at(monkeypatch, Folder, "settle",
       lambda: world.put("videos/10.mp4", b"the application's", "media_us"))  # fmt: skip
    world.apply(plan)
    assert (world.root / "media_us/videos/10.mp4").read_bytes() == b"the application's"
    assert world.names("media") == ["videos/10.mp4"]
    assert (world.ids("app"), world.ids("home")) == ([10], [30])


# Half-way.


def test_a_stop_after_the_copy_is_resumed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.declare({1: "US"})
    world.video(10, 1)
    plan = world.plan()
    stopped(world, plan, monkeypatch, FILES_GO)
    assert world.names("media") == world.names("media_us") == ["videos/10.mp4"]
    assert world.ids("home") == [10]
    verified = world.verify()
    assert [c["name"] for c in verified["checks"] if c["status"] == "failed"] == [
        "rest media home.rest", "purge app",
    ]  # fmt: skip
    world.apply(plan)
    assert world.names("media") == []
    assert world.verify()["ok"]


def test_a_stop_before_the_files_of_erased_rows_went_is_resumed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.declare({1: "US"}, otherwise="erase")
    world.video(10, 1)
    plan = world.plan()
    stopped(world, plan, monkeypatch, FILES_GO)
    assert world.ids("app") == []
    assert world.names("media") == ["videos/10.mp4"]  # nothing but the journal knows whose it was
    assert checks(world.verify())["erase media"] == "failed"
    world.apply(plan)
    assert world.names("media") == []
    assert world.verify()["ok"]


def test_another_file_that_came_to_the_name_of_an_erased_one_stays(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.declare({1: "US"}, otherwise="erase")
    world.video(10, 1)
    plan = world.plan()
    stopped(world, plan, monkeypatch, FILES_GO)
    (world.root / "media/videos/10.mp4").unlink()
    world.put("videos/10.mp4", b"of somebody new, whose row comes in a moment")
    world.apply(plan)
    assert world.names("media") == ["videos/10.mp4"]


def test_a_file_that_the_home_had_by_itself_is_never_taken_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.declare({1: "US", 3: "US"})
    world.video(10, 1)
    world.video(30, 3)
    mirrored = world.root / "media_us/videos/10.mp4"
    mirrored.parent.mkdir(parents=True, exist_ok=True)
    mirrored.write_bytes((world.root / "media/videos/10.mp4").read_bytes())
    plan = world.plan()
    stopped(world, plan, monkeypatch, ROWS_GO)
    world.sql("app", "UPDATE person SET country = 'NL' WHERE id = 1")  # moved house
    world.apply(plan)
    assert world.names("media_us") == ["videos/10.mp4", "videos/30.mp4"]
    assert world.names("media") == ["videos/10.mp4"]


def test_a_copy_of_what_stays_after_all_is_taken_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.declare({1: "US", 3: "US"})
    world.video(10, 1)
    world.video(30, 3)
    plan = world.plan()
    stopped(world, plan, monkeypatch, ROWS_GO)
    assert world.names("media_us") == ["videos/10.mp4", "videos/30.mp4"]
    world.sql("app", "UPDATE person SET country = 'NL' WHERE id = 1")  # moved house
    world.apply(plan)
    assert world.names("media_us") == ["videos/30.mp4"]
    assert world.names("media") == ["videos/10.mp4"]


def test_disk_full_at_home_leaves_everything_where_it_was(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.declare({1: "US"})
    world.video(10, 1)
    plan = world.plan()

    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("domicile.stores.files_folder.os.write", full)
        with pytest.raises(StoreRefused, match="No space left") as caught:
            world.apply(plan)
    assert "make room" in str(caught.value)
    assert world.names("media_us") == []
    assert world.ids("app") == [10]
    world.apply(plan)
    assert world.names("media_us") == ["videos/10.mp4"]


def test_what_does_not_read_back_as_it_was_sent_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.declare({1: "US"})
    world.video(10, 1)
    plan = world.plan()
    with monkeypatch.context() as patched:
        real = os.write
        patched.setattr(
            "domicile.stores.files_folder.os.write",
            lambda fd, piece: real(fd, b"X" * len(piece)),
        )
        with pytest.raises(StoreRefused, match="not what was written"):
            world.apply(plan)
    assert (world.ids("app"), world.names("media"), world.names("media_us")) == (
        [10], ["videos/10.mp4"], [],
    )  # fmt: skip


def test_the_cap_counts_files(world: World) -> None:
    world.declare({1: "US"})
    for key in range(10, 20):
        world.video(key, 1)
    plan = world.plan()
    with pytest.raises(PlanRefused, match="21 rows would be touched"):
        apply_plan(plan, world.estate, cap=Cap(20), approved=lambda: True)
    assert world.names("media_us") == []
    apply_plan(plan, world.estate, cap=Cap(21), approved=lambda: True)


# What is left behind to believe it by.


def test_the_log_holds_counts_and_digests_and_no_name_of_a_file(world: World) -> None:
    world.declare({1: "US"}, rules=('{store: media, key: "v/{app.video.name}"}',))
    for key in (10, 11):
        world.video(key, 1, None, name=f"holiday-of-amy-{key}.mp4")
        world.put(f"v/holiday-of-amy-{key}.mp4", f"film {key}".encode())
    world.apply()
    entries = [e for _, e in read_log(world.root / ".domicile").entries()]
    batches = [
        e for e in entries if e["kind"] == "batch" and "media" in (e.get("from"), e.get("store"))
    ]
    lines = "".join(
        f"sha256:{d}\n"
        for d in sorted(hashlib.sha256(f"film {k}".encode()).hexdigest() for k in (10, 11))
    )
    digest = "sha256:" + hashlib.sha256(lines.encode()).hexdigest()
    assert [(b["operation"], b["rows"], b["bytes"]) for b in batches] == [
        ("move", 2, 14), ("erase", 2, 14)
    ]  # fmt: skip
    assert (batches[0]["digest"], batches[0]["read_back"]) == (digest, digest)
    done = [e for e in entries if e["kind"] == "step" and e.get("from") == "media"]
    assert [(e["operation"], e["outcome"], e["rows"], e["to"]) for e in done] == [
        ("move", "done", 2, "media_us")
    ]
    assert "amy" not in json.dumps(entries)
    assert world.verify()["ok"]


def test_verify_sees_files_at_home_that_rot_or_are_lost(world: World) -> None:
    world.declare({1: "US"})
    for key in (10, 11, 12, 13):
        world.video(key, 1)
    world.apply()
    home = world.root / "media_us/videos"
    at_10 = (home / "10.mp4").stat()
    with (home / "10.mp4").open("r+b") as file:
        file.write(b"FILM")
    os.utime(home / "10.mp4", ns=(at_10.st_mtime_ns, at_10.st_mtime_ns))  # nobody wrote it
    (home / "11.mp4").unlink()
    (home / "12.mp4").write_bytes(b"a new cut")  # the application's right
    said = next(c for c in world.verify()["checks"] if c["name"] == "carried media_us")
    assert said["status"] == "failed"
    assert "1 file has other bytes" in said["detail"]
    assert "1 file that was carried here is gone" in said["detail"]
    (home / "10.mp4").write_bytes(b"film 10 anew")
    world.sql("home", "DELETE FROM video WHERE id = 11")
    said = next(c for c in world.verify()["checks"] if c["name"] == "carried media_us")
    assert said["status"] == "ok"
    assert "1 file has the SHA-256 that they left with; 2 were written since" in said["detail"]
    assert "1 is gone, and no row names them" in said["detail"]


def test_many_files_go_in_batches(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "BATCH_FILES", 7)
    world.declare({1: "US", 2: "NL"})
    for key in range(100, 140):
        world.video(key, 1 + key % 2)
    world.apply()
    assert world.names("media_us") == [f"videos/{k}.mp4" for k in range(100, 140, 2)]
    assert world.names("media") == [f"videos/{k}.mp4" for k in range(101, 140, 2)]
    state = State(world.root / ".domicile")
    assert len(list(ObjectsJournal(state).at("moved"))) == 20
    state.close()


def test_two_folders_that_are_one_place_are_refused(world: World) -> None:
    link = HOME.replace("file:media_us", "file:media_link")
    world.declare({1: "US"}, more=link)
    (world.root / "media_link").symlink_to(world.root / "media")
    with pytest.raises(DeclarationError, match="the same place"):
        world.plan()
