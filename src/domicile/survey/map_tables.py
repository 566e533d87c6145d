"""The tables of the HTML map: people by residence, whose rows, data categories, all columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from domicile.estate.categories import covers
from domicile.survey.map_words import Words

Doc = dict[str, Any]

FIRST_COUNTRIES = 15
"""Countries shown before the rest folds away."""

ROLES = ("register", "attachment", "dependent", "unowned", "reference", "ignore")
PARTS = ("home", "away", "several", "unknown", "nobody")


# People by residence and store.


def matrices(document: Doc, words: Words) -> str:
    """A matrix for each kind of data subject, and who is registered elsewhere."""
    subjects = list(dict.fromkeys(p["subject"] for p in document["people"]))
    if not subjects:
        return f"<p>{escape(words('nobody_registered'))}</p>"
    parts = [
        _matrix([p for p in document["people"] if p["subject"] == s], document["stores"],
                words("matrix_subject", subject=s), words)
        for s in subjects
    ]  # fmt: skip
    away: dict[tuple[str, str], int] = {}
    for person in document["elsewhere"]:
        key = person["store"], person["subject"]
        away[key] = away.get(key, 0) + person["people"]
    for (store, subject), count in away.items():
        said = words("elsewhere", store=store, subject=subject, n=count)
        parts.append(f"<p>{escape(said)}</p>")
    return "".join(parts)


def _matrix(people: Sequence[Doc], stores: Sequence[Doc], caption: str, words: Words) -> str:
    counts: dict[str, dict[str, Doc]] = {}
    for person in people:
        counts.setdefault(person["residence"] or "", {})[person["store"]] = person
    order = sorted(counts, key=lambda c: (bool(c), -sum(p["people"] for p in counts[c].values())))
    ages = any(p["age_unknown"] < p["people"] for p in people)
    heads = [f"{s['name']} ({s['country']})" for s in stores] + [words("total")]
    if ages:
        heads.append(words("minors"))
    head = "".join(f'<th scope="col" class="n">{escape(h)}</th>' for h in heads)
    head = f'<thead><tr><th scope="col">{escape(words("residence"))}</th>{head}</tr></thead>'
    lines = [_residence(code, counts[code], stores, ages, words) for code in order]
    first, rest = lines[:FIRST_COUNTRIES], lines[FIRST_COUNTRIES:]
    if len(rest) < FIRST_COUNTRIES // 3:
        first, rest = lines, []
    total = _sum(people, stores, ages, words)
    note = f'<span class="note">⌂ = {escape(words("home_mark"))}</span>'
    shown = _wide(caption, f"{head}<tbody>{''.join(first)}{total}</tbody>", words, "matrix", note)
    if rest:
        folded = words("matrix_rest", n=len(rest))
        shown += (
            f"<details><summary>{escape(folded)}</summary>"
            + _wide(folded, f"{head}<tbody>{''.join(rest)}</tbody>", words, "matrix")
            + "</details>"
        )
    return shown


def _residence(
    code: str, counts: Mapping[str, Doc], stores: Sequence[Doc], ages: bool, words: Words
) -> str:
    cells = []
    for store in stores:
        count = counts[store["name"]]["people"] if store["name"] in counts else 0
        home = bool(count) and store["country"] == code
        mark = (
            '<span aria-hidden="true">⌂ </span>'
            f'<span class="sr">{escape(words("home_mark"))}: </span>'
        )
        cells.append(_number(count, words, mark if home else "", "home" if home else ""))
    cells.append(_number(sum(p["people"] for p in counts.values()), words))
    if ages:
        cells.append(_number(sum(p["minors"] for p in counts.values()), words))
    name = f"{words.country(code)} ({code})" if code else words("unknown")
    lost = "" if code else ' class="lost"'
    return f'<tr{lost}><th scope="row">{escape(name)}</th>{"".join(cells)}</tr>'


def _sum(people: Sequence[Doc], stores: Sequence[Doc], ages: bool, words: Words) -> str:
    sums = [sum(p["people"] for p in people if p["store"] == s["name"]) for s in stores]
    sums.append(sum(sums))
    if ages:
        sums.append(sum(p["minors"] for p in people))
    cells = "".join(_number(n, words) for n in sums)
    return f'<tr class="sum"><th scope="row">{escape(words("total"))}</th>{cells}</tr>'


# Whose rows.


def whose(stores: Sequence[Doc], words: Words) -> str:
    """For each store its tables with the shares of their rows."""
    keys = "".join(
        f'<li><svg class="swatch" viewBox="0 0 24 14" aria-hidden="true">{_part(p, 0, 24)}</svg>'
        f"{escape(words('part_' + p))}</li>"
        for p in PARTS
    )
    parts = [f'<p class="note">{escape(words("whose_lead"))}</p><ul class="legend">{keys}</ul>']
    for store in stores:
        title = words(
            "whose_store", store=store["name"], country=words.country(store["country"]),
            operator=store["operator"],
        )  # fmt: skip
        shown = [t for t in in_order(store["tables"]) if t["rows"] and matters(t)]
        parts.append(f"<h3>{escape(title)}</h3>")
        if shown:
            head = _head(("table", ""), ("owner", ""), ("rows", "n"), ("bar", ""), ("split", ""),
                         words=words)  # fmt: skip
            body = "".join(_owned(t, store["country"], words) for t in shown)
            parts.append(_wide(title, f"{head}<tbody>{body}</tbody>", words, hidden=True))
        left = len(store["tables"]) - len(shown)
        said = words("others", n=left) if left else ""
        if not store["tables"]:
            said = words("empty")
        parts.append(f'<p class="note">{escape(said)}</p>' if said else "")
    return "".join(parts)


def _owned(table: Doc, country: str, words: Words) -> str:
    shares = [
        (
            words.country(s["residence"]) if s["residence"] else words("short_" + s["whose"]),
            s["rows"],
        )
        for s in table["rows_by_residence"]
    ]
    named = " · ".join(f"{escape(name)} {words.number(n)}" for name, n in shares[:3])
    if len(shares) > 3:
        named += " · " + escape(words("more", n=len(shares) - 3))
    return (
        f'<tr><th scope="row" class="name">{escape(table["name"])}</th>'
        f'<td class="route">{_owner(table["owner"], words)}</td>{_number(table["rows"], words)}'
        f"<td>{_bar(table, country, words)}</td>"
        f'<td class="split">{named}</td></tr>'
    )


def _owner(owner: Doc, words: Words) -> str:
    role = escape(words("role_" + owner["role"]))
    if owner["route"]:
        return f'<span class="name">{escape(owner["route"])}</span>'
    return f"{role}: {escape(owner['subject'])}" if owner["subject"] else role


def _bar(table: Doc, country: str, words: Words) -> str:
    """The shares of a table's rows as one bar, with the same in words for who cannot see it."""
    sums = dict.fromkeys(PARTS, 0)
    for share in table["rows_by_residence"]:
        part = share["whose"]
        if part == "known":
            part = "home" if share["residence"] == country else "away"
        sums[part] += share["rows"]
    total = sum(sums.values())
    said = ", ".join(f"{words.share(n, total)} {words('part_' + p)}" for p, n in sums.items() if n)
    at, parts = 0.0, []
    for part, count in sums.items():
        if count:
            width = 144 * count / total
            parts.append(_part(part, at, width))
            at += width
    return (
        f'<svg class="bar" viewBox="0 0 144 14" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(said)}"><title>{escape(said)}</title>{"".join(parts)}</svg>'
    )


