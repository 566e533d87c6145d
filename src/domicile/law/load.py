"""Makes mandates from YAML: one file, or all that an estate is under.

Every problem is one DeclarationError with file, line and key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from domicile.errors import DeclarationError
from domicile.estate.declared import categories, known, uses
from domicile.estate.document import Document, Key, digest, read_document, suggestion
from domicile.estate.model import Estate
from domicile.estate.validate import shown, validate
from domicile.law import kinds
from domicile.law.contradictions import contradictions
from domicile.law.countries import UnknownCountryError, expand
from domicile.law.model import (
    KINDS,
    Approvals,
    Clause,
    Cosignatures,
    Dated,
    Mandate,
    Protects,
    StatusChange,
)
from domicile.law.source import filled, library, merged

SCHEMA = ("domicile.law", "mandate.schema.json")
"""Package and name of the mandate's JSON Schema."""

_BESIDE = tuple(key for name in KINDS for key in kinds.kind(name).beside)
_ABOUT = ("citation", "source", "verified", "note")  # where a clause's facts are from
_WHEN = ("status", "effective", "until", "deadline")  # where they are not the mandate's
_COUNTRIES = ("country", "not_country", "recipient_country")
_LISTS = ("operator", "employer", "role", "recipients", "language", "to", "services",
          "exceptions", "titles", "sdks", "domains", "fleets", "groups")  # fmt: skip
_USES = ("purposes", "forbid", "needs_consent", "uses")
_DATES = ("by", "from", "until")


def load_mandate(path: str | Path, on: date | None = None) -> Mandate:
    """Read and check one mandate, with what it extends; groups such as EU and parameters are those
    of the day `on` (today, UTC).

    Raises DeclarationError.
    """
    day = on or datetime.now(UTC).date()
    written = merged(path)
    document = filled(written, day)
    _check_kinds(document)
    data = document.data
    # What an extension may leave out, the two together may not.
    alone = {key: value for key, value in data.items() if key != "extends"}
    validate(Document(document.file, alone, document.lines), *SCHEMA)
    mandate = Mandate(
        id=data["mandate"],
        title=data["title"],
        file=str(path),
        status=data["status"],
        effective=_date(document, ("effective",), data["effective"]),
        protects=_protects(document, day),
        clauses=_clauses(document, day),
        issuer=data.get("issuer", ""),
        citation=data.get("citation", ""),
        deadline=_date(document, ("deadline",), data["deadline"]) if "deadline" in data else None,
        digest=digest(written.data),
        source=data.get("source", ""),
        verified=data.get("verified"),
        notes=data.get("notes", ""),
        extends=written.data.get("extends", ""),
        history=_history(document),
        parameters=_parameters(document),
        approvals=tuple(Approvals(**body) for body in data.get("approvals", ())),
        cosignatures=_cosignatures(data.get("cosignatures")),
    )
    for key, message, hint in contradictions(mandate):
        raise document.error(key, message, hint=hint)
    return mandate


def _cosignatures(body: Mapping[str, Any] | None) -> Cosignatures | None:
    return Cosignatures(body["need"], tuple(body.get("of", ()))) if body else None


def load_mandates(
    estate: Estate, extra: Sequence[str | Path] = (), on: date | None = None
) -> tuple[Mandate, ...]:
    """The mandates an estate is under, and `extra` ones (files, or ids of the library).

    They are those that the estate lists under `mandates:`, else `mandates/*.yaml` beside it,
    sorted by file name. Naming one again as an extra changes nothing; another mandate of the
    same id is an error. Raises DeclarationError.
    """
    directory = Path(estate.file).parent
    if estate.mandate_files:
        files = [
            _find(name, directory, estate.file, index)
            for index, name in enumerate(estate.mandate_files)
        ]
    else:
        folder = directory / "mandates"
        files = sorted(p for p in folder.glob("*") if p.suffix in (".yaml", ".yml"))
    mandates: dict[str, Mandate] = {}
    for path in files:
        _add(mandates, load_mandate(path, on))
    for each in extra:
        if str(each) not in mandates:
            _add(mandates, load_mandate(mandate_file(str(each)), on))
    for mandate in mandates.values():
        _check_subjects(mandate, estate)
    return tuple(mandates.values())


def mandate_file(name: str) -> Path:
    """The file that a command line means: a file, or an id of the library.

    Raises DeclarationError with the nearest id.
    """
    return _find(name, Path(), "")


