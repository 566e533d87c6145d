"""What happens to each file: it goes where its row goes, is held and why, or stays.

A file is to its row as a row is to what it refers to: it is about the same people, and the clauses
are asked for the folder that it is in. A row and its file go together or not at all: a row whose
file is held is held, and a file whose row is held is held (decision 18).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from domicile.plan.actions import Labels
from domicile.plan.verdicts import COLLISION, JOINT, NO_HOME, REPORT, Verdicts
from domicile.survey.objects import Objects
from domicile.survey.objects_index import Listed
from domicile.survey.objects_journal import PAGE, Entry, ObjectsJournal, Stage
from domicile.survey.people import BLOCK, UNKNOWN
from domicile.survey.survey import Cell
from domicile.survey.work import Work

if TYPE_CHECKING:
    from domicile.plan.planner import Outcome, Planner

GO, STAY, DOUBT, ORPHAN, ROW, BUSY = "go", "stay", "unknown", "orphan", "row", "busy"
"""Fates of a file beside the reasons for which one is held: it goes; rests where it may; perhaps is
a protected person's; is no row's; is held because its row is; is being written by somebody."""

ERASING: tuple[Stage, ...] = ("erase", "removing")
"""Stages of the journal at which a file may have to be erased without any row that names it."""

SAME, OURS = "same", "ours"
"""What stands at home under a going file's name: the same bytes, or an older copy of ours."""


