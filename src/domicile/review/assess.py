"""What a review says is first found out, and recorded: the map, the stores against the mandates,
every clause's state. The figures of the review are read back from these entries.

    1. the log is verified; a damaged one ends it, before anything is read
    2. the map is made (entry `survey`)
    3. the stores are held against the mandates (entry `verification`)
    4. every clause's state, what is held, unknown and residual (entries `assessment`)
    5. witnesses are asked to cosign that, when a mandate wants it for a review to count
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from domicile.counted import counted
from domicile.evidence.bulk import CHECKPOINT
from domicile.evidence.cosign import cosign
from domicile.evidence.keys import VerifierKey
from domicile.evidence.kinds import NAME, STATES, make
from domicile.evidence.log import Log
from domicile.evidence.note import Checkpoint, cosignatures, parse_note
from domicile.evidence.place import log_files, open_log, state_directory, verifier_path
from domicile.evidence.reader import read_file
from domicile.evidence.verify import Verified, verify_directory
from domicile.plan.verify import Checked, Examined, examine, verification
from domicile.review.clauses import VERDICTS, Stands, Verdicts, standing
from domicile.survey.datamap import MOST_PEOPLE_LINES, NO_COUNTRY, make_map

Doc = dict[str, Any]
Entry = Mapping[str, Any]

KEPT = frozenset({
    "apply_finished", "apply_started", "approval", "assessment", "batch", "commitment_key",
    "consequence", "device_sync", "key_rotated", "plan", "purge", "receipts", "refusal",
    "standing_approval", "step", "succession", "survey", "undo", "verification",
    "witness_refused"
})  # fmt: skip
"""Kinds of entry that a review looks at; the others are counted."""

MOST_BYTES, MOST_LINES = 45_000, 900
"""Of one list in one entry, which may have 65,535 bytes and 1,000 lines (evidence/fields.py)."""

WITHHELD = "(withheld)"
"""In an entry, for a name that no entry may hold: too long, or with an @ in it."""


@dataclass(frozen=True)
class Cosigned:
    """A cosigned head: how many entries it covers, and who cosigned it when (seconds, 1970)."""

    size: int
    times: Mapping[str, int]  # verifier key → time


@dataclass(frozen=True)
class Assessed:
    """Everything that a review is written from."""

    examined: Examined
    map: Doc
    stands: tuple[Stands, ...]
    devices: Verdicts | None
    log: Log
    entries: Mapping[int, Entry]  # by index, those of `KEPT`
    survey: int
    verification: int
    parts: tuple[int, ...]  # of the assessment, the first with its totals
    cosigned: tuple[Cosigned, ...]
    needs: Sequence[Doc]  # cosignatures that mandates ask for: mandate, need, of

    @property
    def assessment(self) -> int:
        """The entry with the assessment's totals."""
        return self.parts[0]

    def lines(self, name: str) -> Iterator[tuple[int, str, Entry]]:
        """(entry, way, line) of one list of the assessment, over all its entries."""
        for index in self.parts:
            for n, line in enumerate(self.entries[index].get(name, ())):
                yield index, f"{name}.{n}", line

    def of(self, kind: str) -> Iterator[tuple[int, Entry]]:
        """(index, entry) of one kind, in the order of the log."""
        return ((i, e) for i, e in self.entries.items() if e["kind"] == kind)

    def people(self) -> Iterator[tuple[int, str, Entry]]:
        """(entry, way, line) of the people by store and residence."""
        listed = self.entries[self.survey].get("people")
        if listed is None:
            return self.lines("people")
        return ((self.survey, f"people.{n}", line) for n, line in enumerate(listed))

    def missing(self) -> list[tuple[Doc, int]]:
        """The cosignatures that this review lacks to count, each need with how many there are."""
        after = self.parts[-1]
        heads = [set(c.times) for c in self.cosigned if c.size > after]
        found = [(n, max((len(h & set(n["of"])) for h in heads), default=0)) for n in self.needs]
        return [(need, there) for need, there in found if there < need["need"]]


def assess(path: Path, day: date, progress: Callable[[str], None] = lambda _: None) -> Assessed:
    """Find out how the estate declared in `path` stands on `day`, and record it.

    Raises DomicileError; EvidenceError when the log is damaged, StoreUnreachable when a store is:
    a review without it would not be the estate's.
    """
    state = state_directory(path)
    progress("checking the log")
    verified = _verified(state)
    seen = make_map(path, day, progress)
    examined = examine(path, day, progress)
    if verified is not None:
        entries = counted(verified.size, "entry verifies", "entries verify")
        said = f"{entries} under the signed checkpoint"
        examined.checks.append(Checked("evidence", "ok", said))
    estate, plan = examined.estate, examined.plan
    devices = _devices(path) if estate.fleets else None
    stands = standing(estate, examined.mandates, plan, devices, day)
    log = open_log(state, estate.name)
    before = verified.kinds if verified is not None else {}
    parts = list(_assessment(examined, seen, stands, devices, before))
    checked, *indices = log.append([verification(examined), *parts])
    needed = plan["witnesses"]
    _ask(log, examined, needed)
    kept = {i: e for i, e in log.entries() if e["kind"] in KEPT}
    surveys = [
        i for i, e in kept.items()
        if e["kind"] == "survey" and e["map_digest"] == seen["digest"]
    ]  # fmt: skip
    return Assessed(
        examined, seen, stands, devices, log, kept, surveys[-1], checked, tuple(indices),
        tuple(_cosigned(log, [w.key for w in estate.witnesses])), needed,
    )  # fmt: skip


