"""The ban rendered for others: each policy is what its reader takes, and does what it says."""

from __future__ import annotations

import json
import plistlib
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlglot
import yaml

from domicile.devices.policy.ingredients import Ingredients
from domicile.devices.policy.osquery import queries
from domicile.devices.policy.render import BANS, not_before, render
from domicile.errors import DeclarationError, UsageError
from tests.devices import discovery
from tests.devices.daemons import directory
from tests.devices.made import DEADLINE, ESTATE, MANDATE, TIKTOK, make_ban, write_estate
from tests.devices.resolver import ask, unbound

TRAFFIC = MANDATE.replace("      domains:", "      block_traffic: true\n      domains:")
EVIL = 'it\'s "<b>&amp;</b>" \\ ; --\u202e'


def made(directory_: Path, name: str, mandate: str = MANDATE) -> str:
    return render(write_estate(directory_, ESTATE, mandate), name)


def test_android_validates_against_the_discovery_document(tmp_path: Path) -> None:
    policy = json.loads(made(tmp_path, "android"))
    assert discovery.faults("Policy", policy) == []
    blocked = {"packageName": TIKTOK, "installType": "BLOCKED"}
    assert blocked in policy["applications"]
    personal = policy["personalUsagePolicies"]
    assert personal["personalPlayStoreMode"] == "BLOCKLIST"
    assert blocked in personal["personalApplications"]
    assert {each["packageName"] for each in policy["applications"]} == {
        TIKTOK, "com.ss.android.ugc.trill"
    }  # fmt: skip
    assert policy["statusReportingSettings"]["applicationReportsEnabled"] is True
    wrong = {**policy, "applications": [{"packageName": TIKTOK, "installType": "FORBIDDEN"}]}
    assert discovery.faults("Policy", wrong)
    assert discovery.faults("Policy", {**policy, "playstoreMode": "x"})


REQUIRED = {"PayloadType": str, "PayloadVersion": int, "PayloadIdentifier": str, "PayloadUUID": str}
"""Keys that each payload must have (Apple, CommonPayloadKeys and TopLevel)."""
TOP = {**REQUIRED, "PayloadContent": list, "PayloadDisplayName": str, "PayloadDescription": str,
       "PayloadOrganization": str, "PayloadScope": str}  # fmt: skip
RESTRICTIONS = {**REQUIRED, "PayloadDisplayName": str, "blockedAppBundleIDs": list}
"""Keys of com.apple.applicationaccess that are used here, as Apple documents them."""


def test_apple_has_the_documented_keys(tmp_path: Path) -> None:
    profile = plistlib.loads(made(tmp_path, "apple").encode(), fmt=plistlib.FMT_XML)
    (payload,) = profile["PayloadContent"]
    for body, keys in ((profile, TOP), (payload, RESTRICTIONS)):
        assert body.keys() == keys.keys()
        assert all(isinstance(body[key], kind) for key, kind in keys.items())
    assert profile["PayloadType"] == "Configuration"
    assert payload["PayloadType"] == "com.apple.applicationaccess"
    assert payload["blockedAppBundleIDs"] == [TIKTOK]
    assert profile["PayloadUUID"] != payload["PayloadUUID"]
    for limit in ("supervised", "15", "User Enrollment", "not on a Mac"):
        assert limit in profile["PayloadDescription"].replace("and not on", "not on")
    assert made(tmp_path, "apple") == made(tmp_path, "apple")


def test_intune_restricts_at_most_a_hundred(tmp_path: Path) -> None:
    policy = json.loads(made(tmp_path, "intune"))
    assert policy["@odata.type"] == "#microsoft.graph.iosCompliancePolicy"
    (app,) = policy["restrictedApps"]
    assert (app["appId"], app["@odata.type"]) == (TIKTOK, "#microsoft.graph.appListItem")
    (rule,) = policy["scheduledActionsForRule"]
    assert rule["scheduledActionConfigurations"] == [{"actionType": "block", "gracePeriodHours": 0}]
    many = ", ".join(f"com.app{n}" for n in range(101))
    longer = MANDATE.replace("ios: com.zhiliaoapp.musically", f"ios: [{many}]")
    with pytest.raises(UsageError, match=r"got 101 of app on ios, expected at most 100"):
        made(tmp_path, "intune", longer)
    hundred = longer.replace(", com.app100", "")
    assert len(json.loads(made(tmp_path, "intune", hundred))["restrictedApps"]) == 100


TABLES = """
CREATE TABLE apps (name TEXT, path TEXT, bundle_identifier TEXT, bundle_name TEXT);
CREATE TABLE programs (name TEXT, version TEXT, publisher TEXT);
CREATE TABLE deb_packages (name TEXT, version TEXT);
CREATE TABLE rpm_packages (name TEXT, version TEXT);
CREATE TABLE chrome_extensions (identifier TEXT, name TEXT);
"""
"""The tables of osquery that are asked, with its names for their columns."""

