"""What `install` clauses forbid, compiled: one look-up for each app of a device is enough."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from hashlib import sha256
from zoneinfo import ZoneInfo

from domicile.devices.model import ClauseKey
from domicile.errors import DeclarationError
from domicile.estate.model import DeviceException, Estate
from domicile.law.model import BINDING, Clause, Mandate

FRESH_DAYS = 8
"""For how many days an inventory speaks when the clause says nothing: Intune looks at apps every
7 days (Microsoft, "Intune discovered apps"), and a day for the way."""

ATTEST_DAYS = 30

ENDLESS = datetime.max.replace(tzinfo=UTC)

_REACHES = {"corporate": "corporate", "enrolled_personal": "personal", "contractor": "contractor"}


@dataclass(frozen=True)
class Rule:
    """One `install` clause, ready to judge with."""

    key: ClauseKey
    title: str
    apps: tuple[str, ...]
    otherwise: str  # notify, block, report
    spans: tuple[tuple[datetime, datetime], ...]  # when it binds, UTC, ends excluded
    deadline: datetime  # UTC: from then on a device with the app is refused
    ownerships: frozenset[str]  # empty: all
    fleets: frozenset[str]
    groups: frozenset[str]
    services: frozenset[str]
    not_observable: str  # attest, compliance, refuse
    stale: str
    fresh_days: int
    attest_days: int
    opens_when_down: bool
    titles: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    block_traffic: bool = False
    purposes: tuple[str, ...] = ()

    def span(self, now: datetime) -> tuple[bool, datetime]:
        """Whether the clause binds now, and until when that holds."""
        for start, end in self.spans:
            if now < start:
                return False, start
            if now < end:
                return True, end
        return False, ENDLESS

    def reaches(self, fleet: str, ownership: str, group: str) -> bool:
        """Whether a device is under the clause. What is not known of it is not taken for safe."""
        return (
            (not self.fleets or fleet in self.fleets)
            and (not self.ownerships or not ownership or ownership in self.ownerships)
            and (not self.groups or not group or group in self.groups)
        )

    def cuts(self, service: str) -> bool:
        """Whether a refused device loses this service; an unnamed one is taken for any."""
        return not self.services or not service or service in self.services


class Ban:
    """All rules together, with one table from identifiers to what forbids them."""

    def __init__(self, rules: Sequence[Rule], named: Iterable[tuple[Rule, str, str, str]]) -> None:
        """`named` is (rule, platform or `any`, kind: app, title or sdk, the name)."""
        self.rules = tuple(rules)
        self._given = tuple(named)
        self._blind: set[ClauseKey] = set()
        self._named: dict[ClauseKey, set[str]] = {}
        self._apps: dict[str, list[tuple[str, ClauseKey, str]]] = {}
        self._titles: dict[str, list[tuple[str, ClauseKey, str]]] = {}
        self._sdks: list[tuple[str, ClauseKey, str]] = []
        for rule, platform, kind, name in self._given:
            folded = name.casefold()
            if kind == "app":
                self._named.setdefault(rule.key, set()).add(platform)
            else:
                self._blind.add(rule.key)
            if kind == "sdk":
                self._sdks.append((folded, rule.key, name))
            elif kind == "title":
                self._titles.setdefault(folded, []).append(("any", rule.key, name))
            else:
                self._apps.setdefault(folded, []).append((platform, rule.key, name))
                if "_" in folded and platform in ("any", "windows"):
                    # A package family name is name_publisher; some inventories have the name.
                    short = folded.rpartition("_")[0]
                    self._apps.setdefault(short, []).append(("windows", rule.key, name))

    def rule(self, key: ClauseKey) -> Rule | None:
        """The rule of a clause."""
        return next((rule for rule in self.rules if rule.key == key), None)

    def only(self, keep: Callable[[Rule], bool]) -> Ban:
        """The part of the ban that these rules are."""
        rules = [rule for rule in self.rules if keep(rule)]
        keys = {rule.key for rule in rules}
        return Ban(rules, [each for each in self._given if each[0].key in keys])

    @property
    def titles(self) -> list[str]:
        """The forbidden apps' names, as the mandates write them."""
        return sorted({name for _, _, kind, name in self._given if kind == "title"})

    def identifiers(self, *platforms: str) -> list[str]:
        """The forbidden identifiers for these platforms and for any, as the mandates write them."""
        found = {
            name
            for entries in self._apps.values()
            for platform, _, name in entries
            if platform == "any" or platform in platforms
        }
        return sorted(found)

    def is_told_by(self, *platforms: str) -> bool:
        """Whether identifiers alone tell, on these platforms, all that clauses forbid there.

        Not so when a clause has titles, or software inside apps, and no identifier for them.
        """
        return all(self._named.get(key, set()) & {"any", *platforms} for key in self._blind)

    def match(
        self,
        platform: str,
        identifiers: Sequence[str] = (),
        titles: Sequence[str] = (),
        sdks: Sequence[str] = (),
    ) -> dict[ClauseKey, str]:
        """What is forbidden among the apps of a device: clause → the mandate's own name for it.

        A device of unknown platform is held against all.
        """
        hits: dict[ClauseKey, str] = {}
        for table, names in ((self._apps, identifiers), (self._titles, titles)):
            for name in names if table else ():
                entries = table.get(name.casefold())
                if entries is None:  # of nearly every app
                    continue
                for on, key, label in entries:
                    if on in ("any", platform) or not platform:
                        hits.setdefault(key, label)
        if self._sdks:
            for name in (*identifiers, *sdks):
                folded = name.casefold()
                for prefix, key, label in self._sdks:
                    if folded == prefix or folded.startswith(prefix + "."):
                        hits.setdefault(key, label)
        return hits

    @property
    def lowered(self) -> list[str]:
        """Every forbidden identifier and title in small letters: for filters before `match`."""
        return sorted(frozenset(self._apps) | frozenset(self._titles))

    @property
    def prefixes(self) -> list[str]:
        """The beginnings of forbidden software inside apps, in small letters."""
        return sorted({folded for folded, _, _ in self._sdks})

    @property
    def digest(self) -> str:
        """A name for what is looked for: an inventory half read under another begins anew."""
        looked = [*self.lowered, "", *self.prefixes, "", *(str(rule.key) for rule in self.rules)]
        return sha256("\n".join(looked).encode()).hexdigest()[:16]


