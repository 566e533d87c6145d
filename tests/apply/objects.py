"""A small estate with files: people and their videos in two databases, the films in two folders."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from domicile.apply.run import apply_plan
from domicile.plan.make import make_plan
from domicile.plan.verify import verify_stores
from domicile.survey.datamap import make_map

SCHEMA = """
CREATE TABLE person (id INTEGER PRIMARY KEY, email TEXT, country TEXT, avatar TEXT);
CREATE TABLE video (
  id INTEGER PRIMARY KEY, person_id INTEGER NOT NULL REFERENCES person (id), name TEXT,
  other_id INTEGER REFERENCES person (id));
CREATE TABLE remark (
  id INTEGER PRIMARY KEY, video_id INTEGER NOT NULL REFERENCES video (id), body TEXT);
"""

ESTATE = """
estate: clips
stores:
  app:   {{url: "{abroad}", country: SG, operator: T, holds: app}}
  home:  {{url: "{home}", country: {app_home}, operator: T, holds: app}}
  media: {{url: "file:media", country: SG, operator: T, holds: media}}
{more}
subjects:
  person: {{register: app.person, key: id, residence: country}}
objects:
{rules}
mandates: [home.yaml]
{extra}
"""

MANDATE = """
mandate: home
title: US people's data rest in the US
issuer: Tester
citation: none
status: in_force
effective: 2020-01-01
protects: {{residence: [US], unknown_residence: report, categories: [user]}}
clauses:
  - {{id: rest, store: {{country: [US]}}, otherwise: {otherwise}, purge: true}}
"""

HOME = '  media_us: {url: "file:media_us", country: US, operator: T, holds: media}'


@dataclass
class World:
    """One estate in a folder of its own; videos are named `videos/<id>.mp4`."""

    root: Path
    people: dict[int, str | None] = field(default_factory=dict)  # key → country

    @property
    def estate(self) -> Path:
        return self.root / "estate.yaml"

    def declare(
        self, people: dict[int, str | None], *, rules: tuple[str, ...] = (), more: str = HOME,
        otherwise: str = "move", extra: str = "", app_home: str = "US", urls: tuple[str, str] = (
            "sqlite:app.db", "sqlite:home.db"),
    ) -> None:  # fmt: skip
        self.people = people
        for folder in ("media", "media_us"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        listed = rules or ('{store: media, key: "videos/{app.video.id}.mp4"}',)
        self.estate.write_text(
            ESTATE.format(
                rules="\n".join(f"  - {rule}" for rule in listed), more=more, extra=extra,
                app_home=app_home, abroad=urls[0], home=urls[1],
            ),
            encoding="utf-8",
        )  # fmt: skip
        (self.root / "home.yaml").write_text(MANDATE.format(otherwise=otherwise))
        if urls[0] == "sqlite:app.db":
            for name in ("app", "home"):
                self.sql(name, SCHEMA)
            for key, country in people.items():
                self.sql(
                    "app", "INSERT INTO person VALUES (?, ?, ?, NULL)",
                    (key, f"p{key}@example.org", country),
                )  # fmt: skip

    def sql(self, store: str, statement: str, values: tuple[Any, ...] = ()) -> list[Any]:
        with closing(sqlite3.connect(self.root / f"{store}.db")) as connection:
            if ";" in statement.strip().rstrip(";"):
                connection.executescript(statement)
                return []
            rows = connection.execute(statement, values).fetchall()
            connection.commit()
            return rows

    def video(
        self, key: int, person: int, content: bytes | None = b"", *, store: str = "app",
        name: str | None = None, other: int | None = None,
    ) -> None:  # fmt: skip
        """A row, and its file unless `content` is None."""
        self.sql(store, "INSERT INTO video VALUES (?, ?, ?, ?)", (key, person, name, other))
        if content is not None:
            self.put(f"videos/{key}.mp4", content or f"film {key}".encode())

    def put(self, path: str, content: bytes, where: str = "media") -> Path:
        file = self.root / where / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return file

    def files(self, where: str) -> dict[str, str]:
        """Path → digest of everything in a folder, links and our own temporary files included."""
        root = self.root / where
        return {
            str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in sorted(root.rglob("*"))
            if not p.is_dir()
        }

    def names(self, where: str) -> list[str]:
        return list(self.files(where))

    def ids(self, store: str, table: str = "video") -> list[int]:
        return [r[0] for r in self.sql(store, f"SELECT id FROM {table} ORDER BY id")]

    def plan(self) -> dict[str, Any]:
        return make_plan(self.estate)

    def apply(self, plan: dict[str, Any] | None = None) -> dict[str, Any]:
        return apply_plan(plan or self.plan(), self.estate, cap=None, approved=lambda: True)

    def verify(self) -> dict[str, Any]:
        return verify_stores(self.estate)

    def map(self) -> dict[str, Any]:
        return make_map(self.estate)
