"""Writes src/domicile/survey/map_world.json: outlines and middles of countries, by ISO code.

usage: python scripts/make_world_map.py countries-110m.json countries-50m.json

The input is TopoJSON of the npm package world-atlas 2.0.2: Natural Earth 4.1.0, in the public
domain (naturalearthdata.com/about/terms-of-use). Outlines come from the small scale and are drawn
on a grid of a quarter of a degree; countries too small for it are dots at the middle that the
medium scale gives.
"""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pycountry

TARGET = Path(__file__).parents[1] / "src" / "domicile" / "survey" / "map_world.json"
GRID = 4  # steps a degree
TOP = 84  # degrees north that the map begins at; it ends at 58 south, above Antarctica
NAMED = {"Kosovo": "XK", "N. Cyprus": "CY", "Somaliland": "SO"}
"""What Natural Earth draws apart without an ISO number, under the code that ISO knows it by."""

ELSEWHERE = {
    "BQ": (-68.3, 12.2), "CC": (96.9, -12.2), "CX": (105.6, -10.5), "GF": (-53.1, 4.0),
    "GI": (-5.4, 36.1), "GP": (-61.5, 16.2), "MQ": (-61.0, 14.6), "RE": (55.5, -21.1),
    "SJ": (17.0, 78.5), "TK": (-171.8, -9.2), "TV": (179.2, -8.5), "UM": (-160.0, 0.4),
    "YT": (45.2, -12.8),
}  # fmt: skip
"""Longitude and latitude of territories that Natural Earth draws within a state, or not at all."""

Ring = list[tuple[float, float]]


def rings(topology: dict[str, Any]) -> dict[str, list[Ring]]:
    """The outer rings of each country, in degrees, by alpha-2 code."""
    scale, shift = topology["transform"]["scale"], topology["transform"]["translate"]
    arcs: list[Ring] = []
    for arc in topology["arcs"]:
        x = y = 0
        points: Ring = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            points.append((x * scale[0] + shift[0], y * scale[1] + shift[1]))
        arcs.append(points)
    found: dict[str, list[Ring]] = {}
    for shape in topology["objects"]["countries"]["geometries"]:
        country = pycountry.countries.get(numeric=str(shape.get("id", "")).zfill(3))
        code = country.alpha_2 if country else NAMED.get(shape["properties"]["name"], "")
        polygons = shape.get("arcs", [])
        if shape.get("type") == "Polygon":
            polygons = [polygons]
        for polygon in polygons if code and code != "AQ" else []:
            ring: Ring = []
            for index in polygon[0]:
                part = arcs[index] if index >= 0 else arcs[~index][::-1]
                ring += part[1:] if ring else part
            found.setdefault(code, []).extend(unrolled(ring))
    return found


def unrolled(ring: Ring) -> list[Ring]:
    """A ring that crosses 180 degrees, drawn past the edge on both sides; the frame cuts it."""
    x, shift = ring[0][0], 0.0
    points: Ring = []
    for longitude, latitude in ring:
        if abs(longitude + shift - x) > 180:
            shift += 360 if longitude + shift < x else -360
        x = longitude + shift
        points.append((x, latitude))
    if all(-180 <= p[0] <= 180 for p in points):
        return [points]
    other = -360 if max(p[0] for p in points) > 180 else 360
    return [points, [(x + other, y) for x, y in points]]


def path(ring: Ring) -> str:
    """One ring as SVG path data on the grid, relative; empty when nothing is left of it."""
    points = [(round((x + 180) * GRID), round((TOP - y) * GRID)) for x, y in ring]
    points = [p for n, p in enumerate(points) if n == 0 or p != points[n - 1]]
    if len(set(points)) < 3:
        return ""
    (x, y), steps = points[0], []
    for (ax, ay), (bx, by) in pairwise(points):
        steps.append(f"{bx - ax} {by - ay}")
    return f"M{x} {y}l{' '.join(steps)}z".replace(" -", "-")


def middle(country: list[Ring]) -> list[int]:
    """The middle of the largest ring, on the grid."""

    def area(ring: Ring) -> float:
        pairs = zip(ring, ring[1:] + ring[:1], strict=True)
        return abs(sum(ax * by - bx * ay for (ax, ay), (bx, by) in pairs)) / 2

    ring = max(country, key=area)
    x = sum(p[0] for p in ring) / len(ring)
    y = sum(p[1] for p in ring) / len(ring)
    return grid(x, y)


def grid(x: float, y: float) -> list[int]:
    """Longitude and latitude on the grid."""
    return [round((x + 180) * GRID), round((TOP - y) * GRID)]


def main(small: Path, medium: Path) -> None:
    """Write the file."""
    outlines = rings(json.loads(small.read_text("utf-8")))
    middles = rings(json.loads(medium.read_text("utf-8")))
    world = {
        "source": "Natural Earth 4.1.0 (public domain)",
        "paths": {c: "".join(map(path, r)) for c, r in sorted(outlines.items())},
        "middles": {
            c: middle(r) if r else grid(*ELSEWHERE[c])
            for c, r in sorted({**{e: [] for e in ELSEWHERE}, **outlines, **middles}.items())
        },
    }
    text = json.dumps(world, ensure_ascii=True, separators=(",", ":"))
    TARGET.write_text(text.replace('","', '",\n"').replace("],", "],\n") + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
