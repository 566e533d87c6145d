"""The proposals for one application, in the order in which they build on each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from domicile.errors import DeclarationError
from domicile.estate import model
from domicile.survey import propose_places as places
from domicile.survey.graph import Graph, resolve
from domicile.survey.propose_authors import authors
from domicile.survey.propose_estate import estate, graph_of, joint_rows, subject_of
from domicile.survey.propose_model import ProposedLink, ProposedSubject, ProposedTable, Reason
from domicile.survey.propose_read import Application, Reading
from domicile.survey.propose_register import Candidate, candidates, subject_name
from domicile.survey.propose_roles import attachments

_SURE = 9.0
"""Score from which a register needs no confirmation: e-mail, name, a name for people."""

_FURTHER = 0.6
"""Share of the best register's score from which another is proposed beside it."""


class ApplicationProposal:
    """Works out subjects and tables; `run` fills them."""

    def __init__(
        self, reading: Reading, application: Application, found: Sequence[ProposedLink],
        earlier: Sequence[ProposedSubject],
    ) -> None:  # fmt: skip
        self.reading = reading
        self.application = application
        self.earlier = list(earlier)
        self.candidates = candidates(application, references(application, found))
        self.links = found
        self.subjects: list[ProposedSubject] = []
        self.tables: list[ProposedTable] = []
        self.routed: list[places.Route] = []
        self.notes: list[str] = [
            f"{application.name(table)} could not be read, so nothing is known of it: {why}"
            for table, why in sorted(application.unread.items())
        ]

    def run(self) -> None:
        """Fill `subjects`, `tables` and `notes`."""
        if not self.candidates:
            if any(subject_of(k, self.earlier) for k in self.links if k.active):
                return
            self.notes.append(
                f"no table of {self.application.holds} has one row for each person, as far as names"
                " and values show: if one has, declare it under subjects"
            )
            return
        top = next((c for c in self.candidates if not c.employees), self.candidates[0])
        self.subjects = [self._subject(top, "", active=True, guessed=self._doubtful(top))]
        others = {c.table for c in self.candidates if c.employees and c is not top}
        self.tables = attachments(self.application, self._known(), self.links, others)
        self._further(top)
        people = [s.register.table for s in self.subjects]
        self.tables = attachments(self.application, self._known(), self.links, people)
        self.subjects = [self._with_paths(s, people) for s in self.subjects]
        self.notes += [
            f"{column} holds countries too, but no path leads there from a register: of one person"
            " there may be several rows, or none"
            for column in places.unreached(self.application, self.routed)[:5]
        ]
        declared = self._estate()
        graph = graph_of(self.application, declared)
        joint = joint_rows(self.reading, self.application, declared)
        self.notes += self._without_register(graph, top)
        self.tables += authors(self.application, graph, joint)
        self.tables = [self._checked(t) for t in self.tables] + self._unowned(graph)

    def _doubtful(self, top: Candidate) -> bool:
        """Whether another table might as well be the register, or the best is a poor one."""
        rivals = [
            c for c in self.candidates
            if c is not top and not (c.employees or c.passing or top.table in c.under)
        ]  # fmt: skip
        return top.score < _SURE or any(c.score > _FURTHER * top.score for c in rivals)

    def _estate(self) -> model.Estate:
        return estate(self.application.stores, self._known(), self.links, self.tables)

    def _known(self) -> list[ProposedSubject]:
        return [*self.earlier, *self.subjects]

    def _subject(
        self, candidate: Candidate, why: str, *, active: bool, guessed: bool
    ) -> ProposedSubject:
        name = subject_name(candidate.table, self.application.prefix)
        if name in {s.name for s in self._known()}:
            name = f"{name}_of_{self.application.holds}"
        because = candidate.because + (f"; {why}" if why else "")
        table = self.application.schema.tables[candidate.table]
        return ProposedSubject(
            name, self.application.name(candidate.table), table.identity,
            Reason(because, guessed and not why), active=active,
        )  # fmt: skip

    def _further(self, top: Candidate) -> None:
        """Other kinds of people: proposed, or written as comments with the reason."""
        graph = graph_of(self.application, self._estate())
        describing = {t.table.table for t in self.tables if t.active}
        for candidate in self.candidates:
            if candidate is top or candidate.table in describing | graph.direct:
                continue
            if candidate.employees:
                why = "those who act for the organisation; as subjects, what they did for others "
                why += "would be about both: uncomment it when a mandate protects them too"
                self.subjects.append(self._subject(candidate, why, active=False, guessed=False))
            elif candidate.table in top.under:
                why = f"rows of {top.table} refer to it and not the other way round: uncomment it"
                why += " if its people are protected too"
                self.subjects.append(self._subject(candidate, why, active=False, guessed=False))
            elif (
                candidate.passing
                or candidate.score < _FURTHER * top.score
                or top.table in candidate.under
            ):
                why = f"fewer signs of a register than {top.table}: uncomment it if it is one"
                self.subjects.append(self._subject(candidate, why, active=False, guessed=False))
            elif top.referring and not candidate.referring:
                why = f"nothing refers to it, unlike {top.table} (a list of administrators, of"
                why += " addresses for mail?): uncomment it if its people are protected too"
                self.subjects.append(self._subject(candidate, why, active=False, guessed=False))
            else:
                self.subjects.append(self._subject(candidate, "", active=True, guessed=True))

    def _without_register(self, graph: Graph, top: Candidate) -> list[str]:
        """Tables that describe people who may have no row in the register."""
        said = []
        holds = {c.table: c.holds for c in self.candidates}
        for table, seen in self.application.seen.items():
            if "user.contact.email" not in seen.categories() and table not in holds:
                continue
            for edge in graph.edges[table]:
                if edge.parent != top.table or edge.child == top.table:
                    continue
                if not seen.sampled or edge.json or edge.where:
                    continue
                # In many applications 0 stands for nobody.
                filled = sum(value != "0" for value in seen.samples[edge.columns[0]])
                if filled < seen.sampled:
                    said.append(
                        f"{graph.name(table)} describes people"
                        f" ({', '.join(holds.get(table, ('e-mail',)))}) of whom"
                        f" {seen.sampled - filled} of"
                        f" {seen.sampled} sampled have no row in {graph.name(top.table)}:"
                        " nobody's residence is known for those"
                    )
        return said

    def _with_paths(self, subject: ProposedSubject, people: Sequence[str]) -> ProposedSubject:
        everyone = [replace(s, active=True) for s in self._known()]
        graph = graph_of(
            self.application,
            estate(self.application.stores, everyone, self.links, self.tables),
        )
        register = subject.register.table
        best, others = places.residences(self.application, graph, register, people)
        born = places.births(self.application, graph, register, people)
        if subject.active and best is None:
            self.notes += [
                f"{column} holds countries in the rows that are named so, and other things in the"
                f" rest, which no path can say: give {subject.register} a column for it, or a table"
                " with one row for each person"
                for column in places.among_attributes(self.application, graph, register)
            ]
        if subject.active:
            self.routed += places.routes(self.application, graph, register, people)
        return replace(subject, residence=best, born=born, other_residences=others)

    def _unowned(self, graph: Graph) -> list[ProposedTable]:
        """Tables that describe people and lead to no subject: the plan will ask about them."""
        said = {t.table.table for t in self.tables} | {s.register.table for s in self.subjects}
        found = []
        for table, seen in sorted(self.application.seen.items()):
            held = places.describes(seen)
            if table in graph.owned | said or not held or graph.roles[table] != "plain":
                continue
            what = ", ".join(sorted(c.removeprefix("user.") for c in held))
            because = f"it holds {what}, and no row of it leads to a subject: uncomment this if it"
            because += " is about nobody (a public figure, a machine), else link it to its people"
            role = model.TableRole(role="reference")
            reason = Reason(because, True)
            found.append(ProposedTable(graph.name(table), role, reason, active=False))
        return found

    def _checked(self, proposed: ProposedTable) -> ProposedTable:
        """The same, or as a comment when its author cannot be followed."""
        if proposed.role.author is None or not proposed.active:
            return proposed
        graph = graph_of(self.application, self._estate())
        try:
            resolve(graph, proposed.table.table, proposed.role.author, str(proposed.table))
        except DeclarationError as error:
            return replace(proposed, active=False, reason=but(proposed.reason, error.message))
        return proposed


def references(application: Application, found: Iterable[ProposedLink]) -> dict[str, set[str]]:
    """Table → the tables that it refers to, by keys and by links."""
    references = {
        t.name: {k.parent for k in t.foreign_keys} - {t.name}
        for t in application.schema.tables.values()
    }
    for link in found:
        ends = (link.source.table.holds, link.target.table.holds)
        if link.active and ends == (application.holds, application.holds):
            references[link.source.table.table].add(link.target.table.table)
    return references


def but(reason: Reason, why: str) -> Reason:
    """The reason with what speaks against it; a person should look."""
    return Reason(f"{reason.because}; but {why}", True)
