"""Reads one YAML declaration into plain data that remembers its lines.

A small, predictable YAML: the scalars of YAML 1.2 (so `NO` is Norway and not false, and
`2025-09-25` is a text), no tags, no anchors, no second document. Whatever is wrong is one
DeclarationError that names file and line.
"""

from __future__ import annotations

import difflib
import hashlib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rfc8785
import yaml

from domicile.errors import DeclarationError

Key = tuple[str | int, ...]
"""Where a value stands: ("stores", "texas", "url") or ("links", 0, "from")."""

MAX_BYTES = 8 * 1024 * 1024
"""A declaration is written and reviewed by people; more than this is another kind of file."""

MAX_DEPTH = 40

_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
# Up to 15 digits are exact in every JSON reader (RFC 8785); longer ones stay texts.
_INT = re.compile(r"[-+]?[0-9]+\Z")
_EXACT = 15
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")


@dataclass(frozen=True)
class Document:
    """One parsed declaration: its data as JSON types, and the line of every key."""

    file: str
    data: dict[str, Any]
    lines: Mapping[Key, int]

    def line(self, key: Key) -> int:
        """The line (from 1) of a key, or of the nearest thing that contains it."""
        while key and key not in self.lines:
            key = key[:-1]
        return self.lines.get(key, 1)

    def at(self, key: Key) -> Any:
        """The value at a key. Raises KeyError, IndexError."""
        value: Any = self.data
        for part in key:
            value = value[part]
        return value

    def error(self, key: Key, message: str, *, hint: str = "") -> DeclarationError:
        """The error to raise about the value at `key`."""
        return DeclarationError(
            message, file=self.file, line=self.line(key), key=shown_key(key), hint=hint
        )


def read_document(path: str | Path) -> Document:
    """Read a declaration. Raises DeclarationError: not there, not UTF-8, not such YAML."""
    file = str(path)
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise DeclarationError(
            "there is no such file", file=file,
            hint="`domicile init URL…` proposes an estate; --estate names one that is elsewhere",
        ) from None  # fmt: skip
    except IsADirectoryError:
        raise DeclarationError(
            "got a directory, expected a YAML file", file=file, hint="name the file in it"
        ) from None
    except OSError as error:
        raise DeclarationError(
            f"cannot be read: {error.strerror}", file=file,
            hint="let this user read the file, or name another",
        ) from None  # fmt: skip
    if len(content) > MAX_BYTES:
        raise DeclarationError(
            f"got {len(content):,} bytes, expected at most {MAX_BYTES:,}",
            file=file,
            hint="a declaration is written by hand: is this the right file?",
        )
    return parse_document(content, file)


def parse_document(content: bytes, file: str) -> Document:
    """Parse the bytes of a declaration; `file` is for messages. Raises DeclarationError."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DeclarationError(
            f"byte {error.start + 1} is not UTF-8",
            file=file,
            line=content.count(b"\n", 0, error.start) + 1,
            hint="Save the file as UTF-8.",
        ) from None
    builder = _Builder(file)
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            builder.feed(event)
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, text, file) from None
    except yaml.reader.ReaderError as error:
        position = error.position if isinstance(error.position, int) else 0
        raise DeclarationError(
            "a character that YAML does not allow",
            file=file,
            line=text.count("\n", 0, position) + 1,
            hint="Remove control characters; save the file as UTF-8.",
        ) from None
    return builder.document()


def digest(data: dict[str, Any]) -> str:
    """sha256:… of data as canonical JSON (RFC 8785): comments and layout do not count."""
    return "sha256:" + hashlib.sha256(rfc8785.dumps(data)).hexdigest()


def shown_key(key: Key) -> str:
    """A key as people write it: `links[0].from`."""
    shown = ""
    for part in key:
        shown += f"[{part}]" if isinstance(part, int) else f".{part}" if shown else part
    return shown


def suggestion(got: str, known: Iterable[str], *, names: str = "Known") -> str:
    """A hint with the nearest known word, and under `names` all of them when they are few."""
    words = list(known)
    folded = {word.casefold(): word for word in reversed(words)}
    near = difflib.get_close_matches(got.casefold(), list(folded), n=1, cutoff=0.6)
    listed = f"{names}: {', '.join(words)}." if names and 0 < len(words) <= 16 else ""
    return " ".join(filter(None, [f"Did you mean {folded[near[0]]}?" if near else "", listed]))


def kind_of(value: object) -> str:
    """What a value is, in words for a message."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "a mapping"


