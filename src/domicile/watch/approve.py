"""Approving a clause in advance: it may be carried out when its deadline passes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from domicile.errors import UsageError
from domicile.estate.document import digest, suggestion
from domicile.estate.model import Estate
from domicile.evidence.kinds import make
from domicile.evidence.place import open_log, state_directory
from domicile.law.model import Mandate
from domicile.watch.consequences import CARRIES
from domicile.watch.ledger import Approval, Ledger


def bound_to(estate: Estate, mandates: Sequence[Mandate], name: str) -> str:
    """sha256:… of what an approval in advance is for: a clause (`mandate/clause`), the whole
    mandate that holds it, and the estate, as they are declared. The day does not matter.

    Empty when no mandate is of that name.
    """
    digests = [m.digest for m in mandates if m.id == name.partition("/")[0]]
    if not digests:
        return ""
    return digest({"clause": name, "mandate": digests[0], "estate": estate.digest})


def approve(
    path: Path, estate: Estate, mandates: Sequence[Mandate], name: str, max_rows: int, until: date
) -> None:
    """Keep the approval, and record it. Raises UsageError, Stopped, EvidenceError."""
    carried = {
        f"{mandate.id}/{clause.id}": clause.body["otherwise"]
        for mandate in mandates
        for clause in mandate.clauses
    }
    if name not in carried:
        raise UsageError(
            f"got {name}, expected MANDATE/CLAUSE of the estate",
            hint=suggestion(name, carried, names="Clauses"),
        )
    if carried[name] not in CARRIES:
        raise UsageError(
            f"{name} says otherwise: {carried[name]}; only {' and '.join(sorted(CARRIES))} are"
            " carried out"
        )
    mandate, _, clause = name.partition("/")
    directory = state_directory(path)
    bound = bound_to(estate, mandates, name)
    ledger = Ledger(directory)
    try:
        with ledger.transaction():
            ledger.approve(Approval(name, max_rows, until, bound))
    finally:
        ledger.close()
    open_log(directory, estate.name).append([
        make("standing_approval", estate.name, mandate=mandate, clause=clause, max_rows=max_rows,
             until=until.isoformat(), digest=bound)
    ])  # fmt: skip