def _part(part: str, at: float, width: float) -> str:
    place = f'x="{at:.1f}" y="0" width="{width:.1f}" height="14"'
    if part in ("several", "unknown"):
        return f'<rect {place} fill="url(#part-{part})"/>'
    return f'<rect {place} class="{part}-part"/>'


def patterns() -> str:
    """Hatching and dots that tell shares apart without colour; once on the page."""
    return (
        '<svg class="defs" aria-hidden="true" width="0" height="0"><defs>'
        '<pattern id="part-several" width="6" height="6" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><rect class="tint-several" width="6" height="6"/>'
        '<path class="ink-several" d="M0 0v6"/></pattern>'
        '<pattern id="part-unknown" width="6" height="6" patternUnits="userSpaceOnUse">'
        '<rect class="tint-lost" width="6" height="6"/><circle class="ink-lost" cx="3" cy="3" '
        'r="1.5"/></pattern></defs></svg>\n'
    )


# Data categories.


def matters(table: Doc) -> bool:
    """Whether a table is about people, or holds what describes people."""
    return bool(table["categories"]) or table["owner"]["role"] in ROLES[:3]


def in_order(tables: Sequence[Doc]) -> list[Doc]:
    """Registers first, then attachments, what depends on them, and the rest."""
    return sorted(tables, key=lambda t: (ROLES.index(t["owner"]["role"]), t["name"]))


def schemas(stores: Sequence[Doc]) -> dict[str, list[Doc]]:
    """The tables of each schema, taken together over its cells."""
    found: dict[str, dict[str, Doc]] = {}
    for store in stores:
        for table in store["tables"]:
            known = found.setdefault(store["holds"], {}).setdefault(
                table["name"], {**table, "columns": []}
            )
            old = {c["name"]: c for c in known["columns"]}
            new = {c["name"]: c for c in table["columns"]}
            known["columns"] = [
                old[name] if name in old and (old[name]["category"] or name not in new)
                else new[name]
                for name in {**old, **new}
            ]  # fmt: skip
    return {holds: in_order(list(tables.values())) for holds, tables in found.items()}


