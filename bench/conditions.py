"""How many people a second a mandate's condition is asked about, one by one, as the gate does.

By processor time: it is one thread that waits for nothing.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from datetime import date

from bench.bars import Bar
from domicile.law.condition import Condition, Person, protects_condition
from domicile.law.load import load_mandate
from domicile.law.source import library

DAY = date(2026, 6, 1)
PEOPLE = 200_000

BARS = (
    Bar(2, "one-by-one conditions, slowest mandate", "conditions/s, slowest", least=200_000,
        unit="/s"),
)  # fmt: skip


def run() -> Mapping[str, object]:
    """Conditions a second: of every mandate of the library, the slowest, and all together."""
    draw = random.Random(1)
    places = [*("US", "NL", "DE", "BR", "SG", "CN"), None]
    people = [
        Person(
            draw.choice(places),
            f"{draw.randrange(1940, 2026)}-{draw.randrange(1, 13):02}-{draw.randrange(1, 29):02}"
            if draw.random() < 0.9 else None,
            "person",
        )
        for _ in range(PEOPLE)
    ]  # fmt: skip
    rates = {
        name: _rate(protects_condition(load_mandate(path, DAY).protects, DAY), people)
        for name, path in library().items()
    }
    slowest = min(rates, key=lambda name: rates[name])
    return {
        "mandates of the library": len(rates),
        "conditions/s, slowest": rates[slowest],
        "the slowest": slowest,
        "conditions/s, all mandates": len(rates) / sum(1 / rate for rate in rates.values()),
    }


def _rate(condition: Condition, people: list[Person]) -> float:
    holds = condition.holds
    holds(people[0])  # compiled
    began = time.process_time()
    for person in people:
        holds(person)
    return len(people) / (time.process_time() - began)