EVERYWHERE = MANDATE.replace(
    "        ios: com.zhiliaoapp.musically\n",
    "        ios: com.zhiliaoapp.musically\n        macos: com.zhiliaoapp.musically\n"
    "        linux: tiktok-desktop\n        chromeos: abcdefghijklmnop\n",
)


def passes(query: str, table: str = "", rows: Iterable[dict[str, str]] = ()) -> bool:
    """Whether a policy passes: osquery is SQLite, and a policy passes when a row comes back."""
    with sqlite3.connect(":memory:") as database:
        database.executescript(TABLES)
        for row in rows:
            marks = ", ".join("?" * len(row))
            database.execute(
                f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values())
            )
        return bool(database.execute(query).fetchall())


@pytest.mark.parametrize(
    ("platform", "table", "row", "other"),
    [
        ("darwin", "apps", {"bundle_identifier": TIKTOK}, {"bundle_identifier": TIKTOK + "x"}),
        ("darwin", "apps", {"bundle_identifier": TIKTOK.upper()}, {"bundle_name": "Tik"}),
        ("darwin", "apps", {"bundle_name": "tiktok", "bundle_identifier": "x"}, {}),
        ("windows", "programs", {"name": "TikTok"}, {"name": "TikTok Helper"}),
        ("windows", "programs", {"name": "BytedancePte.Ltd.TikTok"}, {"name": "Word"}),
        ("linux", "deb_packages", {"name": "tiktok-desktop"}, {"name": "tiktok-desktop-data"}),
        ("linux", "rpm_packages", {"name": "TikTok"}, {"name": "bash"}),
        ("chrome", "chrome_extensions", {"identifier": "abcdefghijklmnop"}, {"identifier": "a"}),
    ],
)
def test_a_policy_of_fleet_fails_where_the_app_is(
    tmp_path: Path, platform: str, table: str, row: dict[str, str], other: dict[str, str]
) -> None:
    documents = list(yaml.safe_load_all(made(tmp_path, "fleet", EVERYWHERE)))
    found = {each["spec"]["platform"]: each["spec"]["query"] for each in documents}
    query = found[platform]
    assert sqlglot.parse_one(query, dialect="sqlite").find(sqlglot.exp.Exists)
    assert passes(query)
    assert not passes(query, table, [row])
    if other:
        assert passes(query, table, [other])
        assert not passes(query, table, [other, row])


def test_policies_of_fleet_have_what_fleetctl_reads(tmp_path: Path) -> None:
    documents = list(yaml.safe_load_all(made(tmp_path, "fleet", EVERYWHERE)))
    assert [each["spec"]["platform"] for each in documents] == [
        "darwin", "windows", "linux", "chrome"
    ]  # fmt: skip
    for each in documents:
        assert (each["apiVersion"], each["kind"]) == ("v1", "policy")
        assert each["spec"].keys() == {"name", "query", "description", "resolution", "platform",
                                       "critical"}  # fmt: skip
    assert len({each["spec"]["name"] for each in documents}) == 4


def test_names_with_quotes_stay_names(tmp_path: Path) -> None:
    mandate = EVERYWHERE.replace("titles: [TikTok]", f"titles: [{json.dumps(EVIL)}]")
    mandate = mandate.replace("title: The app leaves our devices", f"title: {json.dumps(EVIL)}")
    ban = make_ban(tmp_path, mandate)
    for query in queries(Ingredients(ban, "", "")).values():
        assert passes(query)
    darwin = queries(Ingredients(ban, "", ""))["darwin"]
    assert not passes(darwin, "apps", [{"bundle_name": EVIL}])
    profile = plistlib.loads(made(tmp_path, "apple", mandate).encode())
    assert profile["PayloadDisplayName"] == EVIL
    assert json.loads(made(tmp_path, "intune", mandate))["displayName"] == EVIL
    (first, *_) = yaml.safe_load_all(made(tmp_path, "fleet", mandate))
    assert first["spec"]["description"] == EVIL


def test_unbound_loads_the_zone_and_logs_under_the_mandate(tmp_path: Path) -> None:
    with directory("dns") as where:
        (where / "ban.rpz").write_text(made(tmp_path, "rpz", TRAFFIC))
        daemon = unbound(where, made(tmp_path, "unbound", TRAFFIC))
        try:
            port = daemon.ports["dns"]
            for banned in ("tiktok.com", "www.tiktok.com", "a.b.TikTokCDN.com"):
                assert ask(port, banned) == ("NXDOMAIN", [])
            assert ask(port, "other.example") == ("NOERROR", ["192.0.2.7"])
            assert ask(port, "nottiktok.com") == ("NOERROR", ["192.0.2.8"])
        finally:
            daemon.stop()
        said = daemon.said()
        assert "rpz: applied [ban] " in said
        assert said.count("rpz: applied") == 3
        assert "error" not in said