class FilePlan:
    """The files of the folders that hold one label. Its sets are in `objects.index`, table file:

    `fate`; `label` (whose action and clauses, of the labels of its folder); `rule`; `home` ("" when
    it is to be erased); `stands` (what is at home already); `waits` (its row has still to go).
    """

    def __init__(self, planner: Planner, holds: str) -> None:
        self.planner = planner
        self.objects = Objects(planner.survey, holds)
        self.index = self.objects.index
        self.labels: dict[int, Labels] = {}
        self._acted_on: dict[int, tuple[int, int]] = {}
        state = planner.survey.state
        self.journal = ObjectsJournal(state) if state is not None else None

    def judge(self) -> None:
        """List the files and work out what each clause asks for them, rows aside."""
        self.objects.survey_files(self.planner.progress)
        for number, store in enumerate(self.objects.stores):
            planner = self.planner
            self.labels[number] = Labels(
                store.declared, self.objects.declared(), planner.mandates, planner.as_of,
                planner.proposed,
            )  # fmt: skip
            for cell in self.objects.cells():
                self._hits(number, cell)
            self._combine(number)
            self._send(number)
        for name, path in self.planner.busy:
            if name in {s.name for s in self.objects.stores}:
                self.index.run(
                    "UPDATE file SET fate = ? WHERE store = ? AND path = ? AND fate = ?",
                    (BUSY, self.objects.number(name), path, GO),
                )

    def concerned(self) -> list[int]:
        """The folders in which some clause could forbid data to rest."""
        return [n for n, labels in self.labels.items() if labels.forbids()]

    def identities(self) -> list[dict[str, Any]]:
        """For each concerned folder, whose files may be acted on, as `Outcome.identity` says it."""
        return [
            identity_of(self.objects.stores[n].name, *self._acted_on.get(n, (0, 0)))
            | {"of": "files"}
            for n in self.concerned()
        ]

    def withheld(self, cell: Cell, verdicts: Verdicts) -> dict[str, str]:
        """Rows of a cell that would go and whose file cannot: table → relation of their keys."""
        work = Work(cell.session, f"ow_{self.objects.number_of_label()}_")
        free = (GO, STAY, DOUBT, ORPHAN, REPORT, "")
        held = f"SELECT n FROM file WHERE fate NOT IN ({', '.join('?' * len(free))})"
        numbers = self.objects.load(cell, work, self.index.rows(held, free))
        found: dict[str, list[str]] = {}
        for (name, rule), matched in self.objects.matched.items():
            table = self.objects.rules[rule].table.table
            if name == cell.name and table in verdicts.moves:
                labels = verdicts.shapes.labels(table)
                keys = ", ".join(f"m.{k}" for k in labels)
                same = " AND ".join(f"v.{k} = m.{k}" for k in labels)
                found.setdefault(table, []).append(
                    f"SELECT {keys} FROM {matched} m JOIN {numbers} b ON b.n = m.n "
                    f"JOIN {verdicts.moves[table]} v ON {same}"
                )
        rows = {t: work.create(" UNION ".join(selects)) for t, selects in found.items()}
        return {table: relation for table, relation in rows.items() if work.any(relation)}

    def follow(self, outcomes: Sequence[Outcome]) -> None:
        """Let each file go with its row, now that it is known which rows go."""
        run = self.index.run
        for outcome in outcomes:
            for (name, rule), matched in self.objects.matched.items():
                if name == outcome.cell.name:
                    self._follow(outcome, self.objects.rules[rule].table.table, matched)
        run(f"UPDATE file SET fate = '{ROW}' WHERE fate = '{GO}' AND n IN "
            "(SELECT n FROM going WHERE kind = 'held')")  # fmt: skip
        # All its rows are erased: so is the file, wherever it rests.
        run(f"UPDATE file SET fate = '{GO}', home = '', stands = '' "
            f"WHERE fate IN ('{GO}', '{STAY}', '{DOUBT}') "
            "AND (SELECT count(*) FROM hit h WHERE h.n = file.n) = "
            "(SELECT g.rows FROM going g WHERE g.n = file.n AND g.kind = 'erase')")  # fmt: skip
        run(f"UPDATE file SET waits = 1 WHERE fate = '{GO}' AND n IN (SELECT n FROM going)")
        self._erased()

    def going(self) -> int:
        """Files that go."""
        return int(self.index.all("SELECT count(*) FROM file WHERE fate = ?", (GO,))[0][0])

    def held(self) -> int:
        """Files that are held."""
        free = (GO, STAY, DOUBT, ORPHAN)
        query = f"SELECT count(*) FROM file WHERE fate NOT IN ({', '.join('?' * len(free))})"
        return int(self.index.all(query, free)[0][0])

    def total(self) -> int:
        """Files in the folders in which a clause forbids something."""
        numbers = ", ".join(str(n) for n in self.concerned()) or "NULL"
        query = f"SELECT count(*) FROM file WHERE store IN ({numbers})"
        return int(self.index.all(query)[0][0])

    # Sets of files.

    def _hits(self, number: int, cell: Cell) -> None:
        """What the clauses ask for each row that names a file of this folder."""
        labels = self.labels[number]
        owned = None
        if labels.forbids():
            prefix = f"o{self.objects.number_of_label()}_{number}_"
            owned = self.planner.own(cell, labels, prefix)
            count, total = self._acted_on.get(number, (0, 0))
            for name, people in owned.ownership.people.items():
                more = cell.people[name].acted_on(people)
                count, total = count + more[0], total + more[1]
            self._acted_on[number] = (count, total)
        for (name, rule), matched in self.objects.matched.items():
            if name != cell.name:
                continue
            table = self.objects.rules[rule].table.table
            about = owned.ownership.work.get(table) if owned else None
            if owned is None or about is None:
                query = f"SELECT m.n, '{STAY}', 0, 0, 0 FROM {matched} m WHERE m.s = {number}"
            else:
                query = _fates(owned.verdicts, table, matched, about, number)
            lines = (
                (n, rule, cell.name, *rest) for b in cell.session.stream(query) for n, *rest in b
            )
            self.index.many("INSERT INTO hit VALUES (?, ?, ?, ?, ?, ?, ?)", lines)

    def _combine(self, number: int) -> None:
        """One fate for each file, of those of all rows that name it."""
        stays = f"fate IN ('{STAY}', '{DOUBT}')"
        self.index.run(
            "UPDATE file SET (fate, label, rule) = (SELECT CASE "
            f"WHEN sum(fate = '{GO}') = count(*) "
            f"AND min(label / {BLOCK}) = max(label / {BLOCK}) THEN '{GO}' "
            f"WHEN sum({stays}) = count(*) THEN max(fate) "
            f"WHEN sum({stays} OR fate = '{GO}') = 0 THEN min(fate) "
            f"ELSE '{JOINT}' END, max(label), min(rule) FROM hit h WHERE h.n = file.n) "
            "WHERE store = ? AND n IN (SELECT n FROM hit)",
            (number,),
        )
        self.index.run(
            f"UPDATE file SET fate = '{ORPHAN}' WHERE store = ? AND fate = ''", (number,)
        )

    def _send(self, number: int) -> None:
        """The home of each file that goes, and what stands there under its name."""
        for action, block in self.labels[number].actions.items():
            fate = {"no_home": NO_HOME, "report": REPORT}.get(action.kind, GO)
            self.index.run(
                "UPDATE file SET fate = ?, home = ? WHERE store = ? AND fate = ? "
                "AND label BETWEEN ? AND ?",
                (fate, action.home, number, GO, block, block + BLOCK - 1),
            )
        for n, home, path in self._standing_pairs(number):
            mine = next(self.index.files("n = ?", (n,)))
            theirs = self.index.find(self.objects.number(home), path)
            assert theirs is not None  # joined
            stands = self._standing(number, mine, home, theirs)
            if stands:
                self.index.run("UPDATE file SET stands = ? WHERE n = ?", (stands, n))
            else:
                self.index.run("UPDATE file SET fate = ? WHERE n = ?", (COLLISION, n))

    def _standing_pairs(self, number: int) -> Iterator[tuple[int, str, str]]:
        """(n, home, path) of going files whose name something has at home, page by page."""
        after = 0
        while True:
            page = self.index.all(
                "SELECT f.n, f.home, f.path FROM file f JOIN file o ON o.path = f.path "
                "WHERE f.store = ? AND f.fate = ? AND f.home <> '' AND f.n > ? AND o.store = "
                f"CASE f.home {self._numbered()} END ORDER BY f.n LIMIT {PAGE}",
                (number, GO, after),
            )
            yield from ((int(n), str(home), str(path)) for n, home, path in page)
            if len(page) < PAGE:
                return
            after = int(page[-1][0])

    def _numbered(self) -> str:
        return " ".join(
            f"WHEN '{s.name.replace(chr(39), chr(39) * 2)}' THEN {n}"
            for n, s in enumerate(self.objects.stores)
        )

    def _standing(self, number: int, mine: Listed, home: str, theirs: Listed) -> str:
        """`SAME`, `OURS`, or "" when the home has another file under that name."""
        store = self.objects.stores[number].name
        entry = self.journal.find(store, mine.path) if self.journal else None
        if entry is not None and entry.home == home and entry.stage != "moved":
            named = entry.stage != "naming" or entry.placed == theirs.mark
            if named and entry.seen == mine.mark:
                return SAME  # whatever the application made of our copy since
            if entry.placed == theirs.mark:
                return OURS
        if mine.mark.size != theirs.mark.size:
            return ""
        here, there = self.objects.folders[number], self.objects.folders[self.objects.number(home)]
        found, other = here.digest(mine.path), there.digest(theirs.path)
        return SAME if found and other and found[0] == other[0] else ""

    def _follow(self, outcome: Outcome, table: str, matched: str) -> None:
        cell = outcome.cell
        sets: list[tuple[str, str]] = [
            (a.kind, c.going[table]) for a, c in outcome.closures.items() if table in c.going
        ]
        held = outcome.verdicts.held.get(table)
        sets += [("held", held)] if held else []
        for kind, rows in sets:
            same = " AND ".join(f"g.{k} = m.{k}" for k in outcome.verdicts.shapes.labels(table))
            query = (
                f"SELECT m.n, '{kind}', count(*) FROM {matched} m JOIN {rows} g ON {same} "
                "GROUP BY m.n"
            )
            self.index.many(
                "INSERT INTO going VALUES (?, ?, ?) "
                "ON CONFLICT (n, kind) DO UPDATE SET rows = rows + excluded.rows",
                (row for batch in cell.session.stream(query) for row in batch),
            )

    def _erased(self) -> None:
        """Files whose rows an unfinished run erased: noted before, named by no row now, and as
        they were then; another file may have come to the name."""
        for entry in self.erasing():
            number = self.objects.number(entry.store)
            file = self.index.find(number, entry.path)
            if file is None or file.mark != entry.seen:
                continue
            rules = self.objects.rules.items()
            rule = next((n for n, r in rules if str(r.table) == entry.name), None)
            self.index.run(
                f"UPDATE file SET fate = '{GO}', home = '', rule = ? "
                f"WHERE store = ? AND path = ? AND fate = '{ORPHAN}'",
                (rule, number, entry.path),
            )

    def erasing(self) -> Iterator[Entry]:
        """What the journal says is to be erased of these folders."""
        for store in self.objects.stores if self.journal else ():
            for stage in ERASING:
                assert self.journal is not None  # for the type checker alone
                noted = self.journal.at(stage, store.name)
                yield from (entry for entry in noted if not entry.home)


