"""Where data are, and between which countries they flow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from domicile.law.control import organisations
from domicile.review.model import (
    Block,
    Figure,
    Heading,
    Line,
    Name,
    Paragraph,
    Place,
    Section,
    Table,
)
from domicile.review.plots import Band, Bar, Fill, bands, bars, world
from domicile.review.writer import Writer, named
from domicile.survey.datamap import NO_COUNTRY

COUNTRIES = 20
"""Countries with a line of their own in the table of people; the others are added up."""

BANDS = 7
"""Countries of residence with a band of their own; the others are added up."""

PAIRS = 15
"""Pairs of countries in the table of flows."""

Places = dict[str, list[Place]]


def where(w: Writer) -> Section:
    """The data map."""
    found = w.assessed
    blocks: list[Block] = [
        w.said("map_lead", digest=w.fig("the digest of the map", (found.survey, "map_digest"))),
        _stores(w),
    ]
    people = list(found.people())
    if people:
        blocks += [_world(w), _homes(w), _matrix(w)]
    else:
        blocks.append(w.plain("nobody"))
    blocks.append(_kinds(w))
    return Section("map", w.words("map"), tuple(blocks))


def _stores(w: Writer) -> Table:
    found = w.assessed

    def ageless(name: str) -> bool:
        """Whether nothing tells the age of anybody registered there: 0 would be a lie."""
        mine = [p for p in found.map["people"] if p["store"] == name]
        return bool(mine) and all(p["age_unknown"] == p["people"] for p in mine)

    rows = []
    for n, store in enumerate(found.entries[found.survey]["stores"]):
        name = store["store"]

        def at(key: str, n: int = n, name: str = name) -> Line:
            return (w.fig(f"{key} of {name}", (found.survey, f"stores.{n}.{key}")),)

        mine = [(i, way) for i, way, line in found.people() if line["store"] == name]
        rows.append((
            named(name), w.country(store["country"]), store.get("operator", ""), at("tables"),
            at("rows"),
            w.some(f"people registered in {name}", [(i, f"{way}.people") for i, way in mine]),
            (w.words("unknown"),) if ageless(name)
            else w.some(f"minors registered in {name}", [(i, f"{way}.minors") for i, way in mine]),
        ))  # fmt: skip
    return w.table(
        "stores_table",
        ("head_store", "head_country", "head_operator", "head_tables", "head_store_rows",
         "head_registered", "head_minors"),
        rows, ("head_tables", "head_store_rows", "head_registered", "head_minors"),
    )  # fmt: skip


def _world(w: Writer) -> Block:
    people: dict[str, int] = {}
    for _, _, line in w.assessed.people():
        if line["residence"] != NO_COUNTRY:
            people[line["residence"]] = people.get(line["residence"], 0) + line["people"]
    stores: dict[str, list[str]] = {}
    for store in w.assessed.examined.estate.stores:
        stores.setdefault(store.country, []).append(store.name)
    said = w.words(
        "world_described", n=len(people), stores=", ".join(w.words.country(c) for c in stores)
    )
    return world("world", w.words("world_plot"), said, people, stores, w.words)


def _homes(w: Writer) -> Block:
    found = w.assessed
    kinds: tuple[tuple[Fill, str], ...] = (
        ("open", "at_home"), ("hatch", "away"), ("dots", "nowhere"),
    )  # fmt: skip
    rows, said = [], []
    for store in found.examined.estate.stores:
        places: Places = {}
        for i, way, line in found.people():
            if line["store"] == store.name:
                lives = line["residence"]
                kind = {store.country: "at_home", NO_COUNTRY: "nowhere"}.get(lives, "away")
                places.setdefault(kind, []).append((i, f"{way}.people"))
        parts = tuple(
            (fill, w.fig(f"people in {store.name}: {kind.replace('_', ' ')}", *places[kind]))
            for fill, kind in kinds
            if kind in places
        )
        if parts:
            label = f"{store.name} ({store.country})"
            rows.append(Bar(label, parts))
            said.append(f"{label}: " + ", ".join(w.words.shown(f.value) for _, f in parts))
    legend = {fill: w.words(kind) for fill, kind in kinds}
    return bars(
        "homes", w.words("home_plot"), w.words("home_described", said="; ".join(said)), rows,
        legend, w.words,
    )  # fmt: skip


def _matrix(w: Writer) -> Table:
    """People by residence and store."""
    found = w.assessed
    lines = list(found.people())
    names = list(dict.fromkeys(line["store"] for _, _, line in lines))
    stores = [s for s in found.examined.estate.stores if s.name in names]
    counts: dict[str, int] = {}
    for _, _, line in lines:
        counts[line["residence"]] = counts.get(line["residence"], 0) + line["people"]
    ordered = sorted(counts, key=lambda c: (c != NO_COUNTRY, -counts[c], c))
    first, rest = ordered[:COUNTRIES], ordered[COUNTRIES:]

    def row(label: str, codes: Sequence[str]) -> tuple[Line | str, ...]:
        cells: list[Line] = []
        for store in stores:
            places: list[Place] = [
                (i, f"{way}.people") for i, way, line in lines
                if line["store"] == store.name and line["residence"] in codes
            ]  # fmt: skip
            mark = ("⌂ ",) if list(codes) == [store.country] and places else ()
            what = codes[0] if len(codes) == 1 else label
            cells.append((*mark, *w.some(f"people of {what} in {store.name}", places)))
        everywhere: list[Place] = [
            (i, f"{way}.people") for i, way, line in lines if line["residence"] in codes
        ]
        return (label, *cells, w.some(f"people of {label}", everywhere))

    rows = [row(w.country("" if code == NO_COUNTRY else code), [code]) for code in first]
    if rest:
        rows.append(row(w.words("matrix_rest", n=len(rest)), rest))
    rows.append(row(w.words("total"), ordered))
    heads = [w.words("head_residence"), *(f"{s.name} ({s.country})" for s in stores)]
    return Table(
        w.words("matrix"), (*heads, w.words("total")),
        tuple(tuple(c if isinstance(c, tuple) else (c,) for c in r) for r in rows),
        frozenset(range(1, len(stores) + 2)), w.words("matrix_note"), True,
    )  # fmt: skip


def _kinds(w: Writer) -> Table:
    """Groups of categories of personal data by store."""
    stores = w.assessed.map["stores"]
    has: dict[str, set[str]] = {}
    for store in stores:
        for table in store["tables"]:
            for category in table["categories"] if table["rows"] else ():
                group = ".".join(category.split(".")[:2])
                has.setdefault(group, set()).add(store["name"])
    rows = [
        (
            (w.words.group(group), " ", Name(group)),
            *(("●" if store["name"] in names else "·") for store in stores),
        )
        for group, names in sorted(has.items())
    ]
    heads = (w.words("head_categories"), *(s["name"] for s in stores))
    cells = tuple(tuple(c if isinstance(c, tuple) else (c,) for c in row) for row in rows)
    return Table(w.words("kinds"), heads, cells, frozenset(), w.words("kinds_note"))


# Flows between countries.


def flows(w: Writer) -> Section:
    """Where people's data rest, by where the people live; and what organisations receive."""
    return Section("flows", w.words("flows"), (*_resting(w), *_declared(w)))


