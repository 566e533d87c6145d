"""The world map as inline SVG: countries shaded by people, a mark for each country with a store.

Shades differ in lightness, so that they also tell apart in black and white.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from importlib import resources
from typing import Any

from domicile.survey.map_words import Words

WIDTH, HEIGHT = 1440, 568
"""The grid of map_world.json: a quarter of a degree, from 84° north to 58° south."""

SHADES = 5
_NICE = (1, 2, 5)


def steps(most: int) -> list[int]:
    """The upper ends of up to five shades for counts from 1 to `most`, growing evenly by factor."""
    ends: list[int] = []
    for n in range(1, SHADES):
        target = most ** (n / SHADES)
        power = 10 ** (len(str(int(target))) - 1)
        nice = max((f * power for f in _NICE if f * power <= target), default=1)
        if nice < most and nice not in ends:
            ends.append(nice)
    return [*ends, most] if most else []


def shade(people: int, ends: Sequence[int]) -> int:
    """The shade of a count: 0 for nobody, else from 1 up to SHADES."""
    if not people:
        return 0
    place = next(n for n, end in enumerate(ends, 1) if people <= end)
    return place + SHADES - len(ends)


def world(people: Mapping[str, int], stores: Sequence[Mapping[str, Any]], words: Words) -> str:
    """The figure: map, legend, and what it cannot draw. `people` by ISO code."""
    drawn = outlines()
    ends = steps(max(people.values(), default=0))
    shapes = []
    for code, path in drawn["paths"].items():
        count = people.get(code, 0)
        title = f"<title>{_label(code, count, words)}</title>" if count else ""
        shapes.append(f'<path class="s{shade(count, ends)}" d="{path}">{title}</path>')
    for code, count in people.items():
        if code not in drawn["paths"] and code in drawn["middles"]:
            x, y = drawn["middles"][code]
            shapes.append(
                f'<circle class="dot s{shade(count, ends)}" cx="{x}" cy="{y}" r="6">'
                f"<title>{_label(code, count, words)}</title></circle>"
            )
    return (
        f'<figure><svg id="world" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-labelledby="world-title world-desc"><title id="world-title">'
        f"{escape(words('world'))}</title>"
        f'<desc id="world-desc">{escape(_described(people, stores, words))}</desc>'
        f"{''.join(shapes)}{_pins(stores, words)}</svg>"
        f"<figcaption>{_legend(ends, words)}{_stores(stores, words)}"
        f"{_missing(people, words)}</figcaption></figure>"
    )


@cache
def outlines() -> dict[str, Any]:
    """`paths`: the outline of each country by ISO code; `middles`: where a mark for it goes."""
    text = resources.files("domicile.survey").joinpath("map_world.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def _label(code: str, count: int, words: Words) -> str:
    return escape(f"{words.country(code)}: {words.number(count)} {words('people')}")


def _described(people: Mapping[str, int], stores: Sequence[Mapping[str, Any]], words: Words) -> str:
    top = sorted(people.items(), key=lambda p: (-p[1], p[0]))[:5]
    named = ", ".join(f"{words.country(c)} ({words.number(n)})" for c, n in top)
    places = ", ".join(sorted({words.country(s["country"]) for s in stores}))
    return words("world_desc", top=named or words("nobody_lives"), stores=places)


def _places(stores: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Stores by country, in the order of the estate."""
    places: dict[str, list[Mapping[str, Any]]] = {}
    for store in stores:
        places.setdefault(store["country"], []).append(store)
    return places


def _pins(stores: Sequence[Mapping[str, Any]], words: Words) -> str:
    pins = []
    for number, (code, here) in enumerate(_places(stores).items(), 1):
        if code not in outlines()["middles"]:
            continue
        x, y = outlines()["middles"][code]
        names = escape(f"{', '.join(s['name'] for s in here)}: {words.country(code)}")
        pins.append(
            f'<g class="pin" transform="translate({x} {y})"><g><title>{names}</title>'
            f'<circle r="17"/><text y="7" text-anchor="middle">{number}</text></g></g>'
        )
    return "".join(pins)


def _legend(ends: Sequence[int], words: Words) -> str:
    items = [f'<li><span class="key s0"></span>{escape(words("none"))}</li>']
    first = 1
    for end in ends:
        span = (
            words.number(end) if end == first else f"{words.number(first)}\u2013{words.number(end)}"
        )
        items.append(f'<li><span class="key s{shade(end, ends)}"></span>{span}</li>')
        first = end + 1
    return (
        f'<p class="legend-title" id="legend">{escape(words("legend"))}</p>'
        f'<ul class="legend" aria-labelledby="legend">{"".join(items)}</ul>'
    )


def _stores(stores: Sequence[Mapping[str, Any]], words: Words) -> str:
    items = []
    for number, (code, here) in enumerate(_places(stores).items(), 1):
        for store in here:
            said = words(
                "whose_store", store=store["name"], country=words.country(code),
                operator=store["operator"],
            )  # fmt: skip
            items.append(f'<li><span class="pin-key">{number}</span>{escape(said)}</li>')
    return f'<ul class="legend stores">{"".join(items)}</ul>'


def _missing(people: Mapping[str, int], words: Words) -> str:
    missing = [c for c in people if c not in outlines()["middles"]]
    if not missing:
        return ""
    named = ", ".join(f"{words.country(c)} ({words.number(people[c])})" for c in sorted(missing))
    return f"<p>{escape(words('not_drawn', countries=named))}</p>"
