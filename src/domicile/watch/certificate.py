"""A certificate or report that a clause asks for, drafted from the evidence log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from domicile.errors import UsageError
from domicile.estate.document import suggestion
from domicile.estate.load import load_estate
from domicile.evidence.place import read_log, state_directory
from domicile.law.clocks import last_period
from domicile.law.load import load_mandates
from domicile.law.model import Clause, Mandate

Doc = dict[str, Any]


def certificate(path: Path, name: str, day: date) -> Doc:
    """What the log says for the period of a `report` clause (MANDATE/CLAUSE), and the draft.

    The period is the running one of a clause with `every`, else from its effect on. Raises
    UsageError for no such clause, EvidenceError when there is no log, or it does not verify.
    """
    estate = load_estate(path)
    clauses = {
        f"{mandate.id}/{clause.id}": (mandate, clause)
        for mandate in load_mandates(estate, (), day)
        for clause in mandate.clauses
        if clause.kind == "report"
    }
    if name not in clauses:
        raise UsageError(
            f"got {name}, expected a report clause of the estate",
            hint=suggestion(name, clauses, names="Report clauses"),
        )
    mandate, clause = clauses[name]
    start = clause.effective or mandate.effective
    if "every" in clause.body:
        start = last_period(start, clause.body["every"], day)
    log = read_log(state_directory(path))
    every = [log.entry(number) for number in range(log.size)]
    inside = [e for e in every if start.isoformat() <= e["time"][:10] <= day.isoformat()]
    document: Doc = {
        "version": 1,
        "estate": estate.name,
        "controller": estate.controller.name if estate.controller else None,
        "mandate": mandate.id,
        "clause": clause.id,
        "from": start.isoformat(),
        "until": day.isoformat(),
        "log": {"entries": log.size, "in_period": len(inside)},
        "facts": _facts(inside),
    }
    document["text"] = _text(document, mandate, clause)
    return document


def _facts(entries: Sequence[Mapping[str, Any]]) -> list[Doc]:
    """What was done in the period, as counts."""
    moved: dict[tuple[str, str, str], int] = {}
    for entry in entries:
        if entry["kind"] == "batch":
            key = entry["operation"], entry["table"], entry.get("from") or entry.get("store") or ""
            moved[key] = moved.get(key, 0) + entry["rows"]
    facts = [
        {"what": operation, "where": f"{store}: {table}" if store else table, "count": rows}
        for (operation, table, store), rows in sorted(moved.items())
    ]
    for kind, words in (("purge", "purges"), ("verification", "verifications"),
                        ("plan", "plans"), ("watch", "looks with something to tell"),
                        ("refusal", "refusals")):  # fmt: skip
        count = sum(1 for entry in entries if entry["kind"] == kind)
        if count or kind == "verification":  # that nothing was verified is said, not left out
            facts.append({"what": words, "where": "", "count": count})
    checked = [entry for entry in entries if entry["kind"] == "verification"]
    if checked:
        last = checked[-1]
        outcome = "clean" if last["clean"] else "ok, with something held or unknown"
        facts.append({
            "what": f"checks of the last verification, {last['time'][:10]}",
            "where": outcome if last["ok"] else "failed", "count": len(last["checks"]),
        })  # fmt: skip
    return facts


def _text(document: Doc, mandate: Mandate, clause: Clause) -> str:
    citations = dict.fromkeys((mandate.citation, clause.body.get("citation", "")))
    cited = "; ".join(each for each in citations if each)
    until = date.fromisoformat(document["until"])
    lines = [
        f"# {clause.body['what']} (draft)", "",
        f"To: {', '.join(clause.body['to'])}", "",
        f"{mandate.title}.{f' {cited}.' if cited else ''}", "",
        *([] if mandate.binds(clause, until) else
          [f"This clause is not in effect on {until}: nothing has to be told under it.", ""]),
        (f"{document['controller'] or document['estate']}, from {document['from']} to "
        f"{document['until']}:"), "",
        *(
            f"- {fact['what']}{', ' + fact['where'] if fact['where'] else ''}: {fact['count']:,}"
            for fact in document["facts"]
        ),
        *([] if document["log"]["in_period"] else ["- the log holds nothing of this period"]), "",
        (f"These are {document['log']['in_period']} of {document['log']['entries']} entries of a "
        "signed log, which can be checked with `domicile log` or the verifier alone. They say what "
        "was recorded. Whoever signs below says that it is so."), "",
        "Name, role, date: [to be filled in]",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"