def _resting(w: Writer) -> Iterator[Block]:
    country = {s.name: s.country for s in w.assessed.examined.estate.stores}
    pairs: dict[tuple[str, str], list[Place]] = {}
    counts: dict[tuple[str, str], int] = {}
    for i, way, line in w.assessed.people():
        pair = (line["residence"], country[line["store"]])
        pairs.setdefault(pair, []).append((i, f"{way}.people"))
        counts[pair] = counts.get(pair, 0) + line["people"]
    if not any(counts.values()):
        return
    yield _drawn(w, pairs, counts)
    away = sorted(
        (p for p in pairs if p[0] not in (p[1], NO_COUNTRY) and counts[p]),
        key=lambda p: (-counts[p], p),
    )
    if not away:
        yield w.plain("flows_none_abroad")
        return
    rows: list[tuple[Line | str, ...]] = [
        (w.country(a), w.country(b), w.some(f"people of {a} in {b}", pairs[a, b]))
        for a, b in away[:PAIRS]
    ]
    if len(away) > PAIRS:
        left = [place for pair in away[PAIRS:] for place in pairs[pair]]
        rows.append((w.words("others"), "", w.some("people of other pairs of countries", left)))
    yield w.table("flow_pairs", ("flows_lives", "flows_rests", "head_people"), rows,
                  ("head_people",))  # fmt: skip


