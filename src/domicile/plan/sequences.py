"""Whether the cells of one schema can give one key to two rows. Design.md, 4: one key is one row.

A move that finds a key taken holds the row; it is told here before that happens, where the
sequences of two PostgreSQL cells overlap. `check` opens no store, so plan and verify say it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from domicile.errors import StoreRefused
from domicile.stores.postgres import PostgresSession
from domicile.stores.postgres_sequences import KeySequence, overlaps, sequences
from domicile.survey.survey import Cell, Survey


def sequence_warnings(survey: Survey) -> list[str]:
    """A text for each pair of cells whose sequences overlap, and for each that may not be read."""
    found: list[str] = []
    for holds in sorted({c.declared.holds for c in survey.cells.values()}):
        cells = [c for c in survey.of(holds) if c.schema.tables]
        known: list[tuple[Cell, list[KeySequence]]] = []
        several = [c for c in cells if isinstance(c.session, PostgresSession)]
        for cell in several if len(several) > 1 else []:
            try:
                known.append((cell, _sequences(cell)))
            except StoreRefused as error:
                found.append(
                    f"{error.message}: so it is not known whether the sequences of {cell.name} "
                    f"give keys that another cell of {holds} gives too"
                )
        found += _overlapping(known)
    return found


def _overlapping(known: list[tuple[Cell, list[KeySequence]]]) -> Iterator[str]:
    for (one, first), (other, second) in combinations(known, 2):
        texts = overlaps(one.name, first, other.name, second)
        if texts:
            yield texts[0] + (f" ({len(texts) - 1:,} more like it)" if len(texts) > 1 else "")


def _sequences(cell: Cell) -> list[KeySequence]:
    """Of all tables; a refusal is undone, so that the session's transaction goes on."""
    assert isinstance(cell.session, PostgresSession)  # only such cells are asked
    cell.session.execute("SAVEPOINT sequences")
    try:
        found = sequences(cell.session, cell.schema.tables)
    except StoreRefused:
        cell.session.execute("ROLLBACK TO SAVEPOINT sequences")
        raise
    cell.session.execute("RELEASE SAVEPOINT sequences")
    return found
