"""Whether a plan has the approvals and the cosignatures that its mandates ask for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from domicile.errors import EvidenceError, PlanRefused
from domicile.estate.model import Estate
from domicile.evidence.approval import Approvals
from domicile.evidence.kinds import now
from domicile.evidence.log import Log
from domicile.law.model import Mandate
from domicile.plan.document import Document
from domicile.plan.needs import needs
from domicile.survey.state import State


def check_approved(
    plan: Document, estate: Estate, mandates: Sequence[Mandate], log: Log, state: State
) -> None:
    """Refuse a plan that lacks an approval or a cosignature. Raises PlanRefused.

    A plan that had begun goes on: it was approved then.
    """
    if state.run_state(plan["digest"]) == "started":
        return
    asked = needs(estate, mandates, date.fromisoformat(plan["as_of"]))
    for part, value in asked.items():
        if plan.get(part, []) != value:
            raise PlanRefused(
                f"the plan's {part} are not those that its mandates ask for",
                hint="make a new plan, review it, and apply that", code="plan_tampered",
            )  # fmt: skip
    if not any(asked.values()):
        return
    found = Approvals(plan, log.entries())
    if found.last < 0:
        raise PlanRefused(
            "the log does not hold this plan", hint="make it with domicile plan beside this estate",
            code="approval_missing",
        )  # fmt: skip
    try:
        heads = list(log.cosigned())
        found.require(max(now(), found.last_seen(heads)))  # a clock that went back prolongs nothing
        found.require_cosigned(heads)
    except EvidenceError as error:
        raise PlanRefused(error.message, hint=error.hint, code="cosignature_missing") from error