def _syntax_error(error: yaml.MarkedYAMLError, text: str, file: str) -> DeclarationError:
    mark = error.problem_mark or error.context_mark
    number = mark.line + 1 if mark else 1
    source = text.split("\n")[number - 1 : number]
    indent = source[0][: len(source[0]) - len(source[0].lstrip())] if source else ""
    if "\t" in indent:
        return DeclarationError(
            "a tab in the indentation", file=file, line=number, hint="Indent with spaces."
        )
    return DeclarationError(
        f"not YAML: {error.problem or error.context or 'cannot be parsed'}",
        file=file,
        line=number,
        hint="Check indentation, quotes and brackets on this line and the one before.",
    )


def _scalar(text: str) -> str | int | float | bool | None:
    """A plain scalar as YAML 1.2's core schema reads it; dates stay texts."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.match(text):
        return int(text) if len(text.lstrip("+-")) <= _EXACT else text
    if _FLOAT.match(text) and math.isfinite(number := float(text)):
        return number
    return text


class _Builder:
    """Builds data from YAML events without recursion, so that depth and aliases cannot hurt."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[Key, int] = {}
        self.root: Any = None
        self.documents = 0
        self.stack: list[tuple[dict[str, Any] | list[Any], Key]] = []
        self.pending: list[str | None] = []  # the key read and waiting for its value, per level

    def feed(self, event: yaml.Event) -> None:
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise self._error("a second document", line, "One file holds one declaration.")
        elif isinstance(event, yaml.AliasEvent):
            raise self._error(
                f"an alias *{event.anchor}", line, "Aliases are not used here: write it out."
            )
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self.stack.pop()
            self.pending.pop()
        elif isinstance(event, (yaml.ScalarEvent, yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._node(event, line)

    def document(self) -> Document:
        if self.root is None:
            raise self._error(
                "the file is empty", 1,
                "docs/declarations.md says what stands in it; `domicile init URL…` proposes one.",
            )  # fmt: skip
        if not isinstance(self.root, dict):
            raise self._error(
                f"got {kind_of(self.root)}, expected `key: value` lines", 1,
                "docs/declarations.md says which keys there are.",
            )  # fmt: skip
        return Document(self.file, self.root, self.lines)

    def _node(self, event: Any, line: int) -> None:
        if event.tag not in (None, "!"):
            raise self._error(f"a tag {event.tag}", line, "Tags are not used here: remove it.")
        waiting = bool(self.stack) and isinstance(self.stack[-1][0], dict)
        if waiting and self.pending[-1] is None:
            self._key(event, line)
            return
        if isinstance(event, yaml.ScalarEvent):
            self._put(_scalar(event.value) if event.implicit[0] else event.value, line)
            return
        container: dict[str, Any] | list[Any]
        container = {} if isinstance(event, yaml.MappingStartEvent) else []
        key = self._put(container, line)
        if len(self.stack) >= MAX_DEPTH:
            raise self._error(f"more than {MAX_DEPTH} levels deep", line, "No declaration is.")
        self.stack.append((container, key))
        self.pending.append(None)

    def _key(self, event: Any, line: int) -> None:
        container, path = self.stack[-1]
        if not isinstance(event, yaml.ScalarEvent):
            raise self._error(
                "got a list or mapping as a key, expected a name", line, "Quote the key."
            )
        if event.value == "<<":
            raise self._error("a merge key <<", line, "Merges are not used here: write it out.")
        key = (*path, event.value)
        if event.value in container:
            raise DeclarationError(
                f"is there twice; the first is on line {self.lines[key]}",
                file=self.file,
                line=line,
                key=shown_key(key),
                hint="Keep one of them.",
            )
        self.lines[key] = line
        self.pending[-1] = event.value

    def _put(self, value: Any, line: int) -> Key:
        if not self.stack:
            self.root = value
            return ()
        container, path = self.stack[-1]
        if isinstance(container, list):
            key: Key = (*path, len(container))
            self.lines[key] = line
            container.append(value)
            return key
        name = self.pending[-1]
        assert name is not None  # _node sends a scalar without a waiting key to _key
        self.pending[-1] = None
        container[name] = value
        return (*path, name)

    def _error(self, message: str, line: int, hint: str = "") -> DeclarationError:
        return DeclarationError(message, file=self.file, line=line, hint=hint)
