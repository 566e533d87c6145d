"""What is closed: clauses whose deadline passed, and what has followed since, in `standing.json`.

The watch alone writes the file, in the state directory of the estate; whoever decides over
requests, flows and services reads it through `closed_now`. No file, nothing is closed. One that
cannot be read is an error, so that whoever closes when it fails is closed.

    {"version": 1, "closed": [
      {"mandate": "home", "clause": "look", "kind": "access", "what": "deny", "due": "2026-09-01"}]}

`what` is the clause's `otherwise`: `deny`, `mask`, `aggregate`, `stop`, `withdraw` or `restrict`.
Until its deadline a clause of a mandate in effect is told of; from the day after it, it is closed.
Clauses of kind `install` are not in it: the decision point of devices has their deadlines itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from domicile.durable.files import write_whole
from domicile.errors import DeclarationError
from domicile.law.model import Clause, Mandate

FILE = "standing.json"

VERSION = 1

CLOSES = frozenset({"deny", "mask", "aggregate", "stop", "withdraw", "restrict"})
"""What a clause may say that closes something: its `otherwise`."""


@dataclass(frozen=True)
class Closed:
    """One clause that is closed since its deadline passed."""

    mandate: str
    clause: str
    kind: str
    what: str
    due: str  # ISO date, the last day on which it was open

    @property
    def name(self) -> str:
        """`mandate/clause`."""
        return f"{self.mandate}/{self.clause}"

    def as_json(self) -> dict[str, str]:
        """The line of `standing.json`."""
        return asdict(self)


def closed_now(state: Path, mandates: Sequence[Mandate], day: date) -> tuple[Closed, ...]:
    """The clauses that are closed and that the mandates still say on `day`, as they were closed.

    A line about a clause that is gone, binds no longer, or has another deadline or `otherwise` is
    left out: the watch will take it away. Raises DeclarationError when the file cannot be read.
    """
    said = {
        (mandate.id, clause.id, clause.kind, str(clause.body["otherwise"]), due.isoformat())
        for mandate in mandates
        for clause in mandate.clauses
        if mandate.binds(clause, day) and (due := due_day(mandate, clause)) is not None
    }
    return tuple(
        each
        for each in read_standing(state)
        if (each.mandate, each.clause, each.kind, each.what, each.due) in said
    )


def read_standing(state: Path) -> tuple[Closed, ...]:
    """Every line of the file. Raises DeclarationError when it cannot be read."""
    path = state / FILE
    try:
        document = json.loads(path.read_text("utf-8"))
        if document["version"] != VERSION:
            raise ValueError(f"got version {document['version']!r}, expected {VERSION}")
        return tuple(_closed(line) for line in document["closed"])
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DeclarationError(
            f"what is closed cannot be read: {reason}", file=str(path),
            hint="domicile watch --once writes it anew",
        ) from error  # fmt: skip


def write_standing(state: Path, closed: Iterable[Closed]) -> None:
    """Write what is closed, whole or not at all. Raises OSError."""
    document = {"version": VERSION, "closed": [each.as_json() for each in closed]}
    write_whole(state / FILE, json.dumps(document, indent=2) + "\n")


def due_day(mandate: Mandate, clause: Clause) -> date | None:
    """The last day for a clause: its own deadline, a day in what it says, or its mandate's."""
    by = clause.body.get("by")
    return clause.deadline or (date.fromisoformat(by) if by else mandate.deadline)


def _closed(line: dict[str, Any]) -> Closed:
    made = Closed(**line)
    if not all(isinstance(each, str) for each in asdict(made).values()):
        raise ValueError("got a line with something that is no text")
    return made
