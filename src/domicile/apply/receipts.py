"""Receipts of a run: the tree of the people it acts on, built before it begins, mended when its
end was another, and noted then.

A receipt must be true. Who is held gets none; and where a run was disturbed (rows changed under
way, or it was cut off), everybody is looked for once more: whoever stayed after all is left out.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from domicile.apply.context import Run
from domicile.durable.files import sync
from domicile.errors import EvidenceError, PlanRefused, Stopped
from domicile.estate.model import Estate
from domicile.evidence.people_tree import DESCRIPTION, Group, PeopleTree, build, frame
from domicile.evidence.place import generations
from domicile.evidence.receipt import key_for, statement_digest, tree_directory
from domicile.plan.planner import Outcome
from domicile.stores.base import Row
from domicile.survey.people import People
from domicile.survey.survey import Survey

LOOKED_UP = 200_000
"""People looked for at once in a register."""

NEW, OLD = ".new", ".old"
"""Endings of the directory of keys while it is not whole: being filled, being removed."""

Doc = dict[str, Any]
Batches = Iterator[pa.RecordBatch]
"""Keys as texts, a column for each part."""


@dataclass(frozen=True)
class Act:
    """What is done with people of one subject in one store, and their keys as texts."""

    said: dict[str, str]
    subject: str
    people: Callable[[], Batches]


def prepare_receipts(run: Run, outcomes: Sequence[Outcome]) -> None:
    """Build and store the tree of everybody whom this plan acts on; nothing when there is nobody.

    People who come under it while it runs get theirs with the next plan. Raises PlanRefused when
    the people secret was destroyed, or the tree cannot be written: nothing has begun yet.
    """
    acts = [act for outcome in outcomes for act in _acts(run, outcome)]
    forget_keys(run)
    kept = _kept(run, NEW)
    try:
        kept.mkdir(mode=0o700, parents=True)
        if acts:
            _build(run, [
                Act(act.said, act.subject, _keeping(kept / str(number), act))
                for number, act in enumerate(acts)
            ])  # fmt: skip
    except OSError as error:
        raise PlanRefused(
            f"the receipts cannot be written to {kept.parent}: {error.strerror}",
            hint="free space there, and run the same command again", code="store_refused",
        ) from error  # fmt: skip
    except EvidenceError as error:
        raise PlanRefused(error.message, hint=error.hint, code="store_refused") from error


def unprepared(run: Run) -> bool:
    """Whether a run was cut off before its first row could go: its people are to be listed anew."""
    return _kept(run, NEW).exists()


def keep_keys(run: Run) -> None:
    """From here on rows go: what `prepare_receipts` listed is whole, and stays until the end.

    Raises Stopped.
    """
    new, kept = _kept(run, NEW), _kept(run)
    try:
        sync(new)
        new.rename(kept)
        sync(kept.parent)
    except OSError as error:
        raise Stopped(
            f"the receipts cannot be written to {kept.parent}: {error.strerror}",
            hint="no row has gone yet; mend that and run the same command again",
        ) from error


def note_receipts(run: Run, estate: Estate, *, disturbed: bool) -> None:
    """The entry that holds the root of the tree, with the end of the run.

    `disturbed`: perhaps not all went that were to go when the tree was built. Raises Stopped when
    it cannot be built again.
    """
    directory, kept = tree_directory(run.state.directory, run.digest), _kept(run)
    some = kept.exists() and any(kept.iterdir())
    if some and (disturbed or not (directory / DESCRIPTION).exists()):
        try:
            with Survey(estate, run.state) as survey:
                survey.people()
                _build(run, list(_done(kept, survey)))
        except (OSError, EvidenceError) as error:
            raise Stopped(
                f"the receipts cannot be written to {directory}: {error}",
                hint="every row is where it should be; mend that and run the same command again",
            ) from error
    if not (directory / DESCRIPTION).exists():
        return
    tree = PeopleTree(directory)
    if tree.size:
        acts = [act for act in tree.description["acts"] if act["people"]]
        run.note(
            "receipts", plan=run.digest, run=run.number, people_root=tree.description["root"],
            people=tree.size, acts=acts,
        )  # fmt: skip


def forget_keys(run: Run) -> None:
    """The keys that were kept for the end of the run, once it is over. Harmless when there are
    none."""
    kept, old = _kept(run), _kept(run, OLD)
    # By another name first: a part of them would be taken for all.
    with suppress(OSError):
        shutil.rmtree(old, ignore_errors=True)
        kept.rename(old)
    for each in (old, kept, _kept(run, NEW)):
        shutil.rmtree(each, ignore_errors=True)


def _acts(run: Run, outcome: Outcome) -> Iterator[Act]:
    """What the plan is to do with whom: of those whose register row is here, where that goes."""
    for action, closure in outcome.closures.items():
        for name, relation in outcome.ownership.people.items():
            people = outcome.cell.people[name]
            going = ""
            if people.local:
                going = closure.going.get(people.subject.register.table, "")
                if not going:
                    continue
            said = {
                "act": "moved" if action.home else "erased", "plan": run.digest,
                "from": outcome.cell.name, **({"to": action.home} if action.home else {}),
            }  # fmt: skip
            yield Act(said, name, _reading(people, relation, closure.block, going))


def _reading(people: People, relation: str, block: int, going: str) -> Callable[[], Batches]:
    return lambda: people.keys_in(relation, block, going)


def _done(kept: Path, survey: Survey) -> Iterator[Act]:
    """The acts whose keys were kept, with those people of whom it is true by now."""
    for file in sorted(kept.iterdir(), key=lambda f: int(f.name)):
        with _open(file) as (said, subject, _):
            source, home = survey.cells[said["from"]], survey.cells.get(said.get("to", ""))
        here = source.people[subject]
        there = home.people[subject] if home else None
        yield Act(said, subject, _those(file, here, there))


def _those(file: Path, here: People, there: People | None) -> Callable[[], Batches]:
    def those() -> Batches:
        with _open(file) as (_, _, batches):
            if not here.local:
                yield from batches
                return
            for keys in _together(batches):
                stayed = {tuple(row[:-2]) for row in here.find(keys)}
                keys = [key for key in keys if key not in stayed]
                if there is not None and keys:
                    # Deleted by an application meanwhile: neither here nor there.
                    keys = [tuple(row[:-2]) for row in there.find(keys)]
                if keys:
                    columns = [pa.array(c, pa.string()) for c in zip(*keys, strict=True)]
                    yield pa.RecordBatch.from_arrays(columns, here.keys)

    return those


def _build(run: Run, acts: Sequence[Act]) -> None:
    groups: list[Group] = []
    noted: list[Doc] = []
    for act in acts:
        line: Doc = {
            "act": act.said["act"], "subject": act.subject, "people": 0,
            **{end: act.said[end] for end in ("from", "to") if end in act.said},
        }  # fmt: skip
        keys = _counted(act.people, line)
        groups.append(Group(statement_digest(act.said), frame(act.subject.encode()), keys))
        noted.append(line)
    unique = [dict(s) for s in {tuple(sorted(act.said.items())) for act in acts}]
    state = run.state.directory
    description = {
        "plan": run.digest, "generation": generations(state), "acts": noted,
        "statements": sorted(unique, key=lambda s: sorted(s.items())),
    }  # fmt: skip
    since = time.monotonic()
    build(tree_directory(state, run.digest), groups, key_for(state, run.digest), description)
    run.receipts_seconds += time.monotonic() - since


def _counted(batches: Callable[[], Batches], noted: Doc) -> Iterator[pa.Array]:
    """The keys as texts, the parts of composite ones with a comma between them; counted."""
    for batch in batches():
        parts = batch.columns
        keys = parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, ",")
        keys = keys.drop_null()  # nobody can ask by a key that is not one
        noted["people"] += len(keys)
        yield keys


# The keys of a run under way, beside the trees, in the directory that holds keys of rows anyway.


def _kept(run: Run, ending: str = "") -> Path:
    directory = tree_directory(run.state.directory, run.digest)
    return directory.with_name(f"{directory.name}.keys{ending}")


def _keeping(file: Path, act: Act) -> Callable[[], Batches]:
    """The same keys, written to a file on the way. Durable when the last one was taken."""

    def through() -> Batches:
        said = {b"said": json.dumps(act.said).encode(), b"subject": act.subject.encode()}
        with ExitStack() as stack:
            writer = None
            for batch in act.people():
                if writer is None:
                    out = stack.enter_context(file.open("xb"))
                    stack.callback(os.fsync, out.fileno())
                    stack.callback(out.flush)
                    schema = batch.schema.with_metadata(said)
                    writer = stack.enter_context(pa.ipc.new_stream(out, schema))
                writer.write_batch(batch)
                yield batch

    return through


def _together(batches: Batches) -> Iterator[list[Row]]:
    """The same keys as rows in longer lists: each look at a register reads it whole."""
    waiting: list[Row] = []
    for batch in batches:
        waiting += zip(*(c.to_pylist() for c in batch.columns), strict=True)
        if len(waiting) >= LOOKED_UP:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


@contextmanager
def _open(file: Path) -> Iterator[tuple[dict[str, str], str, Batches]]:
    """What a file of keys says, whom of, and the keys."""
    with file.open("rb") as source, pa.ipc.open_stream(source) as reader:
        noted = reader.schema.metadata
        yield json.loads(noted[b"said"]), noted[b"subject"].decode(), iter(reader)
