"""Makes the plan of an estate: load, survey, plan, report, record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from domicile.evidence.kinds import make
from domicile.evidence.place import open_log, state_directory
from domicile.law.standing import closed_now
from domicile.plan.declared import declarations
from domicile.plan.document import Document, digest_of
from domicile.plan.estimate import Stopwatch, estimated
from domicile.plan.findings import Report
from domicile.plan.forecast import forecast
from domicile.plan.planner import Planner
from domicile.survey.lake_kept import Kept
from domicile.survey.state import State
from domicile.survey.survey import Survey


def make_plan(
    path: Path, extra: Sequence[str | Path] = (), as_of: date | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Document:  # fmt: skip
    """The plan document for the estate declared in `path`. Raises DomicileError.

    The log records that it was made: counts and digests only.
    """
    day = as_of or datetime.now(UTC).date()
    estate, mandates, proposed = declarations(path, extra, day)
    directory = state_directory(path)
    state = State(directory)
    watch = Stopwatch()
    try:
        kept = Kept(directory, estate.digest, note=True)
        with Survey(estate, state, kept=kept) as survey:
            planner = Planner(survey, mandates, day, proposed, progress)
            outcomes = planner.run()
            watch.lap(read=True)
            progress("classifying columns")
            document = Report(survey, mandates, day, outcomes, planner.files, proposed).document()
            watch.lap(read=False)
            document["cost"] |= estimated(document["steps"], survey, watch, state)
        closed = closed_now(directory, mandates, day)
        document["closed"] = [each.as_json() for each in closed]
        document["digest"] = digest_of(document)
        if proposed:
            progress("what the mandates tried out would cost")
            document["what_if"] = forecast(estate, mandates, proposed, day, state, progress)
            document["digest"] = digest_of(document)
    finally:
        state.close()
    log = open_log(directory, estate.name)
    states = [f["state"] for f in document["findings"]]
    log.append([
        make(
            "plan", estate.name, plan=document["digest"], estate_digest=estate.digest,
            mandates=[{"mandate": m.id, "digest": m.digest} for m in mandates],
            steps=len(document["steps"]), as_of=document["as_of"],
            curable=states.count("curable"), held=len(document["held"]),
            unknown=len(document["unknown"]), rows=document["cost"]["rows"],
        )
    ])  # fmt: skip
    return document
