"""Inventories become standings, whole or not at all; what changed is in the log."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domicile.devices.ban import Ban
from domicile.devices.inventory.base import CursorEnded, Page
from domicile.devices.model import ClauseKey, Device
from domicile.devices.record import STAGED_SECONDS, DeviceRecord
from domicile.devices.sync import sync
from domicile.devices.view import explained, listed, shown
from domicile.errors import FleetError, Stopped, UsageError
from domicile.estate.model import Fleet
from domicile.evidence import place
from domicile.evidence.verify import fsck
from tests.devices.made import DEADLINE, MANDATE, TIKTOK, write_estate

KEY = ClauseKey("ban", "remove")
DAY = timedelta(days=1)
BEFORE, AFTER = DEADLINE - DAY, DEADLINE + DAY


def phone(number: int, **fields: Any) -> Device:
    return replace(
        Device("phones", f"d{number}", f"phone {number}", aliases=(f"alias-{number}",),
               owners=(f"user{number}@example.org",), ownership="corporate", platform="ios",
               scope="all", seen=BEFORE),
        **fields,
    )  # fmt: skip


class Source:
    """An inventory of pages that a test makes; it may stop at a page, and forgets cursors."""

    def __init__(self, *pages: list[Device]) -> None:
        self.list = list(pages)
        self.hits: list[tuple[str, ClauseKey, str]] = []
        self.stops_at = -1
        self.forgets = False
        self.read: list[int] = []

    def open(self, fleet: Fleet, ban: Ban) -> Source:
        return self

    def pages(self, cursor: str) -> Iterator[Page]:
        if cursor and self.forgets:
            raise CursorEnded
        for number in range(int(cursor or 0), len(self.list)):
            if number == self.stops_at:
                raise Stopped("gone away")
            self.read.append(number)
            last = number == len(self.list) - 1
            yield Page(
                self.list[number], self.hits if last else (), "" if last else f"{number + 1}"
            )


def run(file: Path, source: Source, now: datetime = AFTER) -> dict[str, Any]:
    document = sync(file, now=now, opened=source.open)
    (fleet,) = document["fleets"]
    return {**fleet, "clock_set_back": document["clock_set_back"]}


def entries(file: Path, kind: str) -> list[dict[str, Any]]:
    log = place.read_log(place.state_directory(file))
    return [entry for _, entry in log.entries(0, None) if entry["kind"] == kind]


def test_changes_are_recorded_once_and_access_comes_back(tmp_path: Path) -> None:
    file = write_estate(tmp_path)
    source = Source([phone(1, hits={KEY: TIKTOK}), phone(2)])
    first = run(file, source, BEFORE)
    assert (first["present"], first["absent"], first["refused"], first["changed"]) == (1, 1, 0, 2)
    assert run(file, source, BEFORE)["changed"] == 0
    after = run(file, source)
    assert (after["changed"], after["refused"], after["restored"]) == (1, 1, 0)
    source.list = [[phone(1, seen=AFTER), phone(2, seen=AFTER)]]
    assert run(file, source)["restored"] == 1
    said = [(e["reason"], e["allowed"], e.get("before"), e["devices"])
            for e in entries(file, "device_standing")]  # fmt: skip
    assert sorted(said[:2]) == [("absent", True, None, 1), ("before_deadline", True, None, 1)]
    assert said[2:] == [("present", False, True, 1), ("absent", True, False, 1)]
    commitment = place.open_commitments(place.state_directory(file), use="device").person(
        "device", "phones\nd1"
    )
    assert all(commitment in e["commitments"] for e in entries(file, "device_standing")[2:])
    key = place.read_log(place.state_directory(file)).verifier
    assert fsck(place.evidence_directory(place.state_directory(file)), key) == []
    history = shown(file, "d1", now=AFTER)["history"]
    assert [each["reason"] for each in history] == ["before_deadline", "present", "absent"]


def test_half_an_inventory_is_never_taken_for_one(tmp_path: Path) -> None:
    file = write_estate(tmp_path)
    run(file, Source([phone(1, hits={KEY: TIKTOK}), phone(2)]))
    known = listed(file, now=AFTER)["devices"]
    source = Source([phone(1)], [phone(2)], [phone(3)])
    source.stops_at = 1
    with pytest.raises(Stopped):
        run(file, source, AFTER + DAY)
    assert listed(file, now=AFTER)["devices"] == known
    source.stops_at = -1
    done = run(file, source, AFTER + DAY)
    assert source.read == [0, 1, 2]  # the first page was not asked for again
    assert (done["devices"], done["resumed"]) == (3, True)


@pytest.mark.parametrize("why", ["forgotten", "old", "other ban"])
def test_a_run_that_cannot_go_on_begins_anew(tmp_path: Path, why: str) -> None:
    file = write_estate(tmp_path)
    source = Source([phone(1)], [phone(2)])
    source.stops_at = 1
    with pytest.raises(Stopped):
        run(file, source)
    source.stops_at, source.forgets = -1, why == "forgotten"
    if why == "other ban":
        write_estate(tmp_path, mandate=MANDATE.replace("titles: [TikTok]", "titles: [Other]"))
    when = AFTER + timedelta(seconds=STAGED_SECONDS + 1) if why == "old" else AFTER
    done = run(file, source, when)
    assert source.read == [0, 0, 1]
    assert (done["devices"], done["resumed"]) == (2, False)


def test_hits_are_joined_and_one_on_an_unlisted_device_is_not_lost(tmp_path: Path) -> None:
    file = write_estate(tmp_path)
    source = Source([phone(1)], [phone(1), phone(2)])  # a page that comes twice
    source.hits = [("d2", KEY, TIKTOK), ("late", KEY, TIKTOK)]
    assert run(file, source)["devices"] == 3
    found = {d["id"]: (d["verdict"], d["allowed"], d["owners"])
             for d in listed(file, now=AFTER)["devices"]}  # fmt: skip
    assert found == {
        "d1": ("absent", True, ["user1@example.org"]),
        "d2": ("present", False, ["user2@example.org"]),
        "late": ("present", False, []),
    }


def test_a_device_that_leaves_its_inventory_is_refused_until_it_is_back(tmp_path: Path) -> None:
    file = write_estate(tmp_path)
    run(file, Source([phone(1), phone(2)]))
    done = run(file, Source([phone(2)]))
    assert (done["gone"], done["refused"]) == (1, 1)
    assert run(file, Source([phone(2)]))["changed"] == 0
    with pytest.raises(UsageError, match="no longer in its inventory"):
        explained(file, "d1")
    assert run(file, Source([phone(1), phone(2)]))["restored"] == 1


def test_an_inventory_that_is_suddenly_empty_changes_nothing(tmp_path: Path) -> None:
    file = write_estate(tmp_path)
    assert run(file, Source([]))["devices"] == 0
    run(file, Source([phone(1)]))
    with pytest.raises(FleetError, match="got no devices, where 1 are known"):
        run(file, Source([]))
    assert len(listed(file, now=AFTER)["devices"]) == 1


def test_a_clock_that_is_set_back_does_not_undo_the_deadline(tmp_path: Path) -> None:
    file = write_estate(tmp_path)
    source = Source([phone(1, hits={KEY: TIKTOK})])
    run(file, source)
    back = run(file, source, BEFORE)
    assert (back["clock_set_back"], back["changed"], back["restored"]) == (True, 0, 0)
    assert not explained(file, "d1", now=BEFORE)["allowed"]


def test_the_file_is_its_owners_only_and_holds_no_other_app(tmp_path: Path) -> None:
    file = write_estate(tmp_path)
    (tmp_path / "phones.csv").write_text(
        "id,owner,platform,scope,seen,app\n"
        f"d1,ana,ios,all,2023-03-14,{TIKTOK}\nd1,ana,ios,all,2023-03-14,com.grindr\n"
    )
    sync(file, now=AFTER)
    state = place.state_directory(file)
    assert (state / "devices.sqlite").stat().st_mode & 0o777 == 0o600
    kept = b"".join(path.read_bytes() for path in state.rglob("*") if path.is_file())
    assert TIKTOK.encode() in kept
    assert b"grindr" not in kept
    published = place.evidence_directory(state)
    logged = b"".join(path.read_bytes() for path in published.rglob("*") if path.is_file())
    assert b"ana" not in logged.replace(b"mandate", b"")
    assert b"d1" not in logged.split(b"commitments")[0]


def test_a_failed_write_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_estate(tmp_path)
    run(file, Source([phone(1), phone(2)]))

    def broken(self: DeviceRecord, *arguments: object) -> None:
        raise sqlite3.OperationalError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(DeviceRecord, "note", broken)
        with pytest.raises(Stopped, match="cannot be written"):
            run(file, Source([phone(1, hits={KEY: TIKTOK}), phone(2)]))
    assert explained(file, "d1", now=AFTER)["allowed"]
    assert run(file, Source([phone(1, hits={KEY: TIKTOK}), phone(2)]))["refused"] == 1


def test_what_there_is_to_read_is_declared(tmp_path: Path) -> None:
    file = write_estate(tmp_path)
    with pytest.raises(UsageError, match="got tablets, expected a fleet: phones"):
        sync(file, ["tablets"])
    write_estate(tmp_path, mandate=MANDATE.replace("in_force", "proposed"))
    with pytest.raises(UsageError, match="no mandate of the estate forbids an app"):
        sync(file)
    write_estate(tmp_path, "estate: x\nstores:\n  a: {url: 'memory:a', country: NL, operator: O,"
                 " holds: app}\n")  # fmt: skip
    with pytest.raises(UsageError, match="declares no fleets"):
        sync(file)


def test_a_device_is_found_by_id_alias_or_one_name(tmp_path: Path) -> None:
    file = write_estate(tmp_path)
    run(file, Source([phone(1), phone(2), phone(3, name="phone 2")]))
    for name in ("d1", "alias-1", "phone 1"):
        assert explained(file, name, now=AFTER)["device"]["id"] == "d1"
    with pytest.raises(UsageError, match="2 devices go by phone 2: phones: d2, phones: d3"):
        explained(file, "phone 2")
    with pytest.raises(UsageError, match="no inventory has a device d9"):
        explained(file, "d9")


def test_a_list_is_narrowed(tmp_path: Path) -> None:
    file = write_estate(tmp_path)
    run(file, Source([phone(1, hits={KEY: TIKTOK}), phone(2, scope="managed"), phone(3),
                      phone(4, ownership="contractor")]))  # fmt: skip

    def ids(**narrowed: Any) -> list[str]:
        return [d["id"] for d in listed(file, now=AFTER, **narrowed)["devices"]]

    assert ids() == ["d1", "d2", "d3", "d4"]
    assert ids(verdict="present") == ["d1"]
    assert ids(refused=True) == ["d1", "d2"]
    assert ids(owner="User3@example.org") == ["d3"]
    assert ids(fleet="phones", verdict="not_observable") == ["d2"]
    with pytest.raises(UsageError, match="got x, expected a fleet"):
        ids(fleet="x")
