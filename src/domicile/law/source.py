"""A mandate's document before it is checked: what it extends is merged, parameters are filled in.

merged(path)           the file, over whatever it extends
filled(document, day)  `$name` replaced by the value that the parameter has on that day
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any

from domicile.estate.document import Document, Key, read_document, suggestion
from domicile.estate.validate import shown
from domicile.law.model import KINDS


def library() -> dict[str, Path]:
    """The mandates that ship with the package: id → file."""
    folder = Path(str(resources.files("domicile.law").joinpath("library")))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def merged(path: str | Path) -> Document:
    """The document of a mandate, with what it extends underneath.

    Mappings are merged key by key and clauses by their id (one of another kind replaces the
    clause); anything else is replaced. Clauses listed under `without` are left out. Lines are those
    of the file itself; what is inherited is on the line of `extends`.

    Raises DeclarationError: not there, a circle, an unknown id.
    """
    return _merged(Path(path), ())


def _merged(path: Path, below: tuple[Path, ...]) -> Document:
    document = read_document(path)
    base = document.data.get("extends")
    if base is None:
        if "without" in document.data:
            raise document.error(("without",), "is for a mandate that extends another")
        return document
    if not isinstance(base, str):
        raise document.error(("extends",), f"got {shown(base)}, expected a file or an id")
    found = find(base, path.parent, document, ("extends",))
    chain = (*below, path.resolve())
    if found.resolve() in chain:
        names = " → ".join(each.name for each in (*chain, found))
        raise document.error(
            ("extends",), f"goes round in a circle: {names}",
            hint="One of them must stand on its own.",
        )  # fmt: skip
    return _over(_merged(found, chain), document)


def find(name: str, directory: Path, document: Document, key: Key) -> Path:
    """A file relative to `directory`, or a mandate of the library. Raises DeclarationError."""
    path = directory / Path(name).expanduser()
    shipped = library()
    if path.is_file():
        return path
    if name in shipped:
        return shipped[name]
    if path.suffix in (".yaml", ".yml") or "/" in name:
        raise document.error(key, f"there is no such file: {name}")
    raise document.error(
        key,
        f"got {shown(name)}, expected a file or an id of the library",
        hint=suggestion(name, shipped, names="") or "`domicile law list` shows the library.",
    )


def _over(base: Document, document: Document) -> Document:
    """`document` laid over `base`; lines of lists of clauses follow their new places."""
    own = {key: value for key, value in document.data.items() if key != "without"}
    data = {key: value for key, value in base.data.items() if key not in ("extends", "without")}
    lines = {key: line for key, line in document.lines.items() if key[:1] != ("clauses",)}
    clauses, moved = _clauses(base, document)
    for name, value in own.items():
        under = data.get(name)
        data[name] = (
            {**under, **value} if isinstance(under, dict) and isinstance(value, dict) else value
        )
    data["clauses"] = clauses
    at = document.line(("extends",))
    for index in range(len(clauses)):
        lines["clauses", index] = at
    for key, line in document.lines.items():
        if key[:1] == ("clauses",) and len(key) > 1 and key[1] in moved:
            lines[("clauses", moved[key[1]], *key[2:])] = line
    lines.setdefault((), at)
    return Document(document.file, data, lines)


def _clauses(base: Document, document: Document) -> tuple[list[Any], dict[str | int, int]]:
    """The clauses of both, and where those of `document` went."""
    without = document.data.get("without", [])
    there = [c for c in _listed(base) if isinstance(c, dict)]
    ids = [str(clause.get("id", "")) for clause in there]
    for index, name in enumerate(without if isinstance(without, list) else ()):
        if name not in ids:
            raise document.error(
                ("without", index), f"got {shown(name)}, expected a clause of what it extends",
                hint=suggestion(str(name), ids, names="Clauses"),
            )  # fmt: skip
    clauses: list[Any] = [dict(clause) for clause in there if clause.get("id") not in without]
    moved: dict[str | int, int] = {}
    for index, clause in enumerate(_listed(document)):
        name = clause.get("id") if isinstance(clause, dict) else None
        place = next((n for n, each in enumerate(clauses) if name and each.get("id") == name), None)
        if place is None:
            moved[index] = len(clauses)
            clauses.append(clause)
            continue
        moved[index] = place
        another = any(kind in clause and kind not in clauses[place] for kind in KINDS)
        clauses[place] = clause if another else {**clauses[place], **clause}
    return clauses, moved


def _listed(document: Document) -> list[Any]:
    clauses = document.data.get("clauses", [])
    if not isinstance(clauses, list):
        raise document.error(("clauses",), f"got {shown(clauses)}, expected a list")
    return clauses


def filled(document: Document, day: date) -> Document:
    """The document with `$name` in its clauses and in `protects` replaced. Raises DeclarationError.

    Before the first date of a parameter its first value stands. A `$` elsewhere is a `$`.
    """
    parameters = document.data.get("parameters", {})
    values = {
        name: _of_day(document, ("parameters", name), dated, day)
        for name, dated in (parameters.items() if isinstance(parameters, dict) else ())
    }
    data = dict(document.data)
    for part in ("protects", "clauses"):
        if part in data:
            data[part] = _fill(document, (part,), data[part], values)
    return Document(document.file, data, document.lines)


def _of_day(document: Document, key: Key, dated: Any, day: date) -> Any:
    """A parameter's value on a day; what is malformed is left to the schema."""
    if not isinstance(dated, list) or not all(isinstance(each, dict) for each in dated):
        return None
    starts = [str(each.get("from", "")) for each in dated]
    if starts != sorted(set(starts)):
        raise document.error(key, "its dates are not in order, oldest first, each once")
    current = [each for each in dated if str(each.get("from", "")) <= day.isoformat()]
    return (current[-1] if current else dated[0]).get("value") if dated else None


def _fill(document: Document, key: Key, value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return {n: _fill(document, (*key, n), each, values) for n, each in value.items()}
    if isinstance(value, list):
        return [_fill(document, (*key, n), each, values) for n, each in enumerate(value)]
    if not isinstance(value, str) or not value.startswith("$"):
        return value
    name = value[1:]
    if name not in values:
        raise document.error(
            key, f"got {shown(value)}, expected a declared parameter",
            hint=suggestion(name, values, names="Parameters"),
        )  # fmt: skip
    return values[name]
