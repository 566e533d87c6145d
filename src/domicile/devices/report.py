"""The figures for the board: devices, verdicts, notices, refusals and restorations over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from domicile.devices.model import VERDICTS, ClauseKey
from domicile.devices.view import Known, known
from domicile.evidence import place

COUNTED = (*VERDICTS, "not_covered", "refused")


@dataclass
class _Day:
    """What changed on a day, and what held at its end."""

    refused: int = 0
    restored: int = 0
    entries: set[int] = field(default_factory=set)
    end: Counter[str] = field(default_factory=Counter)


def report(estate_file: Path, now: datetime | None = None) -> dict[str, Any]:
    """The document of `devices report`; a day is one at the estate's place.

    Raises DeclarationError, UsageError, EvidenceError, Stopped.
    """
    with known(estate_file, now) as at:
        devices, counts = _now(at)
        series = _series(at)
        said = _said(place.state_directory(estate_file))
        return {
            "estate": at.estate.name,
            "at": at.now.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "day": _day(at.now.timestamp(), at.judge.zone),
            "devices": devices,
            "clauses": [
                {
                    "mandate": rule.key.mandate, "clause": rule.key.clause, "title": rule.title,
                    "otherwise": rule.otherwise,
                    "deadline": rule.deadline.astimezone(at.judge.zone).date().isoformat(),
                    **{name: counts[rule.key][name] for name in COUNTED},
                    "series": [
                        {"day": day, "refused_on": line.refused, "restored_on": line.restored,
                         **{name: line.end[name] for name in COUNTED if name != "not_covered"},
                         "entries": sorted(line.entries)}
                        for day, line in sorted(series.get(rule.key, {}).items())
                    ],
                }
                for rule in at.ban.rules
            ],
            "notices": _notices(at, said.notices),
            "days": _days(series.values()),
            "requests": said.requests,
            "log": {"entries": said.size, "root": said.root},
        }  # fmt: skip


def _now(at: Known) -> tuple[int, dict[ClauseKey, Counter[str]]]:
    """How many devices there are, and how they stand under each clause."""
    counts = {rule.key: Counter[str]() for rule in at.ban.rules}
    devices = 0
    for device in at.record.devices():
        devices += 1
        for said in at.judge.standings(device, at.now):
            counts[said.key][said.verdict or "not_covered"] += 1
            counts[said.key]["refused"] += not said.allowed
    return devices, counts


def _series(at: Known) -> dict[ClauseKey, dict[str, _Day]]:
    """Each day on which something changed, by clause, from what was recorded.

    A device that left its inventory is counted no more: it is refused, but nobody has it.
    """
    states: dict[ClauseKey, dict[tuple[str, str], tuple[str, bool]]] = {}
    totals: dict[ClauseKey, Counter[str]] = {}
    found: dict[ClauseKey, dict[str, _Day]] = {}
    for (
        when,
        fleet,
        id_,
        mandate,
        clause,
        verdict,
        allowed,
        reason,
        entry,
    ) in at.record.connection.execute(
        "SELECT at, fleet, id, mandate, clause, verdict, allowed, reason, entry FROM history"
        " ORDER BY rowid"
    ):
        key = ClauseKey(mandate, clause)
        state, total = states.setdefault(key, {}), totals.setdefault(key, Counter())
        day = found.setdefault(key, {}).setdefault(_day(when, at.judge.zone), _Day())
        was = state.get((fleet, id_))
        if was is not None:
            total[was[0]] -= 1
            total["refused"] -= not was[1] and was[0] != "gone"
        name = "gone" if reason == "gone" else verdict or "not_covered"
        state[fleet, id_] = (name, bool(allowed))
        total[name] += 1
        total["refused"] += not allowed and name != "gone"
        if (was is None and not allowed) or (was is not None and was[1] != bool(allowed)):
            day.refused += not allowed
            day.restored += bool(allowed)
        day.entries.add(entry)
        day.end = total.copy()
    return found


def _days(series: Iterable[dict[str, _Day]]) -> list[dict[str, Any]]:
    """Refusals and restorations of all clauses, on the days on which there were some."""
    days: dict[str, _Day] = {}
    for lines in series:
        for day, line in lines.items():
            if line.refused or line.restored:
                total = days.setdefault(day, _Day())
                total.refused += line.refused
                total.restored += line.restored
                total.entries |= line.entries
    return [
        {"day": day, "refused": line.refused, "restored": line.restored,
         "entries": sorted(line.entries)}
        for day, line in sorted(days.items())
    ]  # fmt: skip


def _notices(at: Known, entries: dict[str, list[int]]) -> list[dict[str, Any]]:
    """By stage: how many, how many were sent and when they were due, and their entries."""
    found: dict[str, dict[str, Any]] = {}
    for stage, when, mail, webhook in at.record.connection.execute(
        "SELECT stage, at, mail, webhook FROM notice ORDER BY stage, at"
    ):
        line = found.setdefault(stage, {"stage": stage, "notices": 0, "sent": 0, "days": {}})
        day = _day(when, at.judge.zone)
        line["notices"] += 1
        line["sent"] += "sent" in (mail, webhook)
        line["days"][day] = line["days"].get(day, 0) + 1
    return [{**line, "entries": entries.get(stage, [])} for stage, line in found.items()]


@dataclass
class _Said:
    """What the log says of notices and requests, and its head."""

    size: int = 0
    root: str = ""
    notices: dict[str, list[int]] = field(default_factory=dict)
    requests: list[dict[str, Any]] = field(default_factory=list)


def _said(state: Path) -> _Said:
    """Read from the log. Raises EvidenceError when it does not verify."""
    if not place.verifier_path(state).exists():
        return _Said()
    log = place.read_log(state)
    said = _Said(log.size, log.root().hex())
    asked: dict[str, dict[str, Any]] = {}
    for number, entry in _about_devices(log.entries()):
        if entry["kind"] == "device_notice":
            said.notices.setdefault(entry["stage"], []).append(number)
        else:
            line = asked.setdefault(
                entry["point"],
                {"point": entry["point"], "refused": 0, "allowed": 0, "opened": 0, "entries": []},
            )
            line["allowed" if entry["allowed"] else "refused"] += entry["count"]
            line["opened"] += entry["count"] if entry.get("opened") else 0
            line["entries"].append(number)
    said.requests = [asked[point] for point in sorted(asked)]
    return said


def _about_devices(
    entries: Iterator[tuple[int, dict[str, Any]]],
) -> Iterator[tuple[int, dict[str, Any]]]:
    return (each for each in entries if each[1]["kind"] in ("device_notice", "device_decisions"))


def _day(when: float, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(when, UTC).astimezone(zone).date().isoformat()