def _drawn(
    w: Writer, pairs: Mapping[tuple[str, str], list[Place]], counts: Mapping[tuple[str, str], int]
) -> Block:
    lives: dict[str, int] = {}
    for (a, _), count in counts.items():
        lives[a] = lives.get(a, 0) + count
    ordered = sorted((a for a in lives if a != NO_COUNTRY), key=lambda a: (-lives[a], a))
    own = set(ordered[:BANDS])

    def side(code: str) -> str:
        if code == NO_COUNTRY:
            return w.words("unknown")
        return w.words.country(code) if code in own else w.words("others")

    sources: Places = {}
    targets: Places = {}
    between: dict[tuple[str, str, bool], int] = {}
    order = [*ordered, *([NO_COUNTRY] if NO_COUNTRY in lives else [])]
    for pair in sorted(pairs, key=lambda p: (order.index(p[0]), p[1])):
        a, b = side(pair[0]), w.words.country(pair[1])
        sources.setdefault(a, []).extend(pairs[pair])
        targets.setdefault(b, []).extend(pairs[pair])
        key = (a, b, pair[0] != pair[1])
        between[key] = between.get(key, 0) + counts[pair]
    left: dict[str, Figure] = {a: w.fig(f"people of {a}", *p) for a, p in sources.items()}
    right: dict[str, Figure] = {
        b: w.fig(f"people whose data rest in {b}", *p) for b, p in targets.items()
    }
    said = "; ".join(
        f"{a} \u2192 {b} {w.words.number(count)}" for (a, b, _), count in between.items()
    )
    return bands(
        "flow", w.words("flows_rest"), w.words("flows_described", said=said),
        [Band(a, b, count, crossing) for (a, b, crossing), count in between.items() if count],
        left, right, w.words,
    )  # fmt: skip


def _declared(w: Writer) -> Iterator[Block]:
    estate, plan = w.assessed.examined.estate, w.assessed.examined.plan
    if not estate.flows:
        yield Heading(w.words("flows_declared"))
        yield w.plain("flows_none")
        return
    known = organisations(estate)
    against: dict[str, list[str]] = {}
    for finding in plan["findings"]:
        if "flow" in finding:
            state = w.words(f"state_{_STATE[finding['state']]}")
            name = f"{finding['mandate']}/{finding['clause']} ({state})"
            against.setdefault(finding["flow"], []).append(name)
    rows = []
    for flow in estate.flows:
        body = known.get(flow.to)
        code = flow.country or (body.country if body else "")
        owners = ", ".join(
            f"{o.name} {o.share:g}%" + (f" ({o.country})" if o.country else "")
            for o in (body.owned_by if body else ())
        )
        rows.append((
            named(flow.source), flow.to, w.country(code) if code else w.words("not_declared"),
            owners or w.words("not_declared"),
            named(", ".join(flow.categories)) if flow.categories else w.words("not_declared"),
            named(", ".join(flow.uses)) if flow.uses else w.words("not_declared"),
            ", ".join(against.get(f"{flow.source} \u2192 {flow.to}", ())) or w.words("none"),
        ))  # fmt: skip
    yield w.table(
        "flows_declared",
        ("head_schema", "head_recipient", "head_country", "head_owners", "head_categories",
         "head_uses", "head_clauses"), rows,
    )  # fmt: skip
    yield Paragraph((w.words("declared_only"),), "note")


_STATE = {"curable": "broken", "held": "held", "unknown": "unknown"}