def compile_ban(mandates: Sequence[Mandate], estate: Estate) -> Ban:
    """The rules of all `install` clauses of mandates that bind: in force or voluntary.

    Raises DeclarationError for a clause or an exception that names what is not declared.
    """
    zone = ZoneInfo(estate.devices.timezone)
    fleets = {fleet.name for fleet in estate.fleets}
    rules: list[Rule] = []
    named: list[tuple[Rule, str, str, str]] = []
    for mandate in mandates:
        for clause in mandate.clauses:
            spans = _spans(mandate, clause, zone) if clause.kind == "install" else ()
            if not spans:
                continue
            body = clause.body
            for fleet in body.get("fleets", ()):
                if fleet not in fleets:
                    raise DeclarationError(
                        f"got {fleet}, expected a fleet of the estate",
                        file=mandate.file,
                        line=clause.line,
                        key=f"clauses.{clause.id}.install.fleets",
                    )
            due = date.fromisoformat(body["by"]) if "by" in body else mandate.due(clause)
            rule = Rule(
                key=ClauseKey(mandate.id, clause.id),
                title=mandate.title,
                apps=tuple(dict.fromkeys(n for ids in body["apps"].values() for n in ids)),
                otherwise=body["otherwise"],
                spans=spans,
                deadline=_midnight(due, zone) if due else spans[0][0],
                ownerships=frozenset(_REACHES[each] for each in body.get("devices", ())),
                fleets=frozenset(body.get("fleets", ())),
                groups=frozenset(body.get("groups", ())),
                services=frozenset(body.get("services", ())),
                not_observable=body.get("not_observable", "attest"),
                stale=body.get("stale", "refuse"),
                fresh_days=body.get("fresh_days", FRESH_DAYS),
                attest_days=body.get("attest_days", ATTEST_DAYS),
                opens_when_down=body.get("when_down") == "open",
                titles=tuple(body.get("titles", ())),
                domains=tuple(body.get("domains", ())),
                block_traffic=body.get("block_traffic", False),
                purposes=tuple(body.get("exceptions", ())),
            )
            rules.append(rule)
            named += [(rule, on, "app", n) for on, ids in body["apps"].items() for n in ids]
            named += [(rule, "any", "title", n) for n in body.get("titles", ())]
            named += [(rule, "any", "sdk", n) for n in body.get("sdks", ())]
    ban = Ban(rules, named)
    for exception in estate.devices.exceptions:
        _check_exception(exception, ban, estate)
    return ban


def _check_exception(exception: DeviceException, ban: Ban, estate: Estate) -> None:
    """An exception is for a purpose for which the clause knows one."""
    rules = [
        rule
        for rule in ban.rules
        if rule.key.mandate == exception.mandate and exception.clause in ("", rule.key.clause)
    ]
    known = sorted({purpose for rule in rules for purpose in rule.purposes})
    if exception.purpose not in known:
        raise DeclarationError(
            f"the purpose {exception.purpose} is none for which {exception.mandate} knows"
            " exceptions",
            file=estate.file,
            key="devices.exceptions",
            hint=f"It knows: {', '.join(known)}."
            if known
            else "Its install clauses know no exceptions, or it has none.",
        )


def _spans(
    mandate: Mandate, clause: Clause, zone: ZoneInfo
) -> tuple[tuple[datetime, datetime], ...]:
    """When a clause binds, by the history of its mandate's status and by its own dates."""
    if clause.status is not None and clause.status not in BINDING:
        return ()
    first = max(mandate.effective, clause.effective or mandate.effective)
    days = sorted({first, *(each.on for each in mandate.history if each.on > first)})
    found: list[tuple[datetime, datetime]] = []
    for day, following in zip(days, [*days[1:], None], strict=True):
        end = min((each for each in (following, clause.until) if each), default=None)
        if mandate.status_on(day) in BINDING and (end is None or day < end):
            start, stop = _midnight(day, zone), _midnight(end, zone) if end else ENDLESS
            if found and found[-1][1] == start:
                start = found.pop()[0]
            found.append((start, stop))
    return tuple(found)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """When a day begins at that place, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)
