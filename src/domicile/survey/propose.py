"""Proposes an estate for stores that nobody has described yet (design.md, sections 4 and 9).

    read and classify → registers → links → attachments → residence, birth → authors → check

What cannot be told from the stores is said to be unknown or guessed; nothing is guessed silently.
The result is judged by the loader and the graph that will use it before anybody sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from domicile.survey.propose_application import ApplicationProposal, but, references
from domicile.survey.propose_estate import subject_of
from domicile.survey.propose_links import links
from domicile.survey.propose_model import (
    Proposal,
    ProposedLink,
    ProposedStore,
    ProposedSubject,
    ProposedTable,
    Reason,
)
from domicile.survey.propose_read import Application, Reading
from domicile.survey.propose_register import Candidate, candidates
from domicile.survey.propose_targets import Target


def propose(
    reading: Reading,
    name: str,
    written: Sequence[ProposedStore],
    progress: Callable[[str], None] = lambda _: None,
) -> Proposal:
    """The proposal for all that was read.

    `written`: each store as it is to be declared; `holds` and its reason are filled in here.
    `progress` is told what is being done. Raises StoreError, and DeclarationError when a store
    has no table.
    """
    targets: list[Target] = []
    for application in reading.applications:
        targets += _targets(application, candidates(application, references(application, ())))
    applications = sorted(
        reading.applications,  # people first: what refers to them from elsewhere comes after
        key=lambda a: -max((t.score for t in targets if t.application is a), default=0.0),
    )
    stores = [_store(s, a, reading) for s in written for a in applications if s.name in _names(a)]
    subjects: list[ProposedSubject] = []
    found: list[ProposedLink] = []
    tables: list[ProposedTable] = []
    notes: list[str] = []
    for application in applications:
        progress(f"{application.holds}: links")
        # A register of this application comes before those of others.
        near = sorted(targets, key=lambda t: t.application is not application)
        here = links(reading, application, near)
        progress(f"{application.holds}: whose row is it")
        work = ApplicationProposal(reading, application, here, subjects)
        work.run()
        subjects += work.subjects
        tables += work.tables
        notes += work.notes
        found += here
    settled = [_settled(link, subjects) for link in found]
    return Proposal(
        name, tuple(stores), tuple(subjects), tuple(settled), tuple(tables), tuple(notes)
    )


def _targets(application: Application, registers: Sequence[Candidate]) -> list[Target]:
    """The candidates whose key one column can hold."""
    tables = application.schema.tables
    return [
        Target(application, c.table, tables[c.table].identity[0], c.score)
        for c in registers
        if len(tables[c.table].identity) == 1
    ]


def _settled(link: ProposedLink, subjects: Sequence[ProposedSubject]) -> ProposedLink:
    """The link as it is written: to a subject by its name, else to a column of the same schema."""
    to = subject_of(link, subjects)
    if not to and link.source.table.holds != link.target.table.holds:
        why = but(link.reason, "it is the key of no subject that is proposed")
        link = replace(link, active=False, reason=why)
    return replace(link, to=to or str(link.target))


def _store(store: ProposedStore, application: Application, reading: Reading) -> ProposedStore:
    tables = len(reading.schemas[store.name].tables)
    if not tables:
        because = "it has no tables: taken for a home of the application there is"
        return replace(store, holds=application.holds, reason=Reason(because, guessed=True))
    cells = [
        s.name
        for s in application.stores
        if s.name != store.name and reading.schemas[s.name].tables
    ]
    because = f"it has {tables} table{'s' if tables != 1 else ''}"
    if cells:
        because += f", the same as in {', '.join(cells)}: cells of one application"
    return replace(store, holds=application.holds, reason=Reason(because))


def _names(application: Application) -> set[str]:
    return {s.name for s in application.stores}
