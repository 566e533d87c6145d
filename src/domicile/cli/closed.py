"""How commands show what the watch closed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from domicile.cli.output import Output


def show_closed(out: Output, closed: Sequence[dict[str, Any]]) -> None:
    """A table of the clauses that are closed since their deadlines; nothing when none is."""
    if closed:
        out.table(
            "Closed since the deadline passed",
            ["clause", "kind", "what", "deadline"],
            [[f"{c['mandate']}/{c['clause']}", c["kind"], c["what"], c["due"]] for c in closed],
        )
