"""Receipts of a run: the tree of the people it acts on, built before it begins and noted at its
end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from domicile.apply.context import Run
from domicile.errors import EvidenceError, PlanRefused
from domicile.evidence.people_tree import DESCRIPTION, Group, PeopleTree, build, frame
from domicile.evidence.place import generations
from domicile.evidence.receipt import key_for, statement_digest, tree_directory
from domicile.plan.planner import Outcome
from domicile.stores.base import Row


def prepare_receipts(run: Run, outcomes: Sequence[Outcome]) -> None:
    """Build and store the tree of everybody whom this plan acts on; nothing when there is nobody.

    People who come under it while it runs get theirs with the next plan. Raises PlanRefused when
    the people secret was destroyed, or the tree cannot be written: nothing has begun yet.
    """
    state = run.state.directory
    groups: list[Group] = []
    statements: list[dict[str, str]] = []
    acts: list[dict[str, Any]] = []
    for outcome in outcomes:
        for act, closure in outcome.closures.items():
            for name, relation in outcome.ownership.people.items():
                said = {
                    "act": "moved" if act.home else "erased", "plan": run.digest,
                    "from": outcome.cell.name, **({"to": act.home} if act.home else {}),
                }  # fmt: skip
                people = outcome.cell.people[name]
                noted = {
                    "act": said["act"], "subject": name, "people": 0, "from": said["from"],
                    **({"to": said["to"]} if act.home else {}),
                }  # fmt: skip
                keys = _counted(people.keys_in(relation, closure.block), noted)
                groups.append(Group(statement_digest(said), frame(name.encode()), keys))
                statements.append(said)
                acts.append(noted)
    if not groups:
        return
    directory = tree_directory(state, run.digest)
    unique = [dict(s) for s in {tuple(sorted(s.items())) for s in statements}]
    description = {
        "plan": run.digest, "generation": generations(state), "acts": acts,
        "statements": sorted(unique, key=lambda s: sorted(s.items())),
    }  # fmt: skip
    try:
        build(directory, groups, key_for(state, run.digest), description)
    except OSError as error:
        raise PlanRefused(
            f"the receipts cannot be written to {directory}: {error.strerror}",
            hint="free space there, and run the same command again", code="store_refused",
        ) from error  # fmt: skip
    except EvidenceError as error:
        raise PlanRefused(error.message, hint=error.hint, code="store_refused") from error


def _counted(batches: Iterable[list[Row]], noted: dict[str, Any]) -> Iterator[pa.Array]:
    """The keys as texts, the parts of composite ones with a comma between them; counted."""
    for batch in batches:
        noted["people"] += len(batch)
        yield pa.array([",".join(map(str, row)) for row in batch], pa.string())


def note_receipts(run: Run) -> None:
    """The entry that holds the root of the tree, with the end of the run."""
    directory = tree_directory(run.state.directory, run.digest)
    if not (directory / DESCRIPTION).exists():
        return
    tree = PeopleTree(directory)
    if tree.size:
        acts = [act for act in tree.description["acts"] if act["people"]]
        run.note(
            "receipts", plan=run.digest, run=run.number, people_root=tree.description["root"],
            people=tree.size, acts=acts,
        )  # fmt: skip
