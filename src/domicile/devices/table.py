"""Everything that decisions need, in memory: who has which device, and what is said of each.

A device is judged when it is first asked for, and again when the clock alone may have changed
what was said; so that a table of any size is made as fast as its rows can be read.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from domicile.devices.ban import ENDLESS, Ban, Rule
from domicile.devices.model import ClauseKey, Device, Standing
from domicile.devices.people import People
from domicile.devices.record import DeviceRecord, Place, decode
from domicile.devices.settle import Judge


@dataclass(frozen=True)
class Request:
    """Who asks for what, as a mail or web server says.

    `device` is what the server itself knows by (a password or a certificate of the device), never
    the client's own word.
    """

    device: str
    account: str = ""
    service: str = ""


@dataclass(frozen=True)
class Decision:
    """What is answered, and why; `place` is empty when no known device was meant."""

    allowed: bool
    reason: str
    rule: Rule | None = None
    device: Device | None = None
    app: str = ""
    opened: bool = False  # let through because a mandate says open while nothing can be decided

    @property
    def key(self) -> ClauseKey | None:
        """The clause that decided."""
        return self.rule.key if self.rule else None


class Table:
    """What was known when it was read. Never changed afterwards, but for what it works out."""

    def __init__(self, record: DeviceRecord, judge: Judge, people: People) -> None:
        self.judge, self.people = judge, people
        # Read first: what was recorded up to here is in what follows.
        (self.history,) = record.connection.execute(
            "SELECT coalesce(max(rowid), 0) FROM history"
        ).fetchone()
        self._bodies: dict[Place, bytes] = {}
        self._named: defaultdict[str, list[Place]] = defaultdict(list)
        self._gone: set[str] = set()
        self._known: dict[Place, tuple[datetime, Device, list[Standing]]] = {}
        for fleet, id_, body, gone in record.connection.execute(
            "SELECT fleet, id, body, gone FROM device"
        ):
            if gone is None:
                self._bodies[fleet, id_] = body
            else:
                self._gone.add(id_)
        for name, fleet, id_ in record.connection.execute("SELECT name, fleet, id FROM alias"):
            if (fleet, id_) in self._bodies:
                self._named[name].append((fleet, id_))
        self.latest = record.clock(datetime.min.replace(tzinfo=ENDLESS.tzinfo))

    def __len__(self) -> int:
        return len(self._bodies)

    def owners(self, place: Place) -> tuple[str, ...]:
        """Whose a device is; nobody's when its inventory does not have it any more."""
        body = self._bodies.get(place)
        return decode(*place, body).owners if body is not None else ()

    def decide(self, request: Request, now: datetime) -> Decision:
        """What one request may. Of several devices that go by one name the worst decides."""
        now = max(now, self.latest)
        places = self._named.get(request.device) if request.device else None
        if not places:
            reason = (
                "no_device" if not request.device
                else "gone" if request.device in self._gone
                else "unknown_device"
            )  # fmt: skip
            return without(self.judge.ban, request.service, reason, now)
        best: Decision | None = None
        for place in places:
            said = self._one(place, request, now)
            if not said.allowed:
                return said
            best = best or said
        assert best is not None
        return best

    def _one(self, place: Place, request: Request, now: datetime) -> Decision:
        device, standings = self._standings(place, now)
        if request.account and device.owners and not self.people.is_owner(
            request.account, device.owners
        ):  # fmt: skip
            return without(self.judge.ban, request.service, "other_owner", now)
        found: Decision | None = None
        for rule, said in zip(self.judge.ban.rules, standings, strict=True):
            if rule.cuts(request.service):
                if not said.allowed:
                    return Decision(False, said.reason, rule, device, said.app)
                if found is None or found.reason == "not_covered":
                    found = Decision(True, said.reason, rule, device, said.app)
        return found or Decision(True, "not_covered", None, device)

    def _standings(self, place: Place, now: datetime) -> tuple[Device, list[Standing]]:
        kept = self._known.get(place)
        if kept is not None and now < kept[0]:
            return kept[1], kept[2]
        device = kept[1] if kept else decode(*place, self._bodies[place])
        standings = list(self.judge.standings(device, now))
        until = min((each.until or ENDLESS for each in standings), default=ENDLESS)
        self._known[place] = (until, device, standings)
        return device, standings


def without(ban: Ban, service: str, reason: str, now: datetime) -> Decision:
    """The decision on a request that no known device speaks for: refused once any clause cuts.

    `undecided` opens only where every clause that cuts says so.
    """
    cutting = [
        rule
        for rule in ban.rules
        if rule.otherwise == "block"
        and rule.cuts(service)
        and rule.span(now)[0]
        and now >= rule.deadline
    ]
    if not cutting:
        return Decision(True, "before_deadline" if ban.rules else "not_covered")
    if reason == "undecided" and all(rule.opens_when_down for rule in cutting):
        return Decision(True, reason, cutting[0], opened=True)
    return Decision(False, reason, cutting[0])
