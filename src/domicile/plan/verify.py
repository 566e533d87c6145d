"""`verify`: the stores read again and held against the mandates. Design.md sections 2, 5 and 9."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

from domicile.counted import counted
from domicile.errors import EvidenceError
from domicile.estate.model import Estate
from domicile.evidence.bulk import Bulk
from domicile.evidence.kinds import make
from domicile.evidence.place import log_files, open_log, state_directory, verifier_path
from domicile.evidence.verify import verify_directory
from domicile.law.kinds import enforced_by
from domicile.law.model import Mandate
from domicile.law.standing import Closed, closed_now
from domicile.plan.declared import declarations
from domicile.plan.findings import Report
from domicile.plan.objects_verify import check_files
from domicile.plan.planner import Outcome, Planner
from domicile.plan.verify_files import check_bytes
from domicile.survey.ownership import Shapes
from domicile.survey.state import State
from domicile.survey.survey import Cell, Survey
from domicile.survey.work import Work

Status = Literal["ok", "held", "unknown", "failed"]


@dataclass(frozen=True)
class Checked:
    """One check and what it found."""

    name: str
    status: Status
    detail: str


@dataclass(frozen=True)
class Remains:
    """What one store keeps of rows that left, on purpose or by its nature."""

    store: str
    stubs: int  # rows with a key and nothing personal
    idle: int  # of these, such as nothing points at any more
    tables: int  # in which they stand
    copies: Mapping[str, int]  # table → pseudonymised copies that `joint: split` left
    natural: Sequence[tuple[str, str]]  # what the store keeps by its nature, what removes it


@dataclass(frozen=True)
class Examined:
    """The stores as they were read, held against the mandates."""

    day: date
    estate: Estate
    mandates: tuple[Mandate, ...]
    plan: dict[str, Any]  # what a plan would say now
    checks: list[Checked]
    remains: list[Remains]


def verify_stores(
    path: Path, *, as_of: date | None = None, progress: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Check every store of the estate, and its own log; the document of `verify --json`.

    Raises DomicileError when something cannot be read at all. The log records the outcome.
    """
    found = examine(path, as_of or datetime.now(UTC).date(), progress)
    directory = state_directory(path)
    log = open_log(directory, found.estate.name)
    found.checks.append(verify_log(log_files(directory), str(verifier_path(directory))))
    document = {**document_of(found.checks), "warnings": found.plan["warnings"]}
    log.append([verification(found)])
    return document


def examine(path: Path, day: date, progress: Callable[[str], None] = lambda _: None) -> Examined:
    """Read every store and hold it against the mandates of that day; nothing is recorded.

    Raises DomicileError when something cannot be read at all.
    """
    estate, mandates, _ = declarations(path, (), day)
    directory = state_directory(path)
    state = State(directory)
    try:
        with Survey(estate, state) as survey:
            planner = Planner(survey, mandates, day, progress=progress)
            outcomes = planner.run()
            report = Report(survey, mandates, day, outcomes, planner.files)
            progress("searching for people that no key leads to")
            plan = report.document()
            checks = [c for o in outcomes for c in _rest(o.cell.name, plan)]
            for files in planner.files:
                for number in files.concerned():
                    checks += _rest(files.objects.stores[number].name, plan, "file")
                progress("reading files that were carried home")
                checks += [Checked(*said) for said in check_files(files, plan)]
            progress("checking keys")
            checks += [c for cell in survey.cells.values() for c in _keys(cell)]
            remains = [_remains(outcome.cell) for outcome in outcomes]
            for outcome, kept in zip(outcomes, remains, strict=True):
                checks += _bytes(outcome, report, state, kept)
        checks += [_closed(each, plan) for each in closed_now(directory, mandates, day)]
    finally:
        state.close()
    return Examined(day, estate, mandates, plan, checks, remains)


def verify_log(files: Path | Bulk, key: str) -> Checked:
    """The log from its files and its public key alone."""
    try:
        verified = verify_directory(files, _verifier(key))
    except EvidenceError as error:
        return Checked("evidence", "failed", error.message)
    return Checked(
        "evidence",
        "ok",
        f"{counted(verified.size, 'entry verifies', 'entries verify')} under the signed checkpoint",
    )


def _verifier(key: str) -> str | Path:
    path = Path(key)
    return path if path.exists() else key


def document_of(checks: list[Checked]) -> dict[str, Any]:
    """The contract's document."""
    statuses = {c.status for c in checks}
    return {
        "version": 1,
        "ok": "failed" not in statuses,
        "clean": statuses <= {"ok"},
        "checks": [{"name": c.name, "status": c.status, "detail": c.detail} for c in checks],
    }


def _rest(name: str, plan: dict[str, Any], what: str = "row") -> list[Checked]:
    """Whether protected people's rows, or files, rest in this store."""
    mine = [f for f in plan["findings"] if f["store"] == name]
    checks: list[Checked] = []
    curable = [f for f in mine if f["state"] == "curable"]
    for mandate, clause in sorted({(f["mandate"], f["clause"]) for f in curable}):
        found = [f for f in curable if (f["mandate"], f["clause"]) == (mandate, clause)]
        rows = sum(f["rows"] for f in found)
        checks.append(Checked(
            f"rest {name} {mandate}.{clause}", "failed",
            f"{counted(rows, what)} in {counted(len(found), 'table')} where the clause does not "
            "allow it; plan and apply cure that",
        ))  # fmt: skip
    if not curable:
        left = ", but for what is held" if any(f["state"] == "held" for f in mine) else ""
        checks.append(
            Checked(f"rest {name}", "ok", f"no {what} that a clause wants elsewhere{left}")
        )
    checks += [
        Checked(f"held {name} {h['table']}", "held", f"{counted(h['rows'], what)}: {h['reason']}")
        for h in plan["held"]
        if h["store"] == name
    ]
    checks += [
        Checked(
            f"unknown {name} {u['table']}{'.' + u['column'] if u['column'] else ''}",
            "unknown", u["reason"],
        )
        for u in plan["unknown"]
        if u["store"] == name
    ]  # fmt: skip
    return checks


