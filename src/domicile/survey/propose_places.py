"""Routes from a register to a country and to a birth date, and which of them is the person's.

A route follows references forward, and backward where at most one row refers. It is somebody
else's when it passes what many people share: the shop's address is not the customer's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import permutations
from typing import Final

from domicile.estate.countries import country_code
from domicile.estate.model import Hop, Path
from domicile.survey import classify_names as names
from domicile.survey.graph import Edge, Graph
from domicile.survey.propose_model import ProposedPath, Reason
from domicile.survey.propose_read import Application, Seen
from domicile.survey.propose_words import COUNTRY, NEVER_COUNTRY, NOT_RESIDENCE, PERHAPS_RESIDENCE

MAX_HOPS: Final = 5
MAX_ROUTES: Final = 400
"""Bounds of the search: schemas whose tables all refer to each other have routes without end."""

SHARED: Final = 0.5
"""Fewer different values than this for each referring row: several people use the same row."""

RECOGNISED: Final = 0.8
"""Least share of different values that are countries."""

MOSTLY: Final = 0.5
"""Least share of rows whose value is a country, where the column's name says that it holds one."""

DESCRIBES: Final = (
    "user.name", "user.contact.email", "user.contact.phone_number", "user.contact.address.street",
    "user.authorization", "user.account.username", "user.demographic.date_of_birth",
    "user.demographic.gender", "user.government_id", "user.financial", "user.health_and_medical",
    "user.biometric", "user.location.precise",
)  # fmt: skip
"""Categories that describe one person; a city or a country alone describes many."""


@dataclass(frozen=True)
class Route:
    """A way from a register to a table."""

    hops: tuple[Hop, ...]
    tables: tuple[str, ...]  # the register first
    doubt: int = 0  # 0 the person's own; 1 perhaps; 2 somebody else's
    why: str = ""  # why there is doubt


@dataclass(frozen=True)
class _Found:
    route: Route
    column: str
    purpose: int  # 0 plain, 1 perhaps residence, 2 a country for something else
    share: float  # of different values that are countries; negative when there were none
    values: int


def describes(seen: Seen) -> set[str]:
    """The categories in a table that describe one person."""
    return {c for c in seen.categories() if c.startswith(DESCRIBES)}


def routes(
    application: Application, graph: Graph, register: str, people: Iterable[str]
) -> list[Route]:
    """All routes from a register, shortest first. `people`: tables of other people."""
    others = set(people) - {register}
    found = [Route((), (register,))]
    at = 0
    while at < len(found) and len(found) < MAX_ROUTES:
        route = found[at]
        at += 1
        if len(route.hops) < MAX_HOPS:
            found += _onward(application, graph, route, others)
    return found


def residences(
    application: Application, graph: Graph, register: str, people: Iterable[str]
) -> tuple[ProposedPath | None, tuple[ProposedPath, ...]]:
    """The residence to propose, if there is one, and those seen and not chosen."""
    found = [
        each
        for route in routes(application, graph, register, people)
        for each in _countries(application.seen[route.tables[-1]], route)
    ]
    found.sort(
        key=lambda f: (
            f.route.doubt == 2 or f.purpose == 2,
            f.route.doubt,
            f.purpose,
            len(f.route.hops),
            -f.share,
            f.column,
        )
    )
    best = [_proposed(each) for each in found]
    own = _several(application, graph, register)
    if found and found[0].route.doubt == 1 and own:
        why = f"; {', '.join(own)} would be the person's own, but may be several of one person"
        first = ProposedPath(best[0].path, Reason(best[0].reason.because + why, True))
        return None, (first, *best[1:5])
    if not found or found[0].route.doubt == 2 or found[0].purpose == 2:
        return None, tuple(best[:5])
    rest = tuple(best[1:6])
    if any((f.route.doubt, f.purpose) == (found[0].route.doubt, found[0].purpose) and
           f.route.hops != found[0].route.hops for f in found[1:]):  # fmt: skip
        reason = best[0].reason
        best[0] = ProposedPath(
            best[0].path, Reason(reason.because + "; other routes are named below", True)
        )
    return best[0], rest


def _several(application: Application, graph: Graph, register: str) -> list[str]:
    """Addresses with a country that refer to the register, of which one person may have several."""
    return [
        f"{application.name(edge.child)}.{each.column}"
        for edge in graph.into(register)
        if not (edge.json or edge.where or graph.unique(edge))
        and (seen := application.seen[edge.child]).about.address
        for each in _countries(seen, Route((), (edge.child,)))
        if each.purpose < 2
    ]


def among_attributes(application: Application, graph: Graph, register: str) -> list[str]:
    """Columns of values in rows of the register's people whose countries have a name beside them.

    A table of attributes (`user_attribute.name`, `.value`) has one row for each thing that is known
    of a person, so that no path leads to one of them.
    """
    found = []
    for edge in graph.into(register):
        if edge.json or edge.where:
            continue
        seen = application.seen[edge.child]
        texts = [c.name for c in seen.table.columns if c.kind == "text"]
        for name, value in permutations((c for c in texts if c not in edge.columns), 2):
            held = {v for n, v in seen.together((name, value)) if set(names.words(n)) & COUNTRY}
            known = sum(country_code(v) is not None for v in held)
            if len(held) >= 2 and known >= RECOGNISED * len(held):
                found.append(f"{application.name(edge.child)}.{value}")
    return found


def unreached(application: Application, routed: Iterable[Route]) -> list[str]:
    """Columns of countries that no route reaches, as the estate would name them."""
    reached = {route.tables[-1] for route in routed}
    return [
        f"{application.name(table)}.{each.column}"
        for table, seen in application.seen.items()
        if table not in reached
        for each in _countries(seen, Route((), (table,)))
    ]


