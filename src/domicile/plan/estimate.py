"""How long a plan would take to carry out: what was measured, and what is known of such work.

Apply reads everything again before it acts, so the time that this plan took to read counts as it
is, on this machine and under its load. A row that goes costs a multiple of what reading a row cost:
where rows hang together in many ways, both are dear. To that comes what does not grow with rows:
seconds for each step by kind of store, as measured in processor seconds on two cores of an Intel
Xeon at 2.1 GHz (docs/performance.md), times how much slower or faster a short fixed piece of work
was here while the plan was made. Where the estate was acted on before, the journal knows how long
that took by this measure, and the median of the last applies corrects it.

An estimate is no part of what is carried out: the digest of a plan leaves it out.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from domicile.survey.state import State
from domicile.survey.survey import Survey

Doc = dict[str, Any]


@dataclass(frozen=True)
class Pace:
    """Seconds on the machine that was measured."""

    step: float  # of rows of one table, however many: statements, files, the log
    purge: float  # of one table


PACES = {
    "postgresql": Pace(step=0.05, purge=0.03), "sqlite": Pace(step=0.02, purge=0.02),
    "file": Pace(step=0.20, purge=0.05),
}  # fmt: skip
"""By the kind of the store that rows leave."""

ROW = 6.5
"""What a row that goes costs, by what reading one did: copied, read back, compared, deleted, its
bytes purged. Of the demo with 1,000, 5,000 and 20,000 people, 7,165 to 153,343 rows of 30,000 to
600,000: 2.6, 5.2 and 14.5 processor seconds beside 0.8, 2.3 and 7.1 of reading."""

FIXED = 0.8
"""Sessions, settling, receipts, the journal and the log, when anything is done at all."""

FILES_A_SECOND = 1_000
FILE_BYTES_A_SECOND = 100_000_000
"""Files of folders, which are read twice and written once."""

LAST = 5
"""Earlier applies that are asked."""

LONGEST = 1e9
"""Seconds; what is more was not estimated here."""

PROBE_SECONDS = 0.0175
"""What one probe takes on the machine that was measured, in processor seconds."""


@dataclass
class Stopwatch:
    """Times one plan while it is made. `lap` ends a part; a probe is taken at each end."""

    reading: float = 0.0
    _since: float = field(default_factory=time.monotonic)
    _probes: list[float] = field(default_factory=list)

    def lap(self, *, read: bool) -> None:
        """End a part of the plan; `read`: apply does it again."""
        now = time.monotonic()
        if read:
            self.reading += now - self._since
        self._probes += [_probe() for _ in range(3)]
        self._since = time.monotonic()

    @property
    def slowness(self) -> float:
        """How many times longer than on the measured machine things take here now."""
        return max(sum(self._probes) / len(self._probes) / PROBE_SECONDS, 0.05)


def estimated(steps: Sequence[Doc], survey: Survey, watch: Stopwatch, state: State | None) -> Doc:
    """The parts of `cost` that tell of time: `seconds`, and what that rests on."""
    acting = sum(_acting(step, survey) for step in steps)
    # `steps` of folders are files, whose reading and acting are in what they cost.
    going = sum(step["rows"] for step in steps if step["from"] in survey.cells)
    read = sum(
        max(table.estimate, 0)
        for cell in survey.cells.values()
        for table in cell.schema.tables.values()
    )
    rows = watch.reading * ROW * going / max(read, going, 1)
    rounds = 1 + any(
        step["op"] == "create_schema" and survey.cells[step["from"]].declared.kind != "file"
        for step in steps
    )
    modelled = watch.reading * rounds + rows + (FIXED + acting) * watch.slowness if steps else 0.0
    earlier = state.paces(LAST) if state is not None else []
    factor = median(took / said for took, said in earlier) if earlier else 1.0
    return {
        "seconds": round(modelled * factor, 1),
        "rests_on": {
            "reading": round(watch.reading, 3), "slowness": round(watch.slowness, 3),
            "modelled": round(modelled, 3), "applies": len(earlier),
        },
    }  # fmt: skip


def untimed(document: Doc) -> Doc:
    """A plan without what was measured while it was made: what its digest is over."""
    rest = {key: value for key, value in document.items() if key != "digest"}
    for part in ("cost", "what_if"):
        if isinstance(rest.get(part), dict):
            rest[part] = {k: v for k, v in rest[part].items() if k not in ("seconds", "rests_on")}
    return rest


def told(document: Doc) -> tuple[float | None, float | None]:
    """The seconds that a plan names and those that were modelled for it; None for what is not a
    time. No digest covers them, so a file may hold anything there."""
    cost = document.get("cost")
    cost = cost if isinstance(cost, dict) else {}
    rests_on = cost.get("rests_on")
    modelled = rests_on.get("modelled") if isinstance(rests_on, dict) else None
    return _seconds(cost.get("seconds")), _seconds(modelled)


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= LONGEST else None


def _acting(step: Doc, survey: Survey) -> float:
    if step["from"] in survey.folders:
        return float(step["rows"] / FILES_A_SECOND + step["bytes"] / FILE_BYTES_A_SECOND)
    pace = PACES[survey.cells[step["from"]].declared.kind]
    return pace.purge if step["op"] == "purge" else pace.step


def _probe() -> float:
    """Seconds for a fixed piece of work such as apply does: rows, JSON, hashes."""
    began = time.monotonic()
    connection = sqlite3.connect(":memory:")
    rows = [(n, json.dumps({"key": n, "text": "x" * 40}, sort_keys=True)) for n in range(1500)]
    connection.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, body TEXT)")
    connection.executemany("INSERT INTO t VALUES (?, ?)", rows)
    for _, body in connection.execute("SELECT n, body FROM t ORDER BY body"):
        hashlib.sha256(body.encode()).hexdigest()
    connection.close()
    return time.monotonic() - began
