"""The labelled set (made up, bench/labelled.py) keeps its quality; figures: `python -m bench`."""

from __future__ import annotations

from bench.classification import OPERATIONS, quality, right
from bench.labelled import labelled
from domicile.survey.classify import classify


def test_no_column_of_people_is_called_operations() -> None:
    figures, wrong = quality()
    assert figures["people called operations"] == 0, wrong


def test_recall_and_precision_do_not_fall() -> None:
    figures, wrong = quality()
    assert figures["labelled tables"] >= 40
    assert figures["labelled columns"] >= 400
    assert figures["recall, people's columns"] >= 0.98, wrong
    assert figures["recall, operations"] >= 0.97, wrong


def test_values_are_needed_for_names_that_say_nothing() -> None:
    one = next(one for one in labelled() if one.table.name == "import_2019")
    unseen = classify(one.table, {})
    assert {verdict.category for verdict in unseen.values()} == {""}
    seen = classify(one.table, dict(one.samples))
    assert all(right(verdict.category, one.labels[name]) for name, verdict in seen.items())
    assert OPERATIONS not in {verdict.category for verdict in seen.values()}
