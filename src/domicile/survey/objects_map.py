"""The data map's part about folders of files: how many, how large, and whose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from domicile.counted import counted
from domicile.survey.map_rows import SEVERAL, UNKNOWN, Residences
from domicile.survey.objects import Objects

Doc = dict[str, Any]


def folders(objects: Objects, residences: Mapping[str, Residences]) -> list[Doc]:
    """Every folder of one label. `residences`: cell → its rows by residence, worked out before."""
    named = _by_residence(objects, residences)
    found = []
    for number, store in enumerate(objects.stores):
        files, size = objects.index.all(
            "SELECT count(*), coalesce(sum(size), 0) FROM file WHERE store = ?", (number,)
        )[0]
        shares = [
            {"residence": place[1], "whose": place[0], "files": count}
            for place, count in sorted(
                named.get(number, {}).items(), key=lambda s: (-s[1], s[0][0], s[0][1] or "")
            )
        ]
        found.append({
            "name": store.name, "country": store.declared.country,
            "operator": store.declared.operator, "holds": objects.holds, "files": int(files),
            "bytes": int(size), "keys": [r.key for r in objects.rules.values()],
            "files_by_residence": shares,
        })  # fmt: skip
    return found


def unknowns(objects: Objects) -> Iterator[Doc]:
    """Files without a row, and rows without their file."""
    for number, store in enumerate(objects.stores):
        keyed, keyless = objects.rowless(number)
        for reason, count in said(objects, number, keyed, keyless):
            yield {
                "store": store.name, "table": objects.holds, "column": "", "code": "orphan",
                "count": count, "reason": reason,
            }  # fmt: skip
    for cell, table, rows, reason in missing(objects):
        yield {
            "store": cell, "table": table, "column": "", "code": "missing", "count": rows,
            "reason": reason,
        }  # fmt: skip


def said(objects: Objects, number: int, keyed: int, keyless: int) -> Iterator[tuple[str, int]]:
    """What a folder holds that no row answers for, in words, with its count.

    `keyed`: files that fit a declared key, `keyless`: that fit none; neither named by any row.
    """
    listing = objects.listings[number]
    leaving = sum(1 for path in listing.unfinished if "/.domicile-tmp-out-" in f"/{path}")
    for count, what in (
        (keyed, "no row names, though a key of `objects` fits"),
        (keyless, "no key of `objects` fits"),
        (listing.odd_names, "no row can name: the name is not UTF-8"),
        (leaving, "a run whose journal is lost left without a name"),
    ):
        if count:
            yield f"{counted(count, 'file')} that {what}", count
    for count, one, what in (
        (listing.links, "symbolic link", ": what a link leads to is not in this store, and stays"),
        (listing.special, "special file", ""),
        (listing.deep, "folder", " too deep to be entered"),
    ):
        if count:
            yield f"{counted(count, one)}{what}", count


def missing(objects: Objects) -> Iterator[tuple[str, str, int, str]]:
    """(cell, table, rows, reason) of rows whose file is in no folder, by rule."""
    for (cell, number), count in objects.missing.items():
        if count.rows:
            rule = objects.rules[number]
            rows = counted(count.rows, "row names a file", "rows name files")
            reason = f"{rows} of {rule.key} that no folder has"
            if count.outside:
                reason += f"; of these {count.outside:,} by a name that is no place in a folder"
            yield cell, str(rule.table), count.rows, reason


def _by_residence(
    objects: Objects, residences: Mapping[str, Residences]
) -> dict[int, dict[tuple[str, str | None], int]]:
    """Folder's number → (whose, residence) → files that rows of such people name."""
    found: dict[int, dict[tuple[str, str | None], int]] = {}
    for (cell, rule), matched in objects.matched.items():
        mine = residences[cell]
        assert mine.ownership is not None  # worked out before
        table = objects.rules[rule].table.table
        about = mine.ownership.work.get(table)
        label, join = "NULL", ""
        if about is not None:
            shapes = mine.ownership.shapes
            same = " AND ".join(f"w.{k} = m.{k}" for k in shapes.labels(table))
            label = f"CASE WHEN w.lo = w.hi THEN w.lo ELSE {SEVERAL} END"
            join = f"LEFT JOIN {about} w ON {same}"
            label = f"CASE WHEN w.lo IS NULL THEN NULL ELSE {label} END"
        for number, code, count in mine.cell.session.query(
            f"SELECT s, label, count(*) FROM (SELECT m.s, m.n, {label} AS label "
            f"FROM {matched} m {join} GROUP BY 1, 2, 3) x GROUP BY s, label"
        ):
            place: tuple[str, str | None] = ("nobody", None)
            if code is not None:
                special = {SEVERAL: "several", UNKNOWN: "unknown"}.get(int(code))
                place = (special, None) if special else ("known", mine.codes[int(code) - 1])
            shares = found.setdefault(int(number), {})
            shares[place] = shares.get(place, 0) + int(count)
    return found