def _closed(closed: Closed, plan: dict[str, Any]) -> Checked:
    """Whether what is closed since its deadline is closed, as far as what is declared tells."""
    name = f"closed {closed.mandate}.{closed.clause}"
    since = f"{closed.what} since its deadline {closed.due}"
    mine = (closed.mandate, closed.clause)
    broken = sum((f["mandate"], f["clause"]) == mine for f in plan["findings"])
    if broken:
        what = counted(broken, "declared flow or service", "declared flows or services")
        return Checked(name, "failed", f"{since}, and broken by {what}")
    if closed.kind in ("use", "offer"):
        return Checked(name, "ok", f"{since}: nothing that is declared breaks it")
    by = enforced_by(closed.kind)
    return Checked(name, "unknown", f"{since}: whether requests are closed to is not seen ({by})")


def _keys(cell: Cell) -> list[Checked]:
    """Every reference that the store should hold leads somewhere, whoever enforces it."""
    broken: list[str] = []
    shapes = Shapes(cell.graph, cell.session.dialect)
    count = 0
    for table in cell.schema.tables:
        for edge in cell.graph.edges[table]:
            if not edge.binding or edge.declared:  # a declared link may have led nowhere before
                continue
            count += 1
            given = " AND ".join(
                f"t.{cell.session.dialect.quote(c)} IS NOT NULL" for c in edge.columns
            )
            rows = cell.session.query(
                f"SELECT count(*) FROM {cell.session.dialect.table(table)} t WHERE {given} "
                f"AND NOT EXISTS (SELECT 1 FROM {cell.session.dialect.table(edge.parent)} p "
                f"WHERE {shapes.refers(edge, 't', 'p')})"
            )[0][0]
            if rows:
                broken.append(
                    f"{counted(rows, 'row')} of {cell.graph.name(table)} "
                    f"{'refers' if rows == 1 else 'refer'} to nothing by "
                    f"{', '.join(edge.columns)}"
                )
    if broken:
        return [Checked(f"keys {cell.name}", "failed", "; ".join(broken))]
    said = {0: "no reference that a store holds", 1: "the one reference leads to a row"}.get(
        count, f"all {count} references lead to a row"
    )
    return [Checked(f"keys {cell.name}", "ok", said)]


def _remains(cell: Cell) -> Remains:
    work = Work(cell.session, "vs")
    copies = {
        str(cell.graph.name(t)): n for t, c in sorted(cell.copies.items()) if (n := work.count(c))
    }
    return Remains(
        cell.name,
        stubs=sum(work.count(s) for s in cell.stubs.values()) - sum(copies.values()),
        idle=sum(work.count(s) for s in cell.unneeded.values()),
        tables=len(cell.stubs),
        copies=copies,
        natural=cell.store.residues(),
    )


def _bytes(outcome: Outcome, report: Report, state: State, kept: Remains) -> list[Checked]:
    """What is left of people who went home: unpurged tables, bytes in live files, by nature."""
    cell = outcome.cell
    checks: list[Checked] = []
    unpurged = state.unpurged(cell.name)
    if unpurged:
        checks.append(Checked(
            f"purge {cell.name}", "failed",
            f"rows left {', '.join(unpurged)}, and their bytes were not purged yet: apply again",
        ))  # fmt: skip
    checks.append(Checked(*check_bytes(outcome, report)))
    if kept.stubs:
        checks.append(Checked(
            f"stubs {cell.name}", "ok",
            f"{counted(kept.stubs, 'stub keeps', 'stubs keep')} the keys of rows that went, in "
            f"{counted(kept.tables, 'table')}"
            + (f"; nothing points at {kept.idle} of them: plan and apply remove them"
               if kept.idle else ""),
        ))  # fmt: skip
    names = {str(cell.graph.name(t)): t for t in cell.copies}
    for shown, rows in kept.copies.items():
        keep = cell.graph.declared(names[shown]).keep
        checks.append(Checked(
            f"split {cell.name} {shown}", "ok",
            f"{rows} rows are pseudonymised copies of what people elsewhere wrote; kept of it: "
            f"{', '.join(keep) or 'nothing'}",
        ))  # fmt: skip
    checks += [
        Checked(f"by nature {cell.name}: {what}", "ok", f"may keep what left; {until}")
        for what, until in kept.natural
    ]
    return checks


def verification(found: Examined) -> dict[str, Any]:
    """The outcome as an entry of the log: counts only."""
    statuses = [c.status for c in found.checks]
    return make(
        "verification", found.estate.name, ok="failed" not in statuses,
        clean=set(statuses) <= {"ok"},
        checks=[
            {"check": s, "status": s, "count": statuses.count(s)} for s in sorted(set(statuses))
        ],
        estate_digest=found.estate.digest, as_of=found.day.isoformat(), held=statuses.count("held"),
        unknown=statuses.count("unknown"), failed=statuses.count("failed"),
    )  # fmt: skip
