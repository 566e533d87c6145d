"""How well and how fast columns are classified, and live files searched: `python -m bench
classification`. The labelled set is made up (`labelled.py`); its figures say how the parts work
together and regress, not what an operator's own estate will see."""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from pathlib import Path

from faker import Faker

from bench.bars import QUICK, Bar
from bench.labelled import SEED, labelled
from domicile.stores.schema import Column, Table
from domicile.survey.classify import classify
from domicile.survey.residue import Identifiers, Reading, find_residue
from domicile.survey.residue_files import EmailSet, scan_files

OPERATIONS = "system.operations"

BARS = (
    Bar(2, "classification, text scanned by one core", "MB/s corpus", least=50, unit="MB/s"),
)  # fmt: skip


def right(found: str, labels: tuple[str, ...]) -> bool:
    """Whether a category is one of the labels: `user.?` unknown, `user.*` anything of people."""
    return (
        found in labels
        or (found == "" and "user.?" in labels)
        or (found.startswith("user") and "user.*" in labels)
        # A person's content, told more or less finely.
        or any(found.startswith(f"{label}.") for label in labels if label == "user.content")
    )


def quality() -> tuple[dict[str, float], list[str]]:
    """Recall and precision by category, and the columns that were wrong."""
    wanted: Counter[str] = Counter()
    recalled: Counter[str] = Counter()
    given: Counter[str] = Counter()
    precise: Counter[str] = Counter()
    silent = unknown = columns = tables = 0
    wrong: list[str] = []
    for one in labelled():
        tables += 1
        for name, verdict in classify(one.table, dict(one.samples)).items():
            labels, found = one.labels[name], verdict.category
            ok = right(found, labels)
            columns += 1
            unknown += found == ""
            main = labels[0]
            wanted[main] += 1
            recalled[main] += ok
            given[found or "unknown"] += 1
            precise[found or "unknown"] += ok
            # The one that must not be: people's data called operations.
            silent += not ok and found == OPERATIONS
            if not ok:
                wrong.append(f"{one.table.name}.{name}: {found or 'unknown'}, not {labels}")
    people = [c for c in wanted if c.startswith("user")]
    found_people = sum(recalled[c] for c in people)
    figures: dict[str, float] = {
        "labelled tables": tables,
        "labelled columns": columns,
        "right": sum(recalled.values()) / columns,
        "recall, people's columns": found_people / sum(wanted[c] for c in people),
        "recall, operations": recalled[OPERATIONS] / wanted[OPERATIONS],
        "left unknown": unknown,
        "people called operations": silent,
    }  # fmt: skip
    for category in sorted(wanted | given):
        short = category.removeprefix("user.")
        if wanted[category]:
            figures[f"recall {short}"] = recalled[category] / wanted[category]
        if given[category]:
            figures[f"precision {short}"] = precise[category] / given[category]
    return figures, wrong


def speed() -> dict[str, float]:
    """MB of text a second of processor time, by what the text is."""
    faker = Faker(["en_US", "nl_NL", "de_DE"])
    faker.seed_instance(SEED)
    made = random.Random(SEED)  # sample values, not secrets
    makers = {
        "e-mails": (faker.email, 100_000),
        "phones": (faker.phone_number, 100_000),
        "first names": (faker.first_name, 200_000),
        "addresses": (faker.address, 50_000),
        "user agents": (faker.user_agent, 40_000),
        "urls": (faker.url, 100_000),
        "prose": (lambda: faker.paragraph(5), 20_000),
        "json": (lambda: faker.json(num_rows=2), 10_000),
    }
    figures: dict[str, float] = {}
    size = spent = 0.0
    for name, (make, rows) in makers.items():
        some = [str(make()) for _ in range(1000)]
        values: list[str | None] = list(made.choices(some, k=rows // 10 if QUICK else rows))
        table = Table("t", (Column("x", "text", "text"),))
        classify(table, {"x": values[:10]})  # patterns compiled, libraries loaded
        start = time.process_time()
        classify(table, {"x": values})
        took = time.process_time() - start
        megabytes = sum(len(v.encode()) for v in values if v) / 1e6
        figures[f"MB/s {name}"] = megabytes / took
        size, spent = size + megabytes, spent + took
    figures["MB/s corpus"] = size / spent
    return figures


def search() -> dict[str, float]:
    """MB a second of looking for people: in the bytes of files, and in text."""
    made = random.Random(SEED)  # sample values, not secrets
    hosts = ["mail.example", "post.example.org", *(f"h{n}.example.net" for n in range(300))]

    def address(prefix: str, number: int) -> str:
        return f"{prefix}{number * 7919 % 999_983}@{hosts[number % len(hosts)]}"

    stay = [address("stay", n).encode() for n in range(100_000)]
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "heap"
        with path.open("wb") as file:
            for _ in range(20):
                page = [made.randbytes(60) + made.choice(stay) + b"text of a row " * 6
                        for _ in range(20_000)]  # fmt: skip
                file.write(b"".join(page))
        megabytes = path.stat().st_size / 1e6
        for count in (1_000, 50_000) if QUICK else (1_000, 50_000, 1_000_000):
            emails = EmailSet(address("gone", n) for n in range(count))
            scan_files([path], emails, piece=1 << 16)
            start = time.perf_counter()
            scan_files([path], emails)
            figures[f"MB/s files, {count} addresses"] = megabytes / (time.perf_counter() - start)
    faker = Faker()
    faker.seed_instance(SEED)
    prose = [faker.paragraph(6) for _ in range(1000)]
    people = Identifiers()
    for n in range(100_000):
        people.add("email", address("gone", n))
        people.add("username", f"gone.{n}")
        people.add("name", f"{faker.first_name()} {faker.last_name()}")
    rows = [(made.choice(prose),) for _ in range(20_000)]
    start = time.perf_counter()
    find_residue(
        [Reading("t", ("c",), [rows[n : n + 5000] for n in range(0, 20_000, 5000)])], people
    )
    took = time.perf_counter() - start
    figures["MB/s text, 300000 identifiers"] = sum(len(r[0]) for r in rows) / 1e6 / took
    return figures


def run() -> dict[str, float]:
    """All figures by name."""
    figures, _ = quality()
    return figures | speed() | search()
