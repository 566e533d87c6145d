"""The types of value that an entry may hold: a closed set without free text.

Each is one object with two readings that agree (a property test says so): `holds`, which is fast
enough for ten thousand entries a second, and `schema`, the same as JSON Schema for other people.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

MAX_INTEGER = 2**53 - 1
"""The largest integer that JSON keeps exactly (RFC 8785, section 3.2.2.3)."""


class FieldType(Protocol):
    """What values a field may have."""

    @property
    def said(self) -> str:
        """The type in words, for messages and documents."""
        ...

    def holds(self, value: object) -> bool:
        """Whether the value is of this type."""
        ...

    def schema(self) -> dict[str, Any]:
        """This type as JSON Schema, draft 2020-12."""
        ...


@dataclass(frozen=True)
class Text:
    """A string of one pattern; `said` names the type in messages and documents."""

    said: str
    pattern: str
    max_length: int = 200
    _compiled: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile the pattern once; the dataclass is frozen, hence the detour."""
        object.__setattr__(self, "_compiled", re.compile(self.pattern))

    def holds(self, value: object) -> bool:
        """Whether it is a string that matches as a whole."""
        return (
            isinstance(value, str)
            and len(value) <= self.max_length
            and self._compiled.fullmatch(value) is not None
        )

    def schema(self) -> dict[str, Any]:
        """A string with a pattern."""
        return {"type": "string", "pattern": f"^(?:{self.pattern})$", "maxLength": self.max_length}


@dataclass(frozen=True)
class Choice:
    """One of a closed list of words."""

    said: str
    words: frozenset[str]

    def holds(self, value: object) -> bool:
        """Whether it is one of the words."""
        return isinstance(value, str) and value in self.words

    def schema(self) -> dict[str, Any]:
        """An enum."""
        return {"enum": sorted(self.words)}


@dataclass(frozen=True)
class Count:
    """A whole number of things, 0 or more."""

    said: str = "count"

    def holds(self, value: object) -> bool:
        """Whether it is an int (not a bool) within JSON's exact range."""
        return type(value) is int and 0 <= value <= MAX_INTEGER

    def schema(self) -> dict[str, Any]:
        """An integer."""
        return {"type": "integer", "minimum": 0, "maximum": MAX_INTEGER}


@dataclass(frozen=True)
class Flag:
    """True or false."""

    said: str = "flag"

    def holds(self, value: object) -> bool:
        """Whether it is a bool."""
        return isinstance(value, bool)

    def schema(self) -> dict[str, Any]:
        """A boolean."""
        return {"type": "boolean"}


@dataclass(frozen=True)
class ListOf:
    """A list of one type of value."""

    said: str
    item: FieldType
    max_items: int = 1000

    def holds(self, value: object) -> bool:
        """Whether it is a list or tuple of such values, not too long."""
        return (
            isinstance(value, (list, tuple))
            and len(value) <= self.max_items
            and all(map(self.item.holds, value))
        )

    def schema(self) -> dict[str, Any]:
        """An array."""
        return {"type": "array", "items": self.item.schema(), "maxItems": self.max_items}


@dataclass(frozen=True)
class Record:
    """An object with these fields only; those in `required` must be there."""

    said: str
    fields: Mapping[str, FieldType]
    required: frozenset[str]

    def holds(self, value: object) -> bool:
        """Whether it is a dict with known fields of the right types and all required ones."""
        return isinstance(value, dict) and self.fault(value) == ""

    def fault(self, value: Mapping[str, Any]) -> str:
        """What is wrong with it, in words that do not repeat any value; empty when nothing is."""
        fields = self.fields
        for name, content in value.items():
            kind = fields.get(name)
            if kind is None:
                return f"unknown field {self._shown(name)}; known: {', '.join(sorted(fields))}"
            if not kind.holds(content):
                return f"field {name}: got {_shape(content)}, expected {kind.said}"
        missing = self.required.difference(value)
        return f"missing field {', '.join(sorted(missing))}" if missing else ""

    def schema(self) -> dict[str, Any]:
        """A closed object."""
        return {
            "type": "object",
            "properties": {name: kind.schema() for name, kind in self.fields.items()},
            "required": sorted(self.required),
            "additionalProperties": False,
        }

    @staticmethod
    def _shown(name: object) -> str:
        """A field's name when it looks like one: a caller's mistake may put data there."""
        return name if isinstance(name, str) and re.fullmatch(r"[a-z_]{1,30}", name) else "(…)"


def _shape(value: object) -> str:
    """A value's type and size, never the value."""
    if isinstance(value, (str, list, tuple)):
        return f"{type(value).__name__} of length {len(value)}"
    return type(value).__name__
