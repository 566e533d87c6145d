"""The board's figures are those of the devices and of the log."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from domicile.devices.model import ClauseKey
from domicile.devices.report import report
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
    assert document["clauses"] == [
        {"mandate": "ban", "clause": "remove", "present": 0, "absent": 2, "not_observable": 1,
         "stale": 0, "not_covered": 1, "refused": 1}
    ]  # fmt: skip
    assert [(d["day"], d["refused"], d["restored"]) for d in document["days"]] == [
        ("2023-03-15", 2, 0), ("2023-03-16", 0, 1)
    ]  # fmt: skip
    logged = entries(file, "device_standing")
    assert sum(entry["devices"] for entry in logged if entry["allowed"] is False) == 2
    assert all(day["entries"] for day in document["days"])


def test_a_report_of_nothing(tmp_path: Path) -> None:
    document = report(write_estate(tmp_path), DEADLINE)
    assert (document["devices"], document["notices"], document["days"]) == (0, [], [])
