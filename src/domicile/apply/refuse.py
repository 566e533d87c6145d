"""When apply refuses a plan: changed, finished, of another estate, over its cap, out of date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domicile.counted import counted
from domicile.errors import PlanRefused, UsageError
from domicile.estate.model import Estate
from domicile.law.model import Mandate
from domicile.plan.document import Document
from domicile.plan.objects import FilePlan
from domicile.plan.planner import Outcome
from domicile.stores.schema import digest_of
from domicile.survey.state import State
from domicile.survey.survey import Survey, exact_rows
from domicile.survey.work import Work

AGAIN = "make a new plan, review it, and apply that"


@dataclass(frozen=True)
class Cap:
    """How many rows apply may touch: a number, or a percentage of the rows in the sources."""

    number: float
    percent: bool = False

    @classmethod
    def parse(cls, text: str) -> Cap:
        """`1000` or `5%`. Raises UsageError."""
        percent = text.endswith("%")
        try:
            number = float(text[:-1]) if percent else int(text)
        except ValueError:
            number = -1
        # Not a number compares as false with everything.
        if not number >= 0 or (percent and number > 100):
            raise UsageError(f"--max-rows: got {text!r}, expected a number or 0% to 100%")
        return cls(number, percent)

    def check(
        self, survey: Survey, outcomes: Sequence[Outcome], files: Sequence[FilePlan] = ()
    ) -> None:
        """Refuse when more rows and files would be touched now. Raises PlanRefused."""
        touched = sum(
            rows
            for outcome in outcomes
            for closure in outcome.closures.values()
            for _, _, rows, _ in closure.operations()
        )
        touched += sum(
            Work(cell.session, "us").count(stubs)
            for cell in survey.cells.values()
            for stubs in cell.unneeded.values()
        )
        touched += sum(plan.going() for plan in files)
        limit = self.number
        if self.percent:
            total = sum(sum(exact_rows(o.cell).values()) for o in outcomes)
            total += sum(plan.total() for plan in files)
            limit = total * self.number / 100
        if touched > limit:
            raise PlanRefused(
                f"{counted(touched, 'row')} would be touched, and --max-rows allows {int(limit):,}",
                hint="nothing was changed; raise the cap if that is what you mean",
                code="over_cap",
            )


def check_before(plan: Document, estate: Estate, mandates: Sequence[Mandate], state: State) -> None:
    """What can be told without a store. Raises PlanRefused."""
    if plan["estate"] != estate.name:
        raise PlanRefused(
            f"the plan is for estate {plan['estate']!r}, this is {estate.name!r}", hint=AGAIN
        )
    if plan["estate_digest"] != estate.digest:
        raise PlanRefused(f"{estate.file} changed after the plan was made", hint=AGAIN)
    now = {m.id: m.digest for m in mandates}
    then = {m["id"]: m["digest"] for m in plan["mandates"]}
    changed = sorted(m for m in {*now, *then} if now.get(m) != then.get(m) and m in now)
    if changed:
        raise PlanRefused(
            f"mandates changed after the plan was made: {', '.join(changed)}", hint=AGAIN
        )
    gone = sorted({f["mandate"] for f in plan["findings"] if f["state"] == "curable"} - set(now))
    if gone:
        raise PlanRefused(
            f"mandates of the plan are no longer declared: {', '.join(gone)}", hint=AGAIN
        )
    if state.run_state(plan["digest"]) == "finished":
        raise PlanRefused(
            "this plan was carried out already",
            hint="plan again: it has steps only if something new is to be done",
            code="plan_finished",
        )


def check_schemas(plan: Document, survey: Survey, *, resumed: bool = False) -> None:
    """Whether every schema is as the plan saw it. Raises PlanRefused.

    `resumed`: a store that was empty then may have been given its schema by this plan.
    """
    for cell in survey.cells.values():
        then = plan["schemas"].get(cell.name)
        if then == cell.schema.digest or (resumed and then == digest_of({})):
            continue
        raise PlanRefused(
            f"store {cell.name}: its schema changed after the plan was made", hint=AGAIN,
            code="schema_changed",
        )  # fmt: skip


def check_drift(
    plan: Document, survey: Survey, outcomes: Sequence[Outcome], files: Sequence[FilePlan] = ()
) -> None:
    """Whether the stores are still as the plan saw them; growth is. Raises PlanRefused."""
    check_schemas(plan, survey)
    planned = {p["store"]: p for p in plan["people"]}
    found = [(o.identity(), bool(o.closures)) for o in outcomes]
    found += [(identity, True) for folders in files for identity in folders.identities()]
    for now, acts in found:
        then = planned.pop(now["store"], None)
        if then is None:
            if acts and now["people"]:
                raise PlanRefused(
                    f"store {now['store']}: people are to be acted on there whom the plan "
                    "does not know", hint=AGAIN,
                )  # fmt: skip
            continue
        lost = then["people"] - now["people"]
        same_number = lost == 0 and then["digest"] != now["digest"]
        if lost > 0 or same_number:
            said = "as many, but others" if same_number else f"{now['people']} now"
            raise PlanRefused(
                f"store {now['store']}: the people to be acted on are no longer those of "
                f"the plan ({then['people']} then, {said})", hint=AGAIN,
            )  # fmt: skip
    if any(p["people"] for p in planned.values()):
        raise PlanRefused(f"store {', '.join(planned)}: nobody there is to be acted on", hint=AGAIN)