def _find(name: str, directory: Path, file: str, index: int = 0) -> Path:
    """A file relative to `directory`, or a mandate of the library.

    `file` is the estate that lists it, at `index`; empty for a command line.
    """
    path = directory / Path(name).expanduser()
    if path.is_file():
        return path
    shipped = library()
    if name in shipped:
        return shipped[name]
    line = read_document(file).line(("mandates", index)) if file else 0
    key = "mandates" if file else ""
    if path.suffix in (".yaml", ".yml") or "/" in name:
        raise DeclarationError(
            f"there is no such file: {name}",
            file=file,
            line=line,
            key=key,
            hint="paths are from where the estate file is; a name without .yaml is of the library"
            if file
            else "correct the path; a name without .yaml is one of the library",
        )
    raise DeclarationError(
        f"got {shown(name)}, expected a file or an id of the library",
        file=file,
        line=line,
        key=key,
        hint=suggestion(name, shipped, names="")
        or "`domicile law list` shows the ids of the library.",
    )


def _add(mandates: dict[str, Mandate], mandate: Mandate) -> None:
    other = mandates.get(mandate.id)
    if other is None:
        mandates[mandate.id] = mandate
    elif Path(other.file).resolve() != Path(mandate.file).resolve():
        raise DeclarationError(
            f"the id {mandate.id} is taken by {other.file}",
            file=mandate.file,
            key="mandate",
            hint="Give one of them another id, or remove it.",
        )


def _check_subjects(mandate: Mandate, estate: Estate) -> None:
    declared = sorted(subject.name for subject in estate.subjects)
    for name in mandate.protects.subjects:
        if name not in declared:
            document = read_document(mandate.file)
            known(document, ("protects", "subjects"), "subject", name, declared)


def _check_kinds(document: Document) -> None:
    """Exactly one kind a clause; said here because a schema's oneOf cannot say it well."""
    clauses = document.data.get("clauses")
    for index, clause in enumerate(clauses if isinstance(clauses, list) else ()):
        if not isinstance(clause, dict):
            continue
        present = [name for name in KINDS if name in clause]
        if len(present) > 1:
            raise document.error(
                ("clauses", index),
                f"got the kinds {' and '.join(present)}, expected one",
                hint="Write a clause for each duty.",
            )
        if not present:
            about = ("id", "otherwise", *_BESIDE, *_ABOUT, *_WHEN)
            odd = next((key for key in clause if key not in about), "")
            raise document.error(
                ("clauses", index, odd) if odd else ("clauses", index),
                "unknown key, and no kind of clause" if odd else "no kind of clause",
                hint=suggestion(odd, KINDS, names="Kinds"),
            )


def _protects(document: Document, day: date) -> Protects:
    body, key = document.data["protects"], ("protects",)
    age = body.get("age", {})
    under, start = age.get("under"), age.get("from")
    by_country = _ages(document, day) if isinstance(under, dict) else ()
    if by_country:
        under = None
    if under is not None and start is not None and start >= under:
        raise document.error(
            (*key, "age"), f"got from {start} and under {under}: nobody is of that age"
        )
    given = _list(body.get("categories", "user"))
    return Protects(
        residence=_expand(document, (*key, "residence"), body.get("residence", ()), day),
        unknown_residence=body.get("unknown_residence", "report"),
        categories=categories(document, (*key, "categories"), given),
        age_under=under,
        age_from=start,
        ages_under=by_country,
        subjects=tuple(_list(body.get("subjects", ()))),
    )


def _ages(document: Document, day: date) -> tuple[tuple[int, frozenset[str]], ...]:
    """Ages and the countries where they hold; no country has two."""
    key: Key = ("protects", "age", "under")
    result: list[tuple[int, frozenset[str]]] = []
    for age, countries in sorted(document.data["protects"]["age"]["under"].items()):
        codes = _expand(document, (*key, age), countries, day)
        for other, taken in result:
            if both := sorted(codes & taken):
                raise document.error(
                    (*key, age), f"{both[0]} has the age {other} already; keep one of them"
                )
        result.append((int(age), codes))
    return tuple(result)


def _history(document: Document) -> tuple[StatusChange, ...]:
    return tuple(
        StatusChange(
            on=_date(document, ("history", index, "on"), body["on"]),
            status=body["status"],
            note=body.get("note", ""),
            source=body.get("source", ""),
            verified=body.get("verified", False),
        )
        for index, body in enumerate(document.data.get("history", ()))
    )


