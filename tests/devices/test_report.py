"""The board's figures are those of the devices and of the log."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from domicile.devices.model import ClauseKey
from domicile.devices.report import report
from domicile.evidence import place
from tests.devices.made import DEADLINE, TIKTOK, write_estate
from tests.devices.test_sync import Source, entries, phone, run

KEY = ClauseKey("ban", "remove")
DAY = timedelta(days=1)


def test_refusals_and_restorations_by_day_with_their_entries(tmp_path: Path) -> None:
    file = write_estate(tmp_path)
    source = Source([phone(1, hits={KEY: TIKTOK}), phone(2), phone(3, scope="managed"),
                     phone(4, ownership="contractor")])  # fmt: skip
    run(file, source, DEADLINE - DAY)
    run(file, source, DEADLINE)
    source.list[0][0] = phone(1, seen=DEADLINE + DAY)
    run(file, source, DEADLINE + DAY)
    document = report(file, DEADLINE + DAY)
    assert document["devices"] == 4
    (clause,) = document["clauses"]
    series = clause.pop("series")
    assert clause == {
        "mandate": "ban", "clause": "remove", "title": "The app leaves our devices",
        "otherwise": "block", "deadline": "2023-03-15", "present": 0, "absent": 2,
        "not_observable": 1, "stale": 0, "not_covered": 1, "refused": 1,
    }  # fmt: skip
    assert [
        (d["day"], d["present"], d["absent"], d["not_observable"], d["refused"], d["refused_on"],
         d["restored_on"]) for d in series
    ] == [
        ("2023-03-14", 1, 1, 1, 0, 0, 0), ("2023-03-15", 1, 1, 1, 2, 2, 0),
        ("2023-03-16", 0, 2, 1, 1, 0, 1),
    ]  # fmt: skip
    assert all(d["entries"] for d in series)
    assert [(d["day"], d["refused"], d["restored"]) for d in document["days"]] == [
        ("2023-03-15", 2, 0), ("2023-03-16", 0, 1)
    ]  # fmt: skip
    logged = entries(file, "device_standing")
    assert sum(entry["devices"] for entry in logged if entry["allowed"] is False) == 2
    assert all(day["entries"] for day in document["days"])


def test_a_device_that_left_is_refused_and_counted_no_more(tmp_path: Path) -> None:
    file = write_estate(tmp_path)
    source = Source([phone(1, hits={KEY: TIKTOK}), phone(2), phone(3)])
    run(file, source, DEADLINE)
    source.list = [[phone(2), phone(3)]]
    run(file, source, DEADLINE + DAY)
    source.list = [[phone(1), phone(2)]]
    run(file, source, DEADLINE + 2 * DAY)
    document = report(file, DEADLINE + 2 * DAY)
    (clause,) = document["clauses"]
    assert [(d["present"], d["absent"], d["refused"]) for d in clause["series"]] == [
        (1, 2, 1), (0, 2, 0), (0, 2, 0)
    ]  # fmt: skip
    assert [(d["day"], d["refused"], d["restored"]) for d in document["days"]] == [
        ("2023-03-15", 1, 0), ("2023-03-17", 1, 1)
    ]  # fmt: skip


def test_notices_and_requests_come_with_their_entries(tmp_path: Path) -> None:
    from tests.devices.test_point import World, has

    world = World(tmp_path, has(1), phone(2))
    for device in ("d1", "d1", "d2"):
        world.dovecot(device)
    world.enforcer.tally.write()
    document = report(world.file, world.now)
    (point,) = document["requests"]
    assert {k: point[k] for k in ("point", "refused", "allowed", "opened")} == {
        "point": "dovecot", "refused": 2, "allowed": 1, "opened": 0
    }  # fmt: skip
    kinds = {number: entry["kind"] for number, entry in log_of(world.file)}
    assert {kinds[number] for number in point["entries"]} == {"device_decisions"}
    assert document["log"]["entries"] == len(kinds)
    for day in document["days"]:
        assert {kinds[number] for number in day["entries"]} == {"device_standing"}


def log_of(file: Path) -> list[tuple[int, dict[str, Any]]]:
    return list(place.read_log(place.state_directory(file)).entries())


def test_a_report_of_nothing(tmp_path: Path) -> None:
    document = report(write_estate(tmp_path), DEADLINE)
    assert (document["devices"], document["notices"], document["days"]) == (0, [], [])
