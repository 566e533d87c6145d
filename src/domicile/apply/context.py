"""What every part of one run of apply shares: the plan, the journal, the log, progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from domicile.evidence.kinds import make
from domicile.plan.document import Document
from domicile.survey.state import State

RECENT = 1000
"""Entries at the end of the log among which those of a cut-off run are looked for."""


class Appends(Protocol):
    """The part of the evidence log that apply needs."""

    @property
    def size(self) -> int:
        """How many entries it has."""
        ...

    def entries(self, start: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
        """(index, entry) from `start` on."""
        ...

    def append(self, entries: list[dict[str, Any]]) -> object:
        """Durable when it returns."""
        ...


@dataclass
class Run:
    """One run of one plan."""

    plan: Document
    state: State
    log: Appends
    number: str  # hexadecimal, fresh for each run
    progress: Callable[[str, int], None] = lambda _what, _rows: None
    principal: str = ""  # a commitment to whoever approved the plan
    postponed: int = 0  # rows that changed under way: the next round takes them
    rounds: int = 0  # rounds before this one, in each of which something changed under way
    again: bool = False  # another round is needed, although nothing changed under way
    receipts_seconds: float = 0.0  # how long it took to build trees of people
    started: bool = False  # this run may have changed something
    entries: list[dict[str, Any]] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """The plan's digest."""
        return str(self.plan["digest"])

    @property
    def estate(self) -> str:
        """The estate's name."""
        return str(self.plan["estate"])

    def step(self, op: str, table: str, source: str, to: str = "") -> str:
        """The id of the plan's step for an operation; `unplanned` for what growth added.

        `to`: the store it writes, for an operation that may be planned at both ends.
        """
        for step in self.plan["steps"]:
            same = (step["op"], step["table"], step["from"]) == (op, table, source)
            if same and (not to or step["to"] == to):
                return str(step["id"])
        return "unplanned"

    def note(self, kind: str, **fields: Any) -> None:
        """An entry for the log, written with the next `flush`."""
        self.entries.append(make(kind, self.estate, **fields))

    def flush(self) -> None:
        """Write the noted entries; durable when it returns."""
        if self.entries:
            self.log.append(self.entries)
            self.entries = []

    def flush_for(self, store: str, mark: str) -> None:
        """Write the entries of a committed transaction, which the state kept until now."""
        self.flush()
        self.state.said(store, mark)

    def say(self, entries: list[dict[str, Any]]) -> None:
        """Write what an earlier run had to say, as far as the log does not have it."""
        recent = [entry for _, entry in self.log.entries(max(0, self.log.size - RECENT))]
        missing = [entry for entry in entries if entry not in recent]
        if missing:
            self.log.append(missing)
