"""Whom an estate names to approve its plans, and to witness its log."""

from __future__ import annotations

from domicile.estate.document import Document
from domicile.estate.model import Approver, Witness


def approvers(document: Document) -> tuple[Approver, ...]:
    """Who may approve, each key once. Raises DeclarationError."""
    found: list[Approver] = []
    for index, body in enumerate(document.data.get("approvers", ())):
        public = body["key"].rpartition("+")[2]
        if any(a.key.rpartition("+")[2] == public for a in found):
            raise document.error(
                ("approvers", index, "key"), "this key is declared twice",
                hint="One key is one approver: two approvals need two people with a key each.",
            )  # fmt: skip
        found.append(Approver(body["key"], body["role"], body["operator"]))
    return tuple(found)


def witnesses(document: Document) -> tuple[Witness, ...]:
    """Who cosigns the log. Raises DeclarationError."""
    found: list[Witness] = []
    for name, body in document.data.get("witnesses", {}).items():
        if any(w.key.rpartition("+")[2] == body["key"].rpartition("+")[2] for w in found):
            raise document.error(
                ("witnesses", name, "key"), "this key is declared twice",
                hint="Each witness has a key of its own, or it counts once.",
            )  # fmt: skip
        found.append(Witness(name, body["key"], body.get("url", "")))
    return tuple(found)
