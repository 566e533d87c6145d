"""Verdicts and access: what is not seen to be gone is never taken for gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile.devices.ban import ENDLESS, Rule
from domicile.devices.judge import standing, verdict
from domicile.devices.model import REASONS, Attestation, ClauseKey, Device
from domicile.estate.model import DeviceException
from domicile.evidence.kinds import STANDINGS
from tests.devices.made import DEADLINE, TIKTOK, make_ban

KEY = ClauseKey("ban", "remove")
DAY = timedelta(days=1)
RULE = Rule(
    key=KEY, title="t", apps=(TIKTOK,), otherwise="block",
    spans=((DEADLINE - 20 * DAY, DEADLINE + 300 * DAY),),
    deadline=DEADLINE, ownerships=frozenset({"corporate", "personal"}), fleets=frozenset(),
    groups=frozenset(), services=frozenset(), not_observable="attest", stale="refuse",
    fresh_days=8, attest_days=30, opens_when_down=False,
)  # fmt: skip
NOW = DEADLINE + DAY
HIT = {KEY: TIKTOK}
SEEN = Device("f", "d", ownership="corporate", scope="all", seen=NOW - DAY)

times = st.integers(-270 * 24, 450 * 24).map(lambda hours: DEADLINE + timedelta(hours=hours))
devices = st.builds(
    Device, st.just("f"), st.just("d"),
    ownership=st.sampled_from(["corporate", "personal", "contractor", ""]),
    compliance=st.sampled_from(["compliant", "noncompliant", "grace", ""]),
    scope=st.sampled_from(["all", "managed", ""]),
    seen=st.none() | times, hits=st.sampled_from([{}, HIT]),
)  # fmt: skip
choices = st.sampled_from(["attest", "compliance", "refuse"])
rules = st.builds(
    lambda n, s, o: replace(RULE, not_observable=n, stale=s, otherwise=o),
    choices, choices, st.sampled_from(["block", "notify", "report"]),
)  # fmt: skip
words = st.none() | st.builds(Attestation, times)


@pytest.mark.parametrize(
    ("device", "said"),
    [
        (SEEN, "absent"),
        (replace(SEEN, hits=HIT), "present"),
        (replace(SEEN, hits=HIT, seen=NOW - 400 * DAY), "present"),
        (replace(SEEN, hits=HIT, scope="managed"), "present"),
        (replace(SEEN, scope="managed"), "not_observable"),
        (replace(SEEN, scope=""), "not_observable"),
        (replace(SEEN, seen=NOW - 8 * DAY), "stale"),
        (replace(SEEN, seen=None), "stale"),
        (replace(SEEN, seen=NOW + DAY), "stale"),  # a clock that is ahead is not believed
        (replace(SEEN, seen=NOW + timedelta(minutes=5)), "absent"),
    ],
)
def test_what_was_seen_becomes_a_verdict(device: Device, said: str) -> None:
    assert verdict(device, RULE, NOW)[0] == said


@given(devices, times)
def test_absent_needs_a_fresh_look_at_every_app(device: Device, now: datetime) -> None:
    said, until = verdict(device, RULE, now)
    if said == "absent":
        assert not device.hits
        assert device.scope == "all"
        assert device.seen is not None
        assert now < until <= device.seen + RULE.fresh_days * DAY
    assert (said == "present") == bool(device.hits)


@given(devices, rules, times, words, st.booleans())
def test_after_the_deadline_only_what_speaks_for_a_device_lets_it_in(
    device: Device, rule: Rule, now: datetime, word: Attestation | None, given_up: bool
) -> None:
    said = standing(device, rule, now, attestation=word, given_up=given_up)
    assert said.reason in REASONS
    if (
        rule.otherwise != "block"
        or not rule.span(now)[0]
        or now < rule.deadline
        or not rule.reaches("f", device.ownership, "")
    ):
        assert said.allowed or given_up
    elif device.hits or given_up:
        assert not said.allowed
    elif said.allowed:
        assert said.how in ("inventory", "compliance", "attestation")
        assert said.until is not None
        assert said.until > now


@given(devices, rules, times, words)
def test_a_standing_holds_until_it_says(
    device: Device, rule: Rule, now: datetime, word: Attestation | None
) -> None:
    said = standing(device, rule, now, attestation=word)
    assert said.until is not None
    assert said.until > now
    last = min(said.until - timedelta(microseconds=1), now + 1000 * DAY)
    later = standing(device, rule, last, attestation=word)
    # What is not believed for being ahead of our clock may come to be believed by waiting.
    if device.seen is None or device.seen <= now:
        assert (later.allowed, later.reason, later.verdict) == (
            said.allowed, said.reason, said.verdict
        )  # fmt: skip


def test_every_reason_can_be_logged() -> None:
    assert set(REASONS) == STANDINGS


@pytest.mark.parametrize(
    ("choice", "compliance", "word", "reason"),
    [
        ("attest", "", None, "not_observable"),
        ("attest", "compliant", None, "not_observable"),
        ("attest", "", Attestation(NOW + DAY), "attested"),
        ("attest", "", Attestation(NOW), "not_observable"),
        ("compliance", "compliant", None, "compliant"),
        ("compliance", "grace", None, "in_grace"),
        ("compliance", "noncompliant", None, "not_compliant"),
        ("compliance", "", Attestation(NOW + DAY), "not_observable"),
        ("refuse", "compliant", Attestation(NOW + DAY), "not_observable"),
    ],
)
def test_what_cannot_be_seen_is_the_mandates_choice(
    choice: str, compliance: str, word: Attestation | None, reason: str
) -> None:
    device = replace(SEEN, scope="managed", ownership="personal", compliance=compliance)
    said = standing(device, replace(RULE, not_observable=choice), NOW, attestation=word)
    assert said.reason == reason
    assert said.allowed == (reason in ("attested", "compliant", "in_grace"))


def test_an_owners_word_does_not_outweigh_what_was_seen() -> None:
    said = standing(replace(SEEN, hits=HIT), RULE, NOW, attestation=Attestation(NOW + DAY))
    assert (said.allowed, said.reason, said.app) == (False, "present", TIKTOK)


def test_whom_a_clause_reaches() -> None:
    device = replace(SEEN, hits=HIT)
    assert standing(replace(device, ownership="contractor"), RULE, NOW).reason == "not_covered"
    assert not standing(replace(device, ownership=""), RULE, NOW).allowed  # unknown is not safe
    of_group = replace(RULE, groups=frozenset({"field"}))
    assert standing(replace(device, group="office"), of_group, NOW).reason == "not_covered"
    assert not standing(device, of_group, NOW).allowed


def test_an_exception_holds_from_its_first_day_to_the_end_of_its_last() -> None:
    brussels = ZoneInfo("Europe/Brussels")
    one = DeviceException("d", "ban", "security research", "c 1", "CISO", until=date(2023, 3, 20),
                          start=date(2023, 3, 16))  # fmt: skip
    device = replace(SEEN, hits=HIT)

    def reason(when: datetime) -> str:
        return standing(device, RULE, when, exceptions=[one], zone=brussels).reason

    assert reason(datetime(2023, 3, 15, 22, 59, tzinfo=DEADLINE.tzinfo)) == "present"
    assert reason(datetime(2023, 3, 15, 23, tzinfo=DEADLINE.tzinfo)) == "excepted"
    assert reason(datetime(2023, 3, 20, 22, 59, tzinfo=DEADLINE.tzinfo)) == "excepted"
    assert reason(datetime(2023, 3, 20, 23, tzinfo=DEADLINE.tzinfo)) == "present"


def test_before_the_deadline_and_before_effect(tmp_path: Path) -> None:
    (rule,) = make_ban(tmp_path).rules
    device = replace(SEEN, hits=HIT)
    assert standing(device, rule, rule.spans[0][0] - DAY).reason == "not_in_effect"
    early = standing(device, rule, rule.deadline - DAY)
    assert (early.reason, early.until) == ("before_deadline", rule.deadline)
    assert standing(device, rule, rule.deadline).until == ENDLESS
    assert not standing(device, rule, rule.deadline).allowed