def kinds(stores: Sequence[Doc], words: Words) -> str:
    """Tables by groups of categories, a matrix for each schema."""
    parts = []
    for holds, tables in schemas(stores).items():
        grouped = {t["name"]: _groups(t) for t in tables}
        shown = [t for t in tables if grouped[t["name"]]]
        groups = sorted({g for t in shown for g in grouped[t["name"]]})
        if not groups:
            continue
        head = "".join(
            f'<th scope="col" class="turned"><span>{escape(words.group(g))}</span></th>'
            for g in groups
        )
        body = "".join(
            f'<tr><th scope="row" class="name">{escape(t["name"])}</th>'
            f"<td>{escape(words('role_' + t['owner']['role']))}</td>"
            + "".join(_dot(grouped[t["name"]].get(g, []), words) for g in groups)
            + "</tr>"
            for t in shown
        )
        first = _ths(("table", ""), ("role", ""), words=words)
        table = f"<thead><tr>{first}{head}</tr></thead><tbody>{body}</tbody>"
        parts.append(_wide(words("kinds_of", holds=holds), table, words, "stuck matrix"))
    if not parts:
        return f"<p>{escape(words('kinds_nothing'))}</p>"
    return f'<p class="note">{escape(words("kinds_lead"))}</p>' + "".join(parts)


def _groups(table: Doc) -> dict[str, list[str]]:
    """The table's columns by the second level of their personal categories."""
    found: dict[str, list[str]] = {}
    for column in table["columns"]:
        seen = {c for c in (column["category"], *column["also"]) if covers("user", c)}
        for group in sorted({".".join(c.split(".")[:2]) for c in seen}):
            found.setdefault(group, []).append(column["name"])
    return found


def _dot(names: Sequence[str], words: Words) -> str:
    if not names:
        return '<td class="c none"><span aria-hidden="true">·</span></td>'
    return f'<td class="c full" title="{escape(", ".join(names))}">{words.number(len(names))}</td>'


def columns(stores: Sequence[Doc], words: Words) -> str:
    """Every column with its verdict, folded."""
    parts = []
    for holds, tables in schemas(stores).items():
        lines = [(t, c) for t in tables for c in t["columns"]]
        title = words("columns_of", n=len(lines), holds=holds)
        head = _head(("column", ""), ("type", ""), ("category", ""), ("confidence", "n"),
                     ("by", ""), ("why", ""), words=words)  # fmt: skip
        body = "".join(_column(t, c, words) for t, c in lines)
        parts.append(
            f"<details><summary>{escape(title)}</summary>"
            + _wide(title, f"{head}<tbody>{body}</tbody>", words, hidden=True)
            + "</details>"
        )
    return "".join(parts)


def _column(table: Doc, column: Doc, words: Words) -> str:
    kind = column["category"] or words("unknown")
    sure = words.share(round(100 * column["confidence"]), 100) if column["category"] else ""
    lost = "" if column["category"] else ' class="lost"'
    return (
        f'<tr{lost}><th scope="row" class="name">{escape(table["name"])}.{escape(column["name"])}'
        f'</th><td class="name">{escape(column["type"])}</td><td class="name">{escape(kind)}</td>'
        f'<td class="n">{sure}</td><td class="name">{escape(column["by"])}</td>'
        f'<td class="why" lang="en">{escape(column["reason"])}</td></tr>'
    )


# Pieces.


def _wide(
    caption: str, table: str, words: Words, kind: str = "", note: str = "", *, hidden: bool = False
) -> str:
    """A table that scrolls by itself where it does not fit, also with the keyboard."""
    label = escape(caption)
    shown = f"<caption{' class=sr' if hidden else ''}>{label} {note}</caption>"
    fits = " fit" if "matrix" in kind else ""
    return (
        f'<div class="wide{fits}" tabindex="0" role="region" aria-label="{label} '
        f'({escape(words("scrolls"))})"><table class="{kind}">{shown}{table}</table></div>'
    )


def _head(*names: tuple[str, str], words: Words) -> str:
    return f"<thead><tr>{_ths(*names, words=words)}</tr></thead>"


def _ths(*names: tuple[str, str], words: Words) -> str:
    return "".join(
        f'<th scope="col" class="{kind}">{escape(words(name))}</th>' for name, kind in names
    )


def _number(count: int, words: Words, mark: str = "", kind: str = "") -> str:
    zero = "" if count else " zero"
    return f'<td class="n {kind}{zero}">{mark}{words.number(count)}</td>'
