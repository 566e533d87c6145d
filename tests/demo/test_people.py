"""The made-up people: the same every time, never anybody real, and as the story needs them."""

from __future__ import annotations

from datetime import date

import pytest

from domicile.demo.people import DOMAINS, NETWORKS, TODAY
from domicile.demo.platform import COLUMNS, Platform, make_platform
from domicile.demo.world import COUNTRIES

PEOPLE = 1_500


@pytest.fixture(scope="module")
def platform() -> Platform:
    return make_platform(PEOPLE)


def _column(platform: Platform, table: str, column: str) -> list[object]:
    index = COLUMNS[table].index(column)
    return [row[index] for row in platform.rows[table]]


def test_the_same_rows_every_time(platform: Platform) -> None:
    assert make_platform(PEOPLE).rows == platform.rows
    assert make_platform(PEOPLE, seed=1).rows != platform.rows


def test_nobody_real(platform: Platform) -> None:
    emails = [str(e) for e in _column(platform, "account", "email")]
    assert len(set(emails)) == PEOPLE
    assert {e.rsplit("@", 1)[1] for e in emails} <= set(DOMAINS)
    phones = {str(p) for p in _column(platform, "account", "phone") if p is not None}
    # 555-01xx: North America's numbers for fiction; 07700 900xxx: those of Ofcom.
    assert all(p[5:10] == "55501" if p.startswith("+1") else p.startswith("+447700900")
               for p in phones)  # fmt: skip
    networks = {str(ip).rsplit(".", 1)[0] for ip in _column(platform, "watch", "ip")}
    assert networks == set(NETWORKS)


def test_forty_countries_children_and_unknowns(platform: Platform) -> None:
    assert len(COUNTRIES) == len({c.code for c in COUNTRIES}) == 40
    homes = _column(platform, "account", "address_id")
    assert 0 < homes.count(None) < PEOPLE / 50
    born = [b for b in _column(platform, "account", "born") if isinstance(b, date)]
    assert len(born) < PEOPLE
    children = sum((TODAY - b).days < 16 * 365.2425 for b in born)
    assert PEOPLE / 10 < children < PEOPLE / 4
    assert min((TODAY - b).days for b in born) >= 10 * 365


def test_families_live_together(platform: Platform) -> None:
    address = dict(
        zip(_column(platform, "account", "account_id"),
            _column(platform, "account", "address_id"), strict=True)
    )  # fmt: skip
    families = platform.rows["family"]
    assert families
    assert all(address[parent] == address[child] for parent, child in families)


def test_videos_know_their_comments(platform: Platform) -> None:
    counted = dict(
        zip(_column(platform, "video", "video_id"), _column(platform, "video", "comments"),
            strict=True)
    )  # fmt: skip
    for video in _column(platform, "comment", "video_id"):
        counted[video] = int(str(counted[video])) - 1
    assert set(counted.values()) == {0}
