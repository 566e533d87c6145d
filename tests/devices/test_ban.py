"""What install clauses forbid, and what they are matched with."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from domicile.devices.model import ClauseKey
from domicile.errors import DeclarationError
from domicile.law.source import library
from tests.devices.made import DEADLINE, ESTATE, MANDATE, TIKTOK, make_ban

KEY = ClauseKey("ban", "remove")


@pytest.mark.parametrize(
    ("platform", "apps", "titles", "found"),
    [
        ("android", [TIKTOK], [], TIKTOK),
        ("ios", [TIKTOK.upper()], [], TIKTOK),
        ("ios", ["com.ss.android.ugc.trill"], [], ""),  # of another platform
        ("", ["com.ss.android.ugc.trill"], [], "com.ss.android.ugc.trill"),  # unknown: any
        ("windows", ["BytedancePte.Ltd.TikTok"], [], "BytedancePte.Ltd.TikTok_6yccndn6064se"),
        ("macos", [], ["tiktok"], "TikTok"),
        ("macos", [], ["TikTok for Business"], ""),
        ("android", ["com.bytedance.sdk.openadsdk.core"], [], "com.bytedance.sdk.openadsdk"),
        ("android", ["com.bytedance.sdk.openadsdkother"], [], ""),
        ("android", ["com.example.tiktok", ""], [""], ""),
    ],
)
def test_an_app_is_matched_by_platform_identifier_title_and_sdk(
    tmp_path: Path, platform: str, apps: list[str], titles: list[str], found: str
) -> None:
    hits = make_ban(tmp_path).match(platform, apps, titles)
    assert hits == ({KEY: found} if found else {})


def test_identifiers_are_listed_by_platform(tmp_path: Path) -> None:
    ban = make_ban(tmp_path)
    assert ban.identifiers("ios") == [TIKTOK]
    assert ban.identifiers("android") == ["com.ss.android.ugc.trill", TIKTOK]


def test_a_day_begins_where_the_estate_says(tmp_path: Path) -> None:
    (rule,) = make_ban(tmp_path).rules
    assert rule.deadline == DEADLINE
    estate = ESTATE + "devices: {timezone: Europe/Brussels}\n"
    (rule,) = make_ban(tmp_path, estate=estate).rules
    assert rule.deadline == datetime(2023, 3, 14, 23, tzinfo=UTC)


@pytest.mark.parametrize("status", ["proposed", "stayed", "revoked", "enjoined"])
def test_what_does_not_bind_forbids_nothing(tmp_path: Path, status: str) -> None:
    assert make_ban(tmp_path, MANDATE.replace("in_force", status)).rules == ()


def test_a_fleet_that_is_not_declared_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="got tablets, expected a fleet"):
        make_ban(tmp_path, MANDATE.replace("      by:", "      fleets: tablets\n      by:"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("purpose: security research", ""),
        ("purpose: because", "the purpose because is none for which ban knows exceptions"),
    ],
)
def test_an_exception_is_for_a_purpose_that_the_clause_knows(
    tmp_path: Path, change: str, said: str
) -> None:
    estate = ESTATE + (
        "devices:\n  exceptions:\n    - {device: d1, mandate: ban, " + change + ", document: c 1,"
        " approved_by: CISO, until: 2023-09-01}\n"
    )
    if not said:
        assert make_ban(tmp_path, estate=estate).rules
        return
    with pytest.raises(DeclarationError, match=said):
        make_ban(tmp_path, estate=estate)


def test_a_ban_on_other_names_is_another_ban(tmp_path: Path) -> None:
    one = make_ban(tmp_path)
    assert one.digest == make_ban(tmp_path).digest
    assert one.digest != make_ban(tmp_path, MANDATE.replace("TikTok]", "Tick Tock]")).digest


def test_a_ban_binds_as_its_mandates_history_says(tmp_path: Path) -> None:
    mandate = MANDATE.replace("in_force", "revoked") + (
        "history:\n  - {on: 2023-02-23, status: in_force}\n  - {on: 2023-03-01, status: stayed}\n"
        "  - {on: 2023-04-01, status: in_force}\n  - {on: 2023-09-01, status: revoked}\n"
    )
    (rule,) = make_ban(tmp_path, mandate).rules
    months = [(start.month, end.month) for start, end in rule.spans]
    assert months == [(2, 3), (4, 9)]
    ended = MANDATE.replace("    otherwise:", "    until: 2023-06-01\n    otherwise:")
    (rule,) = make_ban(tmp_path, ended).rules
    assert [end.month for _, end in rule.spans] == [6]


def test_the_librarys_bans_are_found_by_name_where_there_is_no_identifier(tmp_path: Path) -> None:
    mandate = library()["commission-device-ban"].read_text(encoding="utf-8")
    hits = make_ban(tmp_path, mandate).match("ios", [], ["TikTok"])
    assert hits == {ClauseKey("commission-device-ban", "remove"): "TikTok"}
