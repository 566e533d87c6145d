"""Which table's key a column is named after: `user_uuid`, `customerId`, `kundennr`."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from domicile.estate.model import ColumnName
from domicile.survey import classify_names as names
from domicile.survey.classify_vocabulary import PEOPLE
from domicile.survey.propose_read import Application
from domicile.survey.propose_register import subject_name
from domicile.survey.propose_words import ACTS, FACED, KEY_ENDINGS

_ALONE = frozenset(("author", "owner", "creator", "sender", "by", "uid"))
"""Words that name a column of keys without `id` at its end: `created_by`."""

_JOINED = re.compile(
    r"(?:related|target|from|to|parent|assigned)?(?:user|member|customer|account)id(?:from|to|by)?\Z"
    r"|user(?:from|to|by|created|modified)\Z"
)
"""Words for a person's key that no style marks: `useridfrom`, `relateduserid`."""

LIKE_A_PERSON = "named like a person"
"""The weakest way in which a name may say what a column refers to."""


LIKE_A_TABLE = "named like the table"
"""A column without `id` in its name: a guess, since other things are called so too."""


@dataclass(frozen=True)
class Target:
    """A table whose key a column may hold."""

    application: Application
    table: str
    column: str
    score: float = 0.0  # as a register; 0 for other tables

    @property
    def name(self) -> ColumnName:
        """The key as the estate names it."""
        return ColumnName(self.application.name(self.table), self.column)

    @property
    def register(self) -> bool:
        """Whether it may be a register."""
        return self.score > 0

    def forms(self) -> set[str]:
        """The table's name joined, as it is and as one of its rows would be called."""
        joined = subject_name(self.table, self.application.prefix).replace("_", "")
        forms = {joined}
        for ending, instead in (("ies", "y"), ("es", ""), ("s", ""), ("en", ""), ("n", "")):
            if joined.endswith(ending) and len(joined) - len(ending) >= 3:
                forms.add(joined.removesuffix(ending) + instead)
        return forms


class Targets:
    """All targets that columns of one application may refer to, found by name."""

    def __init__(self, targets: Iterable[Target]) -> None:
        """`targets`: in the order in which they are to be tried."""
        self.all = list(targets)
        self._by_form: dict[str, list[Target]] = defaultdict(list)
        self._by_key: dict[str, list[Target]] = defaultdict(list)
        for target in self.all:
            for form in target.forms():
                self._by_form[form].append(target)
            self._by_key["".join(names.words(target.column))].append(target)
        self.registers = [t for t in self.all if t.register]

    def named(
        self, column: str, child: tuple[str, ...] = (), *, bare: bool = False
    ) -> Iterator[tuple[Target, str]]:
        """The targets that a column's name fits, best first, each with how, in words.

        `child`: the words of its own table's name: `discussion` in `forum_posts` may be of
        `forum_discussions`. `bare`: a name without `id` may be a reference too (`course`).
        """
        parts = names.words(column)
        if not parts:
            return
        key = "".join(parts)
        if key not in KEY_ENDINGS and len(key) > 3:
            for target in self._by_key[key]:
                yield target, f"named as the key {target.column} of"
        stem = _stem(parts) or (parts if bare else ())
        how = "named after" if _stem(parts) else LIKE_A_TABLE
        found = False
        ends = range(len(stem)) if _stem(parts) else range(bool(stem))
        for at in ends:  # `author_user_id`: the longest end of the name that is a table
            for target in self._by_form["".join(stem[at:])]:
                found = True
                yield target, how
        for upto in range(len(child) - 1, 0, -1):
            for target in self._by_form["".join((*child[:upto], *stem))] if stem else ():
                found = True
                yield target, how
        acts = (
            parts[-1] in _ALONE
            or bool(stem and stem[-1] in PEOPLE | ACTS | FACED)
            or bool(len(parts) == 1 and _JOINED.match(parts[0]))
        )
        if acts and not found:
            yield from ((target, LIKE_A_PERSON) for target in self.registers)


def _stem(parts: tuple[str, ...]) -> tuple[str, ...]:
    """The words before `id`, `_nr` and so on, also where they are written as one."""
    if parts[-1] in KEY_ENDINGS:
        return parts[:-1]
    ending = next((e for e in KEY_ENDINGS if parts[-1].endswith(e) and len(parts[-1]) > 4), "")
    return (*parts[:-1], parts[-1].removesuffix(ending)) if ending else ()
