"""Data categories and data uses: the keys of Fideslang, and what covers what.

The keys are read from a small file made from the fideslang package by
scripts/make_fideslang_keys.py, because importing the package takes a third of a second.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources

from domicile.estate.document import suggestion


def categories() -> tuple[str, ...]:
    """All keys of data categories, sorted."""
    return tuple(_keys()["data_category"])


def uses() -> tuple[str, ...]:
    """All keys of data uses, sorted."""
    return tuple(_keys()["data_use"])


def version() -> str:
    """The version of Fideslang that the keys are from."""
    (text,) = _keys()["version"]
    return text


def is_category(key: str) -> bool:
    """Whether it is a data category of Fideslang."""
    return key in _sets()[0]


def is_use(key: str) -> bool:
    """Whether it is a data use of Fideslang."""
    return key in _sets()[1]


def covers(parent: str, key: str) -> bool:
    """Whether `parent` is `key` or above it: `user.contact` covers `user.contact.email`."""
    return key == parent or key.startswith(parent + ".")


def nearest_category(text: str) -> str:
    """A hint for a message: the nearest category."""
    return _nearest(text, categories(), "data categories")


def nearest_use(text: str) -> str:
    """A hint for a message: the nearest use."""
    return _nearest(text, uses(), "data uses")


def _nearest(text: str, known: tuple[str, ...], what: str) -> str:
    # `contact.email` and `email` are what people write for `user.contact.email`.
    ends = [key for key in known if key.endswith("." + text.casefold())]
    if len(ends) == 1:
        return f"Did you mean {ends[0]}?"
    return suggestion(text, known) or f"The {what} are those of Fideslang {version()}."


@cache
def _keys() -> dict[str, list[str]]:
    text = resources.files("domicile.estate").joinpath("fideslang.json").read_text("utf-8")
    keys: dict[str, list[str]] = json.loads(text)
    return keys


@cache
def _sets() -> tuple[frozenset[str], frozenset[str]]:
    return frozenset(categories()), frozenset(uses())
