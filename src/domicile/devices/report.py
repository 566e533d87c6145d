"""The figures for the board: devices, verdicts, notices, refusals and restorations over time."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from domicile.devices.view import known


def report(estate_file: Path, now: datetime | None = None) -> dict[str, Any]:
    """The document of `devices report`; a day is one at the estate's place.

    Raises DeclarationError, UsageError, Stopped.
    """
    with known(estate_file, now) as at:
        read = at.record.connection.execute
        clauses = {rule.key: Counter[str]() for rule in at.ban.rules}
        devices = 0
        for device in at.record.devices():
            devices += 1
            for said in at.judge.standings(device, at.now):
                counts = clauses[said.key]
                counts[said.verdict or "not_covered"] += 1
                counts["refused"] += not said.allowed
        before: dict[tuple[str, ...], bool] = {}
        days: dict[str, dict[str, Any]] = {}
        for when, allowed, entry, *where in read(
            "SELECT at, allowed, entry, fleet, id, mandate, clause FROM history ORDER BY rowid"
        ):
            key = tuple(where)
            was, before[key] = before.get(key), bool(allowed)
            if was is None and allowed:
                continue  # seen for the first time, and let through
            if was is not None and was == bool(allowed):
                continue
            day = datetime.fromtimestamp(when, UTC).astimezone(at.judge.zone).date().isoformat()
            line = days.setdefault(day, {"refused": 0, "restored": 0, "entries": set()})
            line["restored" if allowed else "refused"] += 1
            line["entries"].add(entry)
        notices = read(
            "SELECT stage, count(*), sum('sent' IN (mail, webhook)) FROM notice GROUP BY stage"
        ).fetchall()
        return {
            "estate": at.estate.name,
            "at": at.now.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "devices": devices,
            "clauses": [
                {
                    "mandate": key.mandate, "clause": key.clause,
                    **{name: counts[name] for name in (
                        "present", "absent", "not_observable", "stale", "not_covered", "refused"
                    )},
                }
                for key, counts in clauses.items()
            ],
            "notices": [{"stage": stage, "notices": count, "sent": sent}
                        for stage, count, sent in notices],
            "days": [
                {"day": day, **line, "entries": sorted(line["entries"])}
                for day, line in sorted(days.items())
            ],
        }  # fmt: skip