def _verified(state: Path) -> Verified | None:
    """The log that is there, checked; None when there is none yet. Raises EvidenceError."""
    files = log_files(state)
    if not verifier_path(state).exists() and read_file(files, CHECKPOINT) is None:
        return None
    return verify_directory(files, verifier_path(state))


def _devices(path: Path) -> Verdicts:
    """Devices by clause and verdict, as the fleets were last read."""
    from domicile.devices.report import report

    return {
        (c["mandate"], c["clause"]): {v: c[v] for v in VERDICTS} for c in report(path)["clauses"]
    }


def _ask(log: Log, examined: Examined, needed: Sequence[Doc]) -> None:
    """Ask the witnesses that a mandate wants, and that can be asked, to cosign the assessment."""
    wanted = {key for need in needed for key in need["of"]}
    asked = [
        (w.name, VerifierKey.parse(w.key), w.url)
        for w in examined.estate.witnesses
        if w.key in wanted and w.url
    ]
    if asked:
        cosign(log, examined.estate.name, asked)


def _cosigned(log: Log, keys: Sequence[str]) -> Iterator[Cosigned]:
    """The cosigned heads of the log, by the estate's witnesses."""
    witnesses = [VerifierKey.parse(key) for key in keys]
    for note in log.cosigned():
        times = {str(key): time for key, time in cosignatures(note, witnesses).items()}
        yield Cosigned(Checkpoint.parse(parse_note(note).text).size, times)


def _assessment(
    examined: Examined, seen: Doc, stands: Sequence[Stands], devices: Verdicts | None,
    counts: Mapping[str, int],
) -> Iterator[Doc]:  # fmt: skip
    """The assessment as entries: names, counts and words of closed lists only."""
    common: Doc = {
        "as_of": examined.day.isoformat(), "estate_digest": examined.estate.digest,
        "mandates": [{"mandate": m.id, "digest": m.digest} for m in examined.mandates],
    }  # fmt: skip
    states = Counter[str](s.state for s in stands)
    totals: Doc = {
        "map_digest": seen["digest"],
        "states": [{"state": s, "clauses": states[s]} for s in sorted(STATES)],
        "looks": [{"kind": k, "entries": n} for k, n in sorted(counts.items())],
    }
    for part in _parts(_lines(examined, seen, stands, devices)):
        yield make("assessment", examined.estate.name, **common, **totals, **part)
        totals = {}


def _lines(
    examined: Examined, seen: Doc, stands: Sequence[Stands], devices: Verdicts | None
) -> Iterator[tuple[str, Doc]]:
    """(list, line) of the assessment."""
    plan = examined.plan
    for s in stands:
        yield "clauses", {
            "mandate": s.mandate.id, "clause": s.clause.id, "state": s.state,
            "findings": s.findings, "people": s.people, "rows": s.rows,
        }  # fmt: skip
    for held in plan["held"]:
        yield "held", {
            "store": held["store"], "table": fits(held["table"]), "rows": held["rows"],
            "code": held["code"].replace(" ", "_"),
        }  # fmt: skip
    doubts: Counter[tuple[str, str, str]] = Counter()
    for doubt in plan["unknown"]:
        doubts[doubt["store"], fits(doubt["table"]), doubt["code"]] += doubt["count"]
    for (store, table, code), count in doubts.items():
        yield "unknown", {"store": store, "table": table, "code": code, "count": count}
    for kept in examined.remains:
        if kept.stubs:
            yield "remains", {"store": kept.store, "residue": "stub_key", "rows": kept.stubs}
        for table, rows in kept.copies.items():
            line = {"store": kept.store, "residue": "split_copy", "rows": rows}
            yield "remains", {**line, "table": fits(table)}
    for (mandate, clause), verdicts in (devices or {}).items():
        yield "devices", {"mandate": mandate, "clause": clause, **verdicts}
    if len(seen["people"]) > MOST_PEOPLE_LINES:  # then the entry of the map has none
        for line in seen["people"]:
            residence = line["residence"] or NO_COUNTRY
            kept_line = {k: line[k] for k in ("subject", "store", "people", "minors")}
            yield "people", {**kept_line, "residence": residence}


def _parts(lines: Iterable[tuple[str, Doc]]) -> Iterator[dict[str, list[Doc]]]:
    """Lists that fit in an entry each; at least one part, and be it empty."""
    part: dict[str, list[Doc]] = {}
    size = count = 0
    for name, line in lines:
        if size > MOST_BYTES or count == MOST_LINES:
            yield part
            part, size, count = {}, 0, 0
        part.setdefault(name, []).append(line)
        size += len(json.dumps(line))
        count += 1
    yield part


def fits(name: str) -> str:
    """The name, or a word in its place when no entry may hold it."""
    return name if NAME.holds(name) else WITHHELD
