"""Owners of devices: where they are reached, in which language, and how they log in.

A CSV file that the institution keeps: `user`, and any of `mail`, `language`, `account`. An owner
who is not in it is written to at their user name where that is an address.
"""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from domicile.devices.words import LANGUAGES
from domicile.errors import UsageError
from domicile.estate.model import DeviceSettings

COLUMNS = ("user", "mail", "language", "account")


@dataclass(frozen=True)
class Person:
    """One owner. `account` is the name with which they log in."""

    user: str
    mail: str
    language: str
    account: str


class People:
    """The owners of an estate's devices."""

    def __init__(self, settings: DeviceSettings) -> None:
        """Reads the file. Raises UsageError, which names a line and never a person."""
        self._language = settings.language
        self._known = _read(Path(settings.people), settings.language) if settings.people else {}
        self._accounts = {person.account: person for person in self._known.values()}
        local = Counter(user.partition("@")[0] for user in self._known)
        self._locals = {
            name: person
            for user, person in self._known.items()
            if local[name := user.partition("@")[0]] == 1
        }

    def of(self, owner: str) -> Person:
        """The owner of that user name, in small letters."""
        known = self._known.get(owner)
        if known is not None:
            return known
        return Person(owner, owner if "@" in owner else "", self._language, owner)

    def logs_in_as(self, account: str) -> Person:
        """The person behind an account of a mail or web server."""
        name = account.casefold()
        return self._accounts.get(name) or self._locals.get(name) or self.of(name)

    def is_owner(self, account: str, owners: tuple[str, ...]) -> bool:
        """Whether an account is one of the owners'; a local part stands for its address."""
        user = self.logs_in_as(account).user
        return any(user in (owner, owner.partition("@")[0]) for owner in owners)


def _read(file: Path, language: str) -> dict[str, Person]:
    found: dict[str, Person] = {}
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines, strict=True)
            odd = [each for each in reader.fieldnames or () if each not in COLUMNS]
            if odd or "user" not in (reader.fieldnames or ()):
                raise UsageError(
                    f"{file.name}: got {odd[0]!r} in its heading"
                    if odd
                    else f"{file.name}: its heading has no user",
                    hint=f"Expected some of: {', '.join(COLUMNS)}.",
                )
            for number, row in enumerate(reader, start=2):
                cells = {name: (row.get(name) or "").strip() for name in COLUMNS}
                user = cells["user"].casefold()
                speaks = cells["language"].casefold()[:2] or language
                if not user or user in found or None in row:
                    raise UsageError(f"{file.name}, line {number}: no user, or one twice, or odd")
                if speaks not in LANGUAGES:
                    speaks = language
                mail = cells["mail"] or (user if "@" in user else "")
                account = cells["account"].casefold() or user
                found[user] = Person(user, mail, speaks, account)
    except OSError as error:
        raise UsageError(f"{file.name} cannot be read: {error.strerror}") from None
    except (csv.Error, UnicodeDecodeError):
        raise UsageError(f"{file.name} is no CSV in UTF-8") from None
    return found