def _parameters(document: Document) -> dict[str, tuple[Dated, ...]]:
    return {
        name: tuple(
            Dated(
                start=_date(document, ("parameters", name, index, "from"), body["from"]),
                value=body["value"],
                note=body.get("note", ""),
                source=body.get("source", ""),
                verified=body.get("verified", False),
            )
            for index, body in enumerate(dated)
        )
        for name, dated in document.data.get("parameters", {}).items()
    }


def _clauses(document: Document, day: date) -> tuple[Clause, ...]:
    result: list[Clause] = []
    for index, data in enumerate(document.data["clauses"]):
        key: Key = ("clauses", index)
        if any(clause.id == data["id"] for clause in result):
            raise document.error(
                (*key, "id"), f"the id {data['id']} is there twice",
                hint="findings name a clause by its id: give each its own",
            )  # fmt: skip
        result.append(_clause(document, key, data, day))
    return tuple(result)


def _clause(document: Document, key: Key, data: Mapping[str, Any], day: date) -> Clause:
    name = next(kind for kind in KINDS if kind in data)
    kind = kinds.kind(name)
    for beside in _BESIDE:
        if beside in data and beside not in kind.beside:
            owners = [other for other in KINDS if beside in kinds.kind(other).beside]
            raise document.error(
                (*key, beside), f"is for {' and '.join(owners)} clauses, and this is {name}"
            )
    otherwise = data.get("otherwise", kind.otherwise[0])
    if otherwise not in kind.otherwise:
        raise document.error(
            (*key, "otherwise"),
            f"got {otherwise}, expected one of {', '.join(kind.otherwise)} for a {name} clause",
        )
    purge = data.get("purge", False)
    if purge and otherwise == "report":
        raise document.error(
            (*key, "purge"),
            "got true with otherwise: report, which removes nothing",
            hint="Add otherwise: move or otherwise: erase, or leave purge out.",
        )
    body = _body(document, (*key, name), data[name], day)
    if name == "access" and data.get("form") != "aggregate":
        for only in ("min_group", "epsilon_per_day"):
            if only in data:
                raise document.error((*key, only), "is for form: aggregate only")
    extra = {each: data[each] for each in (*kind.beside, *_ABOUT) if each in data}
    line = document.line((*key, "id"))
    when: dict[str, Any] = {
        each: _date(document, (*key, each), data[each]) for each in _WHEN[1:] if each in data
    }
    when["status"] = data.get("status")
    if name != "store":
        return Clause(data["id"], name, {**body, **extra, "otherwise": otherwise}, line, **when)
    return Clause(
        id=data["id"],
        kind=name,
        body={**body, **extra, "otherwise": otherwise},
        line=line,
        countries=frozenset(body.get("country", ())),
        operators=frozenset(body.get("operator", ())),
        otherwise=otherwise,
        purge=purge,
        **when,
    )


def _body(document: Document, key: Key, body: Mapping[str, Any], day: date) -> dict[str, Any]:
    """A kind's body with countries as sorted codes, one-or-many as lists, and all checked."""
    result = dict(body)
    service = key[-1] == "offer"
    for name, value in body.items():
        at = (*key, name)
        if name in _COUNTRIES:
            result[name] = sorted(_expand(document, at, value, day))
        elif name == "controlled_from":
            listed = sorted(_expand(document, (*at, "country"), value["country"], day))
            result[name] = {**value, "country": listed}
        elif name == "categories":
            result[name] = list(categories(document, at, _list(value)))
        elif name in _USES and not service:  # an offer forbids acts, the others data uses
            result[name] = list(uses(document, at, _list(value)))
        elif name in _LISTS:
            result[name] = _list(value)
        elif name == "apps":
            result[name] = _apps(value)
        elif name in _DATES:
            _date(document, at, value)
    return result


def _expand(document: Document, key: Key, given: Any, day: date) -> frozenset[str]:
    codes: frozenset[str] = frozenset()
    for index, name in enumerate(_list(given)):
        try:
            codes |= expand([name], day)
        except UnknownCountryError as problem:
            raise document.error((*key, index), str(problem), hint=problem.hint) from None
    return codes


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _apps(value: Any) -> dict[str, list[str]]:
    """Identifiers by platform; those without one stand under `any`."""
    if isinstance(value, dict):
        return {platform: _list(names) for platform, names in value.items()}
    return {"any": _list(value)}


def _date(document: Document, key: Key, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise document.error(
            key, f"got {shown(text)}, expected a date such as 2025-09-25"
        ) from None
