"""The words of the HTML map in English and Dutch; numbers, dates and countries as written there.

The texts are in map_words.json. Names (stores, tables, columns, category keys) are identifiers and
stay as they are. Why a column could not be classified is said by the classifier, in English.
"""

from __future__ import annotations

import json
from datetime import date
from functools import cache
from importlib import resources
from typing import Any

from domicile.estate.countries import country_name

LANGUAGES = ("en", "nl")


class Words:
    """One language."""

    def __init__(self, language: str) -> None:
        """`language` is one of LANGUAGES. Raises ValueError."""
        if language not in LANGUAGES:
            raise ValueError(f"got {language}, expected one of {', '.join(LANGUAGES)}")
        self.language = language

    def __call__(self, key: str, **given: object) -> str:
        """A text with its numbers and names filled in, not escaped."""
        return _texts()["texts"][key][self.language].format(
            **{k: self.number(v) if isinstance(v, int) else v for k, v in given.items()}
        )

    def group(self, category: str) -> str:
        """The name of the second level of a Fideslang category; else the key itself."""
        named = _texts()["groups"].get(category)
        return named[self.language] if named else category

    def number(self, value: int) -> str:
        """`1,234` or `1.234`."""
        return f"{value:,}".replace(",", "," if self.language == "en" else ".")

    def share(self, part: int, whole: int) -> str:
        """A percentage: whole numbers, but never 0% of something or 100% of less than all."""
        if not whole:
            return ""
        percent = round(100 * part / whole)
        if percent == 0 and part:
            return "< 1%"
        if percent == 100 and part < whole:
            return "> 99%"
        return f"{percent}%"

    def day(self, iso: str) -> str:
        """A date in words: `22 November 2026`."""
        from babel.dates import format_date

        locale = {"en": "en_GB", "nl": "nl"}[self.language]
        return str(format_date(date.fromisoformat(iso), "d MMMM y", locale))

    def country(self, code: str) -> str:
        """A country's name."""
        if self.language == "en":
            return country_name(code)
        from babel import Locale

        names: Any = Locale.parse(self.language).territories
        return str(names.get(code, code))

    def reason(self, unknown: dict[str, Any]) -> tuple[str, str]:
        """Why something is unknown, and the language that is in."""
        said = _texts()["reasons"].get(unknown["code"], {}).get(self.language)
        if said is None:
            return str(unknown["reason"]), "en"
        return said.format(n=self.number(unknown["count"] or 0)), self.language


@cache
def _texts() -> dict[str, dict[str, dict[str, str]]]:
    """`texts`, `groups` and `reasons`: key, then language, then text."""
    text = resources.files("domicile.survey").joinpath("map_words.json").read_text("utf-8")
    loaded: dict[str, dict[str, dict[str, str]]] = json.loads(text)
    return loaded
