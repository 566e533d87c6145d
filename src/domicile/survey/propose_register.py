"""Which tables have one row for each person, by what they hold and what refers to them.

The score is a sum of what a person would look for; the reason names its parts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from domicile.survey import classify_names as names
from domicile.survey.classify_vocabulary import PEOPLE
from domicile.survey.propose_read import Application, Seen
from domicile.survey.propose_words import EMPLOYEES, NOISE, PASSING

ENOUGH: Final = 6.0
"""The least score of a register: a table named after people with an e-mail address has 7."""

STRANGERS: Final = 1.2
"""By so many times the rows of a table outnumber those who log in, when not all of its rows are
theirs: remote accounts, people who were only mentioned."""

_PARTS: Final = (
    # what a column says, as a prefix of its category; points; in words
    ("user.contact.email", 4.0, "e-mail"),
    ("user.authorization.password", 2.0, "password"),
    ("user.account.username", 2.0, "user name"),
    ("user.demographic.date_of_birth", 3.0, "birth date"),
    ("user.government_id", 3.0, "government number"),
    ("user.name", 2.0, "name"),
    ("user.contact.phone_number", 1.5, "phone"),
    ("user.contact.address.street", 1.0, "street"),
    ("user.contact.address.country", 1.0, "country"),
    ("user.demographic.gender", 1.0, "gender"),
)
_IDENTIFYING: Final = ("e-mail", "password", "birth date", "government number", "phone")


@dataclass
class Candidate:
    """A table that may be a register."""

    table: str
    score: float
    holds: tuple[str, ...]  # what it holds of a person, in words
    referring: int  # tables whose rows depend on it
    employees: bool = False
    passing: bool = False  # named as requests, copies or public figures are
    under: list[str] = field(default_factory=list)  # candidates that its rows refer to

    @property
    def logs_in(self) -> bool:
        """Whether its people have a password and an address: an account of this application."""
        return {"password", "e-mail"} <= set(self.holds)

    @property
    def because(self) -> str:
        """Its reason, in one line."""
        parts = [f"one row for each person: {', '.join(self.holds)}"]
        if self.referring:
            tables = "one other table" if self.referring == 1 else f"{self.referring} other tables"
            parts.append(f"rows of {tables} belong to them")
        return "; ".join(parts)


def candidates(application: Application, references: dict[str, set[str]]) -> list[Candidate]:
    """The tables that may be registers, best first.

    `references`: table → tables it refers to, by keys or by links that were found.
    """
    found = []
    for name, seen in application.seen.items():
        candidate = _score(name, seen, references)
        if candidate is not None and candidate.score >= ENOUGH:
            found.append(candidate)
    by_table = {c.table: c for c in found}
    for candidate in found:
        above = _reached(candidate.table, references) - {candidate.table}
        candidate.under = sorted(above & set(by_table))
    # A profile or an account that refers to a user is the user's; a customer whose contact at the
    # firm is an employee is not the employee's, nor is a member that of a client which all share.
    ranks = {c.table: c.score for c in found}
    for candidate in found:
        for other in candidate.under:
            mutual = candidate.table in by_table[other].under
            mine, theirs = application.seen[candidate.table].rows, application.seen[other].rows
            few = theirs < 0.5 * mine
            # Users log in; of the accounts or persons that they refer to, many may be strangers'.
            strangers = candidate.logs_in and theirs > STRANGERS * mine
            if strangers and not by_table[other].logs_in and not mutual:
                ranks[candidate.table] = max(ranks[candidate.table], ranks[other] + 0.5)
                continue
            if not by_table[other].employees and not mutual and not few:
                ranks[other] = max(ranks[other], ranks[candidate.table] + 0.5)
    return sorted(found, key=lambda c: (-ranks[c.table], c.table))


def subject_name(table: str, prefix: str = "") -> str:
    """A subject's name from its register's: `tbl_Kunden` → kunden. `prefix`: of all tables."""
    parts = list(names.words(table))
    if len(parts) > 1 and parts[0] == prefix:
        parts = parts[1:]
    if len(parts) > 1 and parts[-1] in ("entity", "tbl", "table"):
        parts = parts[:-1]
    while len(parts) > 1 and parts[0] in NOISE:
        parts = parts[1:]
    return "_".join(parts) or "person"


def names_employees(name: str) -> bool:
    """Whether a name has a word for those who act for the organisation."""
    return any(word in EMPLOYEES for word in names.words(name))


def _score(name: str, seen: Seen, references: dict[str, set[str]]) -> Candidate | None:
    if not seen.table.identity:
        return None
    held = seen.categories()
    parts = [(p, word) for prefix, p, word in _PARTS if any(c.startswith(prefix) for c in held)]
    words = [word for _, word in parts]
    score = sum(points for points, _ in parts)
    parts_of_name = names.words(name)
    named = bool(parts_of_name) and parts_of_name[-1] in PEOPLE
    employees = names_employees(name)
    passing = any(word in PASSING for word in parts_of_name)
    identifying = any(word in _IDENTIFYING for word in words)
    if not identifying and not ("name" in words and named):
        return None
    if seen.about.place or (seen.about.address and "e-mail" not in words):
        return None
    referring = len(_depending(name, references))
    score += 3.0 * named + min(referring, 6) * 0.75
    score -= 3.0 * employees + 4.0 * passing
    # A log of mails has e-mail addresses too: rows that repeat them are not one a person.
    for column, verdict in seen.verdicts.items():
        if verdict.category == "user.contact.email" and not named:
            score -= 4.0 * (seen.distinct([column]) < 0.8)
    return Candidate(name, score, tuple(words), referring, employees, passing)


def _depending(table: str, references: dict[str, set[str]]) -> set[str]:
    """Tables whose rows refer to it, transitively."""
    found: set[str] = set()
    waiting = [table]
    while waiting:
        here = waiting.pop()
        more = {child for child, parents in references.items() if here in parents}
        waiting += more - found
        found |= more
    return found - {table}


def _reached(table: str, references: dict[str, set[str]]) -> set[str]:
    """Tables that it refers to, transitively."""
    found: set[str] = set()
    waiting = [table]
    while waiting:
        more = references.get(waiting.pop(), set())
        waiting += more - found
        found |= more
    return found
