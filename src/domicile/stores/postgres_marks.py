"""Which rows of PostgreSQL certain transactions wrote last."""

from __future__ import annotations

from collections.abc import Sequence


def written_by(alias: str, marks: Sequence[str]) -> str:
    """A condition: the row was last written by one of the transactions `marks` (their numbers of
    32 bits, as `xmin` shows them)."""
    listed = ", ".join(f"'{int(m)}'::xid" for m in marks)
    return f"{alias}.xmin = ANY (ARRAY[{listed}]::xid[])" if marks else "false"
