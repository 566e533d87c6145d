"""A store clause moves or erases a person whole, whatever categories its mandate names."""

from __future__ import annotations

from domicile.estate.categories import covers
from domicile.law.model import Mandate


def whole(mandate: Mandate) -> str:
    """What to say of a mandate that names fewer categories than `user`; empty when nothing is.

    docs/decisions/0006-a-person-moves-whole.md says why it is so.
    """
    narrow = not any(covers(category, "user") for category in mandate.protects.categories)
    if not narrow or not any(clause.kind == "store" for clause in mandate.clauses):
        return ""
    return (
        f"mandate {mandate.id}: protects {', '.join(mandate.protects.categories)} only, but a "
        "person moves whole: rows without such data go too"
    )