def births(
    application: Application, graph: Graph, register: str, people: Iterable[str]
) -> ProposedPath | None:
    """The birth date to propose: the nearest on the person's own rows."""
    for route in routes(application, graph, register, people):
        seen = application.seen[route.tables[-1]]
        for column in seen.table.columns:
            verdict = seen.verdicts[column.name]
            if route.doubt or verdict.category != "user.demographic.date_of_birth":
                continue
            values = seen.samples.get(column.name, [])
            iso = sum(v[4:5] == v[7:8] == "-" and v[:4].isdigit() for v in values)
            if column.kind not in ("date", "timestamp", "timestamptz", "text"):
                continue
            because = f"{column.name}: {verdict.reason}"
            if values and iso < RECOGNISED * len(values):
                continue
            return ProposedPath(Path(route.hops, column.name), Reason(because, not values))
    return None


def _onward(
    application: Application, graph: Graph, route: Route, others: set[str]
) -> Iterator[Route]:
    here = route.tables[-1]
    for edge in graph.edges[here]:
        if edge.subject or edge.json or edge.parent in route.tables:
            continue
        hop = forward(graph, here, edge)
        if hop:
            yield _judged(application, graph, route, edge, hop, edge.parent, others)
    for edge in graph.into(here):
        if edge.json or edge.child in route.tables or not graph.unique(edge):
            continue
        if sum(e.child == edge.child and graph.unique(e) for e in graph.into(here)) == 1:
            doubt, why = route.doubt, route.why
            if edge.child in others:
                doubt, why = 2, f"{application.name(edge.child)} is another person"
            hops = (*route.hops, Hop(edge.child, True))
            yield Route(hops, (*route.tables, edge.child), doubt, why)


def forward(graph: Graph, table: str, edge: Edge) -> Hop | None:
    """The hop that names this edge and no other, if there is one."""
    if edge.where:
        return None  # it leads somewhere for some rows only
    others = [e for e in graph.edges[table] if not (e.subject or e.json or e.where)]
    for name in (edge.columns[0] if len(edge.columns) == 1 else "", edge.name):
        fits = [e for e in others if e.columns == (name,) or e.name == name]
        if name and fits == [edge]:
            return Hop(name)
    if len(edge.columns) > 1:  # named by a column that no other key has
        for name in reversed(edge.columns):
            if [e for e in others if name in e.columns or e.name == name] == [edge]:
                return Hop(name)
    return None


def shared(application: Application, graph: Graph, edge: Edge) -> bool:
    """Whether several rows of the child use the same row of the parent, as a rule."""
    if graph.unique(edge):
        return False
    child, parent = application.seen[edge.child], application.seen[edge.parent]
    ratio = min(child.distinct(edge.columns), parent.rows / max(1, child.rows))
    return child.rows >= 4 and ratio < SHARED


def _judged(
    application: Application, graph: Graph, route: Route, edge: Edge, hop: Hop, to: str,
    others: set[str],
) -> Route:  # fmt: skip
    seen = application.seen[to]
    doubt, why = route.doubt, route.why
    if to in others:
        doubt, why = 2, f"{application.name(to)} is another person"
    elif seen.about.place:
        pass  # places are shared by their nature
    elif doubt and describes(seen):
        doubt = 2
    elif not doubt and shared(application, graph, edge):
        doubt = 2 if describes(seen) else 1
        why = f"many rows share one of {application.name(to)}, so what follows is that one's"
    return Route((*route.hops, hop), (*route.tables, to), doubt, why)


def _countries(seen: Seen, route: Route) -> Iterator[_Found]:
    """The columns of a table that hold countries; the best spelling of each purpose first."""
    table_words = set(names.words(seen.table.name))
    kept: dict[int, _Found] = {}
    for column in seen.table.columns:
        words = set(names.words(column.name))
        if column.kind not in ("text", "enum") or (words & NEVER_COUNTRY and not words & COUNTRY):
            continue
        sampled = seen.samples.get(column.name, [])
        values = set(sampled)
        known = {v for v in values if country_code(v) is not None}
        share = len(known) / len(values) if values else -1.0
        said = bool(words & COUNTRY) or (
            seen.verdicts[column.name].category == "user.contact.address.country"
        )
        by_table = bool(table_words & COUNTRY) and not words & {"continent", "capital"}
        sure = share >= RECOGNISED and (said or by_table or (share >= 0.95 and len(values) >= 5))
        mostly = said and sum(v in known for v in sampled) >= MOSTLY * len(sampled)
        if not (sure or mostly):
            continue
        purposes = words | {w for hop in route.hops for w in names.words(hop.name)}
        purpose = 2 if purposes & NOT_RESIDENCE else 1 if purposes & PERHAPS_RESIDENCE else 0
        found = _Found(route, column.name, purpose, share, len(values))
        if purpose not in kept or kept[purpose].share < share:
            kept[purpose] = found
    yield from (kept[purpose] for purpose in sorted(kept))


def _proposed(found: _Found) -> ProposedPath:
    path = Path(found.route.hops, found.column)
    if found.share < 0:
        because = f"{found.column} is named after a country; it holds no value to check"
    else:
        because = (
            f"{found.share:.0%} of {found.values} different values sampled in "
            f"{found.route.tables[-1]}.{found.column} are countries"
        )
        if found.share < RECOGNISED:
            because += "; most rows hold one of those"
    if found.route.why:
        because += f"; {found.route.why}"
    if found.purpose:
        because += "; it is named after another purpose than residence"
    guessed = bool(found.share < 0.9 or found.route.doubt or found.purpose)
    return ProposedPath(path, Reason(because, guessed))
