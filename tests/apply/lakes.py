"""A small estate with lakes: people in SQLite at two places, what they watched in Parquet."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from domicile.apply.run import apply_plan
from domicile.plan.make import make_plan
from domicile.plan.verify import verify_stores

MANDATE = """
mandate: home
title: US people's data rest in the US
issuer: Tester
citation: none
status: in_force
effective: 2020-01-01
source: made up
verified: true
protects: {{residence: [US], unknown_residence: report, categories: [user]}}
clauses:
  - id: rest
    store: {{country: [US]}}
    otherwise: {otherwise}
    purge: true
    citation: none
    source: made up
    verified: true
"""

ESTATE = """
estate: lakes
stores:
  app:      {{url: "sqlite://{root}/app.db", country: SG, operator: T, holds: app}}
  lake:     {{url: "file://{root}/lake", country: SG, operator: T, holds: events}}
  home:     {{url: "file://{root}/home", country: US, operator: T, holds: events}}
subjects:
  customer: {{register: app.customer, key: id, residence: country}}
links:
{links}
mandates: [home.yaml]
tables:
  app.customer: {{role: ignore}}
"""


@dataclass
class World:
    """One estate in a folder of its own."""

    root: Path
    people: dict[int, str] = field(default_factory=dict)  # key → country

    @property
    def estate(self) -> Path:
        return self.root / "estate.yaml"

    def declare(
        self, people: dict[int, str], links: tuple[str, ...] = ("events.watch.user_id",),
        otherwise: str = "move",
    ) -> None:  # fmt: skip
        self.people = people
        for folder in ("lake", "home"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        listed = "\n".join(f"  - {{from: {name}, to: customer}}" for name in links)
        text = ESTATE.format(root=self.root, links=listed).replace(
            "tables:\n  app.customer: {role: ignore}\n", ""
        )
        self.estate.write_text(text)
        (self.root / "home.yaml").write_text(MANDATE.format(otherwise=otherwise))
        connection = sqlite3.connect(self.root / "app.db")
        connection.execute("CREATE TABLE customer (id INTEGER PRIMARY KEY, country TEXT)")
        connection.executemany("INSERT INTO customer VALUES (?, ?)", people.items())
        connection.commit()
        connection.close()

    def put(self, name: str, columns: dict[str, Any], where: str = "lake", **options: Any) -> Path:
        path = self.root / where / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), path, **options)
        return path

    def files(self, where: str) -> dict[str, pa.Table]:
        """Every Parquet file of a lake by its name, with its rows."""
        root = self.root / where
        return {
            str(p.relative_to(root)): pq.ParquetFile(p).read()
            for p in sorted(root.rglob("[!.]*.parquet"))
        }

    def rows(self, where: str, table: str = "watch") -> list[str]:
        """The rows of a table as texts, sorted."""
        return sorted(
            repr(row)
            for name, found in self.files(where).items()
            if name.split("/")[0].removesuffix(".parquet") == table
            for row in found.to_pylist()
        )

    def temporary(self) -> list[Path]:
        return list(self.root.rglob(".domicile-tmp-*"))

    def plan(self) -> dict[str, Any]:
        return make_plan(self.estate)

    def apply(self, plan: dict[str, Any] | None = None) -> dict[str, Any]:
        return apply_plan(plan or self.plan(), self.estate, cap=None, approved=lambda: True)

    def verify(self) -> dict[str, Any]:
        return verify_stores(self.estate)
