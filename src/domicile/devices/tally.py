"""Decisions in the log: counted as they are made, and written together once a second.

A pass that a mandate opens while nothing can be decided is written before it is answered.
What changes a device's access is in the log before it takes effect (`settle`); what may be lost
by a kill is how often it was then asked for in the last second.
"""

from __future__ import annotations

import threading
from pathlib import Path

from domicile.devices.settle import BATCH, device_key
from domicile.devices.table import Decision
from domicile.evidence import kinds, place
from domicile.evidence.kinds import POINTS

_Group = tuple[str, str, bool, str, str, str]


class Tally:
    """Counts of decisions since they were last written; used from several threads."""

    def __init__(self, state: Path, estate: str) -> None:
        self._state, self._estate = state, estate
        self._lock = threading.Lock()
        self._counts: dict[_Group, int] = {}
        self._devices: dict[_Group, set[str]] = {}
        self.refused = self.allowed = 0

    def add(self, point: str, service: str, decision: Decision) -> None:
        """Count a decision; write it at once when it is a pass that a mandate opened."""
        assert point in POINTS
        key = decision.key
        group = (
            point, service if service in kinds.SERVICES else "other", decision.allowed,
            decision.reason, key.mandate if key else "", key.clause if key else "",
        )  # fmt: skip
        with self._lock:
            self._counts[group] = self._counts.get(group, 0) + 1
            if decision.device is not None and not decision.allowed:
                self._devices.setdefault(group, set()).add(device_key(decision.device))
            if decision.allowed:
                self.allowed += 1
            else:
                self.refused += 1
        if decision.opened:
            self.write()

    def write(self) -> None:
        """Write what was counted into the log. Raises EvidenceError, Stopped; nothing is lost."""
        with self._lock:
            counts, devices = self._counts, self._devices
            self._counts, self._devices = {}, {}
        if not counts:
            return
        try:
            commitments = place.open_commitments(self._state, use="device")
            entries = []
            for group, count in counts.items():
                point, service, allowed, reason, mandate, clause = group
                names = sorted(devices.get(group, ()))
                entries.append(
                    kinds.make(
                        "device_decisions", self._estate, point=point, service=service,
                        allowed=allowed, reason=reason, count=count, mandate=mandate or None,
                        clause=clause or None, opened=(allowed and reason == "undecided") or None,
                        devices=len(names),
                        commitments=commitments.people("device", names[:BATCH]),
                    )
                )  # fmt: skip
            place.open_log(self._state, self._estate).append(entries)
        except BaseException:
            with self._lock:
                for group, count in counts.items():
                    self._counts[group] = self._counts.get(group, 0) + count
                    self._devices.setdefault(group, set()).update(devices.get(group, ()))
            raise