def identity_of(store: str, people: int, total: int) -> dict[str, Any]:
    """Who is to be acted on in a store: how many, and a digest over their keys in any order."""
    digest = hashlib.sha256((total % (1 << 128)).to_bytes(16)).hexdigest()
    return {"store": store, "people": people, "digest": f"sha256:{digest}"}


def _fates(verdicts: Verdicts, table: str, matched: str, about: str, number: int) -> str:
    """SELECT (n, fate, label, first, last) for each row that names a file of one folder."""
    keys = verdicts.shapes.labels(table)
    joins, cases, labels = [], [], []
    for alias, relation, fate in (
        ("v", verdicts.moves.get(table), f"'{GO}'"),
        ("h", verdicts.held.get(table), "h.reason"),
        ("s", verdicts.shared.get(table), f"'{JOINT}'"),
    ):
        if relation is not None:
            same = " AND ".join(f"{alias}.{k} = m.{k}" for k in keys)
            joins.append(f"LEFT JOIN {relation} {alias} ON {same}")
            cases.append(f"WHEN {alias}.k1 IS NOT NULL THEN {fate}")
            labels += [f"{alias}.label"] if alias != "s" else []
    same = " AND ".join(f"w.{k} = m.{k}" for k in keys)
    cases.append(f"WHEN w.lo = {UNKNOWN} THEN '{DOUBT}'")
    labels += [f"CASE WHEN w.hi >= {BLOCK} THEN w.hi END", "0"]
    return (
        f"SELECT m.n, CASE {' '.join(cases)} ELSE '{STAY}' END, coalesce({', '.join(labels)}), "
        f"coalesce(w.pmin, 0), coalesce(w.pmax, 0) FROM {matched} m {' '.join(joins)} "
        f"LEFT JOIN {about} w ON {same} WHERE m.s = {number}"
    )
