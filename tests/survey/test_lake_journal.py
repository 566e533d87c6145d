"""The journal of files: a write that fails is a run that stopped, never a fault of ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from domicile.errors import Stopped
from domicile.survey.lake_journal import LakeJournal, Swap
from domicile.survey.state import State

SWAP = Swap(
    "lake", "watch/a.parquet", "home", "watch/a-1.parquet", "events.watch", "1 2 3", "4 5 6",
    "7 8 9", 10, 11, "sha256:12",
)  # fmt: skip


@pytest.mark.parametrize(
    "write", [lambda j: j.note(SWAP), lambda j: j.end(SWAP)], ids=["note", "end"]
)
def test_a_write_that_fails_is_a_stop(tmp_path: Path, write: Callable[[LakeJournal], None]) -> None:
    state = State(tmp_path)
    try:
        state.connection.execute("PRAGMA query_only = 1")
        with pytest.raises(Stopped, match=r"state\.sqlite"):
            LakeJournal(state)
        state.connection.execute("PRAGMA query_only = 0")
        journal = LakeJournal(state)
        journal.note(SWAP)
        state.connection.execute("PRAGMA query_only = 1")
        with pytest.raises(Stopped, match=r"state\.sqlite"):
            write(journal)
        state.connection.execute("PRAGMA query_only = 0")
        assert journal.unsettled() == [SWAP]
        journal.end(SWAP)
        assert journal.unsettled() == []
    finally:
        state.close()
