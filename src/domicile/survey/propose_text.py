"""Writes a proposal as estate.yaml: a text for people, each part beside its reason.

Written by hand rather than dumped, because the comments are what it is for. What is not active
stands there as a comment that becomes valid by removing its `# `.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from domicile.estate.model import TableRole
from domicile.survey.propose_model import (
    UNKNOWN_COUNTRY,
    UNKNOWN_OPERATOR,
    Proposal,
    ProposedLink,
    ProposedPath,
    ProposedStore,
    ProposedSubject,
    ProposedTable,
    Reason,
)

_PLAIN = re.compile(r"[A-Za-z_<][A-Za-z0-9_.<-]*\Z")
# What a reader of YAML 1.1 takes for a truth value or nothing, and `NO` is also Norway.
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029\ufeff]+")
_WIDTH = 100


def scalar(text: str) -> str:
    """A text as one YAML scalar that any reader takes for that text."""
    if _PLAIN.match(text) and text.lower() not in _WORDS:
        return text
    if '"' in text and not _CONTROL.search(text):
        return "'" + text.replace("'", "''") + "'"
    return json.dumps(text, ensure_ascii=bool(_CONTROL.search(text)))


def render(proposal: Proposal) -> str:
    """The proposal as the text of an estate.yaml, with a newline at its end."""
    parts = [
        _head(proposal), _stores(proposal.stores), _subjects(proposal.subjects),
        _links(proposal.links), _tables(proposal.tables), _notes(proposal.notes),
    ]  # fmt: skip
    return "\n\n".join("\n".join(part) for part in (list(p) for p in parts) if part) + "\n"


def _head(proposal: Proposal) -> Iterator[str]:
    yield "# Proposed by `domicile init` from what is in the stores. Read it before you believe it:"
    yield "# each part has its reason; what starts with `guessed:` asks for a person to confirm it."
    yield "# Lines that are commented out were considered and not chosen."
    yield f"estate: {scalar(proposal.name)}"
    yield "# controller: {name: …, country: …}  # who answers for the data (GDPR Art. 4(7))"


def _stores(stores: Sequence[ProposedStore]) -> Iterator[str]:
    yield "stores:"
    for store in stores:
        yield from _reason(store.reason, "  ")
        yield f"  {scalar(store.name)}:"
        yield f"    url: {json.dumps(store.url, ensure_ascii=False)}"
        country = "  # say where it stands: init cannot know, and check asks for it"
        yield f"    country: {_code(store.country)}" + (
            country if store.country == UNKNOWN_COUNTRY else ""
        )
        operator = "  # say who runs it: no mandate trusts this name"
        yield f"    operator: {scalar(store.operator)}" + (
            operator if store.operator == UNKNOWN_OPERATOR else ""
        )
        yield f"    holds: {scalar(store.holds)}"
        if store.schema:
            yield f"    schema: {scalar(store.schema)}"
    for holds in without_home(stores):
        yield from _home(next(s for s in stores if s.holds == holds))


def without_home(stores: Sequence[ProposedStore]) -> list[str]:
    """The labels of which there is one store only, so that nothing of it can be moved."""
    labels = [s.holds for s in stores]
    return [label for label in dict.fromkeys(labels) if labels.count(label) == 1]


def _home(store: ProposedStore) -> Iterator[str]:
    """A home for what a store holds, as an example to fill in and uncomment."""
    url = {"sqlite": "sqlite:home.db", "file": "file:home"}.get(
        store.url.partition(":")[0].lower(), "postgresql://me@db.example/home"
    )
    text = (
        f"{store.holds} is in one store only, so nothing of it can be moved. Add the one where"
        " protected people's data should rest: an empty one, or one with the same tables"
    )
    yield from _comment(text, "  ")
    yield "  # home:"
    yield f"  #   url: {json.dumps(url)}"
    yield "  #   country: US"
    yield "  #   operator: Trusted Custodian Inc"
    yield f"  #   holds: {scalar(store.holds)}"


def _subjects(subjects: Sequence[ProposedSubject]) -> Iterator[str]:
    if not subjects:
        return
    yield "subjects:" if any(s.active for s in subjects) else "# subjects:"
    for subject in subjects:
        off = "" if subject.active else "# "
        yield from _reason(subject.reason, "  ", subject.active)
        yield f"  {off}{scalar(subject.name)}:"
        yield f"  {off}  register: {scalar(str(subject.register))}"
        key = [scalar(column) for column in subject.key]
        yield f"  {off}  key: {key[0] if len(key) == 1 else '[' + ', '.join(key) + ']'}"
        yield from _path("residence", subject.residence, off)
        if subject.residence is None:
            yield from _comment(
                "no residence was found: it is unknown for all of them until a path is declared",
                "    ",
            )
        for other in subject.other_residences if subject.active else ():
            yield from _comment(
                f"not chosen: residence: {other.path} because {other.reason.because}", "    "
            )
        yield from _path("born", subject.born, off)


def _path(name: str, proposed: ProposedPath | None, off: str) -> Iterator[str]:
    if proposed:
        if not off:
            yield from _reason(proposed.reason, "    ")
        yield f"  {off}  {name}: {scalar(str(proposed.path))}"


def _links(links: Sequence[ProposedLink]) -> Iterator[str]:
    if not links:
        return
    yield "links:" if any(k.active for k in links) else "# links:"
    for link in links:
        off = "" if link.active else "# "
        yield from _reason(link.reason, "  ", link.active)
        several = bool(link.more) and link.to == str(link.target)
        source = _several(link.sources) if link.more else scalar(str(link.source))
        to = _several(link.targets) if several else scalar(link.to)
        said = ", ".join(f"{_key(column)}: {scalar(text)}" for column, text in link.where)
        where = f", where: {{{said}}}" if said else ""
        yield f"  {off}- {{from: {source}, to: {to}{where}}}"


def _several(names: Sequence[str]) -> str:
    return f"[{', '.join(scalar(name) for name in names)}]"


def _key(column: str) -> str:
    """A column as a key of a mapping: exactly what it is, but for one that begins with a quote."""
    if column.startswith('"'):
        column = '"' + column.replace('"', '""') + '"'
    return scalar(column)


def _tables(tables: Sequence[ProposedTable]) -> Iterator[str]:
    if not tables:
        return
    yield "tables:" if any(t.active for t in tables) else "# tables:"
    for proposed in tables:
        off = "" if proposed.active else "# "
        yield from _reason(proposed.reason, "  ", proposed.active)
        yield f"  {off}{scalar(str(proposed.table))}: {{{_role(proposed.role)}}}"


def _role(role: TableRole) -> str:
    parts = []
    if role.role:
        parts.append(f"role: {role.role}")
    if role.of:
        parts.append(f"of: [{', '.join(scalar(str(column)) for column in role.of)}]")
    if role.joint != "hold":
        parts.append(f"joint: {role.joint}")
    if role.author:
        parts.append(f"author: {scalar(str(role.author))}")
    return ", ".join(parts)


def _notes(notes: Sequence[str]) -> Iterator[str]:
    for note in notes:
        yield from _comment(f"seen: {note}", "")


def _reason(reason: Reason, indent: str, active: bool = True) -> Iterator[str]:
    if not active:
        return _comment(f"not chosen: {reason.because}", indent)
    if reason.guessed:
        return _comment(f"guessed: {reason.because}; confirm", indent)
    return _comment(f"because {reason.because}", indent)


def _comment(text: str, indent: str) -> Iterator[str]:
    """A comment, over several lines when it is long. Odd characters of names become spaces."""
    words = _CONTROL.sub(" ", text).split()
    line = f"{indent}#"
    for word in words:
        if len(line) + 1 + len(word) > _WIDTH and line.strip() != "#":
            yield line
            line = f"{indent}#  "
        line = f"{line} {word}"
    yield line


def _code(country: str) -> str:
    return f'"{country}"' if country.lower() in _WORDS else country
