"""What follows when a deadline passes: what the clause's `otherwise` says.

- `move`, `erase`: carried out when it was approved in advance (a clause, a cap of rows, a last day)
  and the plan of that day asks for nothing that was not; else it waits for a plan to be approved.
- `deny`, `mask`, `aggregate`, `stop`, `withdraw`, `restrict`: closed from now on, in
  `standing.json` (`law/standing.py`), which whoever enforces them reads.
- `block`: told; the decision point of devices has the deadline itself.
- anything else: told.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

from domicile.apply.refuse import Cap
from domicile.apply.run import apply_plan
from domicile.errors import DomicileError
from domicile.evidence.place import state_directory
from domicile.law.standing import CLOSES
from domicile.plan.make import make_plan
from domicile.survey.state import State
from domicile.watch.ledger import Approval

CARRIES = frozenset({"move", "erase"})


def carry_out(
    path: Path, name: str, what: str, day: date, approval: Approval | None, bound: str,
    use: Callable[[int], None], progress: Callable[[str], None] = lambda _: None,
) -> tuple[str, bool]:  # fmt: skip
    """Do what follows; what came of it, and whether that is final. Raises DomicileError.

    `bound` is what an approval must be for (`approve.bound_to`); `use` counts rows against it,
    durably, before they are touched.

    Safe to be called again: a finished plan finds nothing more to do.
    """
    if what in CLOSES:
        return what, True
    if what == "block":
        return "blocked by the decision point of devices", True
    if what not in CARRIES:
        return "told", True
    if approval is None or day > approval.until:
        return "waits for a plan to be approved", False
    if approval.digest != bound:
        return "waits: the mandate or the estate changed since it was approved", False
    plan = make_plan(path, (), day, progress)
    asked = {f"{f['mandate']}/{f['clause']}" for f in plan["findings"] if f["state"] == "curable"}
    if not plan["steps"]:
        return "carried out: nothing is left to do", True
    if asked - {name}:
        others = ", ".join(sorted(asked - {name}))
        return f"waits: the plan also asks for {others}", False
    rows = sum(step["rows"] for step in plan["steps"])
    left = approval.max_rows - approval.used
    if rows > left:
        beside = f" and {approval.used} before" if approval.used else ""
        return f"waits: {rows} rows{beside}, more than the {approval.max_rows} approved", False
    use(rows)
    try:
        apply_plan(plan, path, cap=Cap(left), approved=lambda: True)
    except DomicileError:
        if not _begun(path, plan["digest"]):
            use(-rows)
        raise
    return f"carried out: {rows} rows", True


def _begun(path: Path, digest: str) -> bool:
    """Whether a plan that did not finish may have touched anything."""
    state = State(state_directory(path))
    try:
        return state.run_state(digest) != ""
    finally:
        state.close()
