"""The parts of an estate that name its stores, schemas, tables and subjects."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from domicile.counted import counted
from domicile.estate.categories import is_category, is_use, nearest_category, nearest_use
from domicile.estate.countries import country_code, nearest_country
from domicile.estate.document import Document, Key, suggestion
from domicile.estate.model import (
    ColumnName,
    ColumnVerdict,
    Flow,
    LegalHold,
    Link,
    ObjectRule,
    Service,
    Store,
    Subject,
    TableName,
    TableRole,
)
from domicile.estate.names import (
    NameFormatError,
    parse_column,
    parse_hops,
    parse_label,
    parse_path,
    parse_table,
)
from domicile.estate.validate import shown

T = TypeVar("T")

_BRACES = re.compile(r"\{([^{}]*)\}")


def country(document: Document, key: Key, text: str) -> str:
    """The alpha-2 code of a declared country. Raises DeclarationError."""
    code = country_code(text)
    if code is None:
        raise document.error(
            key, f"got {shown(text)}, expected one country", hint=nearest_country(text)
        )
    return code


def named(document: Document, key: Key, parse: Callable[[str], T], text: str) -> T:
    """The parsed name at `key`; a NameFormatError becomes a DeclarationError."""
    try:
        return parse(text)
    except NameFormatError as problem:
        raise document.error(key, str(problem)) from None


def known(document: Document, key: Key, what: str, name: str, names: Iterable[str]) -> str:
    """The name, when it is declared. Raises DeclarationError with the nearest one."""
    listed = sorted(set(names))
    if name not in listed:
        raise document.error(
            key,
            f"got {shown(name)}, expected a declared {what}",
            hint=suggestion(name, listed, names="Declared"),
        )
    return name


def categories(document: Document, key: Key, given: Sequence[str]) -> tuple[str, ...]:
    """Data categories, each checked against Fideslang. Raises DeclarationError."""
    for index, category in enumerate(given):
        if not is_category(category):
            raise document.error(
                (*key, index),
                f"got {shown(category)}, expected a data category of Fideslang",
                hint=nearest_category(category),
            )
    return tuple(given)


def uses(document: Document, key: Key, given: Sequence[str]) -> tuple[str, ...]:
    """Data uses, each checked against Fideslang. Raises DeclarationError."""
    for index, use in enumerate(given):
        if not is_use(use):
            raise document.error(
                (*key, index),
                f"got {shown(use)}, expected a data use of Fideslang",
                hint=nearest_use(use),
            )
    return tuple(given)


def subjects(document: Document, stores: Sequence[Store]) -> tuple[Subject, ...]:
    """The declared subjects; no two share a register."""
    registers: dict[TableName, str] = {}
    result = []
    for name, body in document.data.get("subjects", {}).items():
        key: Key = ("subjects", name)
        register = _table(document, (*key, "register"), body["register"], stores)
        if register in registers:
            raise document.error(
                (*key, "register"),
                f"{register} is already the register of {registers[register]}",
                hint="A register is of one kind of subject; keep one of them.",
            )
        registers[register] = name
        residence, born = body.get("residence"), body.get("born")
        columns = [body["key"]] if isinstance(body["key"], str) else body["key"]
        result.append(
            Subject(
                name=name,
                register=register,
                key=tuple(_plain(document, (*key, "key"), column) for column in columns),
                residence=named(document, (*key, "residence"), parse_path, residence)
                if residence
                else None,
                born=named(document, (*key, "born"), parse_path, born) if born else None,
            )
        )
    return tuple(result)


def links(
    document: Document, stores: Sequence[Store], declared: Sequence[Subject]
) -> tuple[Link, ...]:
    """Links to a subject by its name, or to a column when there is a dot in it."""
    result: list[Link] = []
    for index, body in enumerate(document.data.get("links", ())):
        link = _link(document, ("links", index), body, stores, declared)
        same = [o for o in result if (o.source, o.more) == (link.source, link.more)]
        if any(o.where == link.where for o in same):
            raise document.error(
                ("links", index, "from"), f"{link} is linked twice; keep one of them"
            )
        if same and not (link.where and all(o.where for o in same)):
            raise document.error(
                ("links", index, "from"),
                f"{link.source} is linked twice, once for all rows",
                hint="say with `where` for which rows each of the links is",
            )
        result.append(link)
    return tuple(result)


def _link(
    document: Document, key: Key, body: Mapping[str, Any], stores: Sequence[Store],
    declared: Sequence[Subject],
) -> Link:  # fmt: skip
    sources = _columns(document, (*key, "from"), body["from"], stores)
    holds = sources[0].table.holds
    where = tuple(
        (_plain(document, (*key, "where"), column),
         tuple(str(text) for text in (texts if isinstance(texts, list) else [texts])))
        for column, texts in body.get("where", {}).items()
    )  # fmt: skip
    more = tuple(c.column for c in sources[1:])
    to = body["to"]
    by_name = {subject.name: subject for subject in declared}
    if isinstance(to, str) and (to in by_name or "." not in to):
        known(document, (*key, "to"), "subject", to, by_name)
        width = len(by_name[to].key)
        if width != len(sources):
            raise document.error(
                (*key, "from"),
                f"got {counted(len(sources), 'column')}, expected {width}: the key of {to} is"
                f" {', '.join(by_name[to].key)}",
                hint="give all of them, in that order: from: [app.visit.a, app.visit.b]",
            )
        if width > 1 and by_name[to].register.holds != holds:
            raise document.error(
                (*key, "to"),
                f"{to} is in another schema ({by_name[to].register.holds}), and has a key of"
                f" {width} columns",
                hint="across schemas a link is of one column; link within the schema",
            )
        return Link(sources[0], subject=to, more=more, where=where)
    targets = _columns(document, (*key, "to"), to, stores)
    if len(targets) != len(sources):
        raise document.error(
            (*key, "to"),
            f"got {counted(len(targets), 'column')}, expected {len(sources)}, as many as in from",
        )
    return Link(
        sources[0], target=targets[0], more=more, more_to=tuple(c.column for c in targets[1:]),
        where=where,
    )  # fmt: skip


def _columns(
    document: Document, key: Key, text: str | Sequence[str], stores: Sequence[Store]
) -> tuple[ColumnName, ...]:
    """One column, or the columns of one key."""
    if isinstance(text, str):
        return (_column(document, key, text, stores),)
    found = tuple(_column(document, (*key, i), each, stores) for i, each in enumerate(text))
    for index, column in enumerate(found):
        if column.table != found[0].table or column.json or column in found[:index]:
            raise document.error(
                (*key, index),
                f"got {column}, expected another column of {found[0].table}",
                hint="the columns of one key are columns of one table, each once",
            )
    return found


def columns(document: Document, stores: Sequence[Store]) -> dict[ColumnName, ColumnVerdict]:
    """What a person said about columns."""
    result: dict[ColumnName, ColumnVerdict] = {}
    for text, body in document.data.get("columns", {}).items():
        key: Key = ("columns", text)
        column = _column(document, key, text, stores)
        category = body["category"]
        if not is_category(category):
            raise document.error(
                (*key, "category"),
                f"got {shown(category)}, expected a data category of Fideslang",
                hint=nearest_category(category),
            )
        if column in result:
            raise document.error(key, f"{column} is there twice; keep one of them")
        result[column] = ColumnVerdict(category)
    return result


def tables(document: Document, stores: Sequence[Store]) -> dict[TableName, TableRole]:
    """What a person said about tables."""
    result: dict[TableName, TableRole] = {}
    for text, body in document.data.get("tables", {}).items():
        key: Key = ("tables", text)
        table = _table(document, key, text, stores)
        if table in result:
            raise document.error(key, f"{table} is there twice; keep one of them")
        role, joint = body.get("role", ""), body.get("joint", "hold")
        if "of" in body and role != "attachment":
            raise document.error((*key, "of"), "is for role: attachment only")
        if role in ("reference", "ignore") and "joint" in body:
            raise document.error(
                (*key, "joint"), f"got {joint} with role: {role}, expected no joint there"
            )
        if joint != "hold" and "author" not in body:
            raise document.error(
                (*key, "joint"),
                f"got {joint} without an author",
                hint="Add author: the foreign-key hops to whoever wrote the row.",
            )
        if "author" in body and joint == "hold":
            raise document.error((*key, "author"), "is for joint: author and joint: split only")
        if "keep" in body and joint != "split":
            raise document.error((*key, "keep"), "is for joint: split only")
        author = body.get("author")
        result[table] = TableRole(
            role=role,
            of=tuple(
                _column(document, (*key, "of", index), each, stores)
                for index, each in enumerate(body.get("of", ()))
            ),
            joint=joint,
            author=named(document, (*key, "author"), parse_hops, author) if author else None,
            keep=tuple(_plain(document, (*key, "keep"), each) for each in body.get("keep", ())),
        )
    return result


def folders(document: Document, stores: Sequence[Store]) -> tuple[Store, ...]:
    """The stores, with those told that are folders of files: `objects` names one of their cells.

    Their URL is that of a lake; only what they are for tells the two apart (decision 18).
    """
    named = {body["store"] for body in document.data.get("objects", ())}
    labels = {store.holds for store in stores if store.name in named}
    return tuple(
        replace(store, files=True) if store.kind == "file" and store.holds in labels else store
        for store in stores
    )


def objects(document: Document, stores: Sequence[Store]) -> tuple[ObjectRule, ...]:
    """Files of rows; each `{…}` in a key is a column, all of them of one table."""
    result: list[ObjectRule] = []
    for index, body in enumerate(document.data.get("objects", ())):
        key: Key = ("objects", index)
        known(document, (*key, "store"), "store", body["store"], (s.name for s in stores))
        places = _BRACES.findall(body["key"])
        if not places or re.search(r"[{}]", _BRACES.sub("", body["key"])):
            raise document.error(
                (*key, "key"),
                f"got {shown(body['key'])}, expected a key with columns in braces such as"
                " videos/{app.video.id}.mp4",
            )
        pieces = _BRACES.split(body["key"])
        parts: list[str | ColumnName] = [
            _column(document, (*key, "key"), piece, stores) if at % 2 else piece
            for at, piece in enumerate(pieces)
        ]
        _plain_key(document, (*key, "key"), body["key"], pieces)
        tables = sorted({part.table for part in parts if isinstance(part, ColumnName)})
        if len(tables) > 1:
            raise document.error(
                (*key, "key"),
                f"got columns of {' and '.join(str(t) for t in tables)}, expected one table's",
                hint="a file belongs to one row: name columns of that row's table only",
            )
        _folder(document, (*key, "store"), body["store"], stores)
        rule = ObjectRule(body["store"], body["key"], tables[0], tuple(p for p in parts if p))
        if rule in result:
            raise document.error(key, "is there twice; keep one of them")
        result.append(rule)
    return tuple(result)


def _plain_key(document: Document, key: Key, text: str, pieces: Sequence[str]) -> None:
    """The key is a path below the folder, written in one way. Raises DeclarationError."""
    shape = "".join("x" if at % 2 else piece for at, piece in enumerate(pieces))
    if any(part in ("", ".", "..") for part in shape.split("/")) or "\0" in shape:
        raise document.error(
            key,
            f"got {shown(text)}, expected a path below the folder",
            hint="no / at either end, and no empty part, '.' or '..' in it",
        )


def _folder(document: Document, key: Key, name: str, stores: Sequence[Store]) -> None:
    """The store is a folder, and so are its cells. Raises DeclarationError."""
    label = next(store.holds for store in stores if store.name == name)
    for store in stores:
        if store.holds == label and not store.files:
            what = "" if store.name == name else f" (it holds {label} as {name} does)"
            raise document.error(
                key,
                f"got {name}, expected a folder of files; store {store.name} is none{what}",
                hint="give it a url such as file:///srv/media, and a `holds` of its own",
            )


def flows(document: Document, stores: Sequence[Store]) -> tuple[Flow, ...]:
    """What organisations receive."""
    result = []
    for index, body in enumerate(document.data.get("flows", ())):
        key: Key = ("flows", index)
        where = body.get("country")
        result.append(
            Flow(
                source=_holds(document, (*key, "from"), body["from"], stores),
                to=body["to"],
                categories=categories(document, (*key, "categories"), body.get("categories", ())),
                uses=uses(document, (*key, "uses"), body.get("uses", ())),
                country=country(document, (*key, "country"), where) if where else "",
            )
        )
    return tuple(result)


def services(document: Document) -> tuple[Service, ...]:
    """What is offered to people, and where. Raises DeclarationError."""
    return tuple(
        Service(
            name=name,
            publisher=body["publisher"],
            countries=tuple(
                sorted(
                    {
                        country(document, ("services", name, "countries", at), text)
                        for at, text in enumerate(body["countries"])
                    }
                )
            ),
            monthly_users=body.get("monthly_users"),
        )
        for name, body in document.data.get("services", {}).items()
    )


def legal_holds(
    document: Document, stores: Sequence[Store], declared: Sequence[Subject]
) -> tuple[LegalHold, ...]:
    """What may not be erased for now; each names tables or subjects."""
    result = []
    for index, body in enumerate(document.data.get("legal_holds", ())):
        key: Key = ("legal_holds", index)
        if not ("tables" in body or "subjects" in body):
            raise document.error(key, "holds nothing, expected tables or subjects")
        result.append(
            LegalHold(
                name=body["name"],
                reason=body["reason"],
                tables=tuple(
                    _table(document, (*key, "tables", at), text, stores)
                    for at, text in enumerate(body.get("tables", ()))
                ),
                subjects=tuple(
                    known(
                        document,
                        (*key, "subjects", at),
                        "subject",
                        name,
                        (subject.name for subject in declared),
                    )
                    for at, name in enumerate(body.get("subjects", ()))
                ),
            )
        )
    return tuple(result)


def _holds(document: Document, key: Key, label: str, stores: Sequence[Store]) -> str:
    return known(document, key, "schema (holds)", label, (store.holds for store in stores))


def _table(document: Document, key: Key, text: str, stores: Sequence[Store]) -> TableName:
    table = named(document, key, parse_table, text)
    _tabled(document, key, table.holds, stores)
    return table


def _tabled(document: Document, key: Key, label: str, stores: Sequence[Store]) -> None:
    """A schema with tables. Raises DeclarationError for a folder of files."""
    _holds(document, key, label, stores)
    if all(store.files for store in stores if store.holds == label):
        raise document.error(
            key,
            f"got a table of {label}, which is a folder of files by `objects`, expected a database",
            hint="a folder of files has no tables: name a table whose rows name its files",
        )


def _column(document: Document, key: Key, text: str, stores: Sequence[Store]) -> ColumnName:
    column = named(document, key, parse_column, text)
    _tabled(document, key, column.table.holds, stores)
    return column


def _plain(document: Document, key: Key, text: str) -> str:
    """One column of the table at hand; as odd as it likes when YAML's own quotes hold it."""
    if text.startswith('"'):
        return named(document, key, parse_label, text)
    return text