@pytest.mark.parametrize(
    "domain",
    ["tik tok.com", "*.tiktok.com", "a..b", ".", "a.com CNAME .", "a.com\\n$INCLUDE /etc/passwd",
     "x" * 64 + ".com", "a." * 100 + "com"],
)  # fmt: skip
def test_only_domains_get_into_a_zone(tmp_path: Path, domain: str) -> None:
    mandate = TRAFFIC.replace("[tiktok.com, tiktokcdn.com]", f'["{domain}"]')
    with pytest.raises((UsageError, DeclarationError), match="expected a domain"):
        made(tmp_path, "rpz", mandate)


def test_a_line_end_after_a_domain_is_no_line_of_the_zone(tmp_path: Path) -> None:
    mandate = TRAFFIC.replace("[tiktok.com, tiktokcdn.com]", '["a.com\\n"]')
    zone = made(tmp_path, "rpz", mandate)
    assert zone.splitlines()[-2:] == ["a.com CNAME .", "*.a.com CNAME ."]


def test_a_zone_is_one_mandates(tmp_path: Path) -> None:
    file = write_estate(tmp_path, ESTATE, TRAFFIC)
    other = TRAFFIC.replace("mandate: ban", "mandate: second").replace("tiktok.com", "two.example")
    (tmp_path / "mandates" / "second.yaml").write_text(other)
    with pytest.raises(UsageError, match="2 mandates block domains: ban, second"):
        render(file, "rpz")
    zone = render(file, "rpz", mandate="second")
    assert "two.example CNAME ." in zone
    assert "\ntiktok.com CNAME" not in zone
    assert 'rpz-log-name: "second"' in render(file, "unbound", mandate="second")


@pytest.mark.parametrize("name", sorted(BANS))
@pytest.mark.parametrize("otherwise", ["notify", "report"])
def test_what_does_not_block_is_no_policy(tmp_path: Path, name: str, otherwise: str) -> None:
    mandate = TRAFFIC.replace("otherwise: block", f"otherwise: {otherwise}")
    with pytest.raises(UsageError, match="no install clause asks to block"):
        made(tmp_path, name, mandate)
    with pytest.raises(UsageError, match="no install clause of nobody asks to block"):
        render(write_estate(tmp_path, ESTATE, TRAFFIC), name, mandate="nobody")


@pytest.mark.parametrize(
    ("name", "said"),
    [("android", "app on android"), ("apple", "app on ios"), ("intune", "app on ios"),
     ("fleet", "app that osquery"), ("rpz", "domain with block_traffic"), ("unbound", "domain")],
)  # fmt: skip
def test_a_ban_that_names_nothing_for_a_reader_says_so(
    tmp_path: Path, name: str, said: str
) -> None:
    mandate = MANDATE.partition("    install:")[0] + (
        "    install: {apps: {chromeos: [x]}, by: 2023-03-15}\n    otherwise: block\n"
        if name != "fleet"
        else "    install: {apps: {ios: [x]}, by: 2023-03-15}\n    otherwise: block\n"
    )
    with pytest.raises(UsageError, match=f"name no {said}"):
        made(tmp_path, name, mandate)


def test_a_ban_that_has_ended_is_no_policy(tmp_path: Path) -> None:
    ended = MANDATE.replace("    otherwise: block", "    until: 2023-09-10\n    otherwise: block")
    file = write_estate(tmp_path, ESTATE, ended)
    assert render(file, "apple", now=datetime(2023, 9, 9, tzinfo=UTC))
    with pytest.raises(UsageError, match="no install clause"):
        render(file, "apple", now=datetime(2023, 9, 10, tzinfo=UTC))


def test_a_deadline_that_has_not_come_is_said(tmp_path: Path) -> None:
    file = write_estate(tmp_path)
    early = DEADLINE - timedelta(days=1)
    assert not_before(file, "apple", now=early) == DEADLINE
    assert not_before(file, "apple", now=DEADLINE) is None
    assert not_before(file, "dovecot", now=early) is None


def test_options_that_mean_nothing_are_refused(tmp_path: Path) -> None:
    file = write_estate(tmp_path)
    with pytest.raises(UsageError, match="--url is not for apple"):
        render(file, "apple", "http://127.0.0.1:1")
    with pytest.raises(UsageError, match="--mandate is not for nginx"):
        render(file, "nginx", mandate="ban")


def test_no_policy_holds_the_key(tmp_path: Path) -> None:
    from domicile.devices.policy.render import point_key

    file = write_estate(tmp_path, ESTATE, TRAFFIC)
    key = point_key(file)
    assert all(key not in render(file, name) for name in BANS)
    assert key in render(file, "nginx")


def test_the_library_renders(tmp_path: Path) -> None:
    estate = ESTATE + "mandates: [commission-device-ban]\n"
    file = tmp_path / "estate.yaml"
    file.write_text(estate)
    found: dict[str, Any] = {name: render(file, name) for name in ("android", "apple", "intune")}
    assert discovery.faults("Policy", json.loads(found["android"])) == []
    assert "com.tiktok.tv" in found["android"]
