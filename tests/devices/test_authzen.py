"""AuthZEN: what services ask by themselves, and what is no question."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from domicile.evidence import place
from tests.devices.made import ESTATE, MANDATE, TIKTOK
from tests.devices.test_point import World, has
from tests.devices.test_sync import entries, phone

ONE, SEVERAL = "/access/v1/evaluation", "/access/v1/evaluations"
CALLS = MANDATE.replace("      by:", "      services: [calls]\n      by:")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, has(1), phone(2), mandate=CALLS)


def question(
    device: str, user: str = "user1@example.org", service: str = "calls"
) -> dict[str, Any]:
    return {
        "subject": {"type": "user", "id": user, "properties": {"device_id": device, "x": 1}},
        "action": {"name": "access"},
        "resource": {"type": "app", "id": service, "properties": {}},
    }  # fmt: skip


def ask(world: World, path: str, body: Any, **headers: str) -> tuple[int, Any]:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    status, _, answer = world.ask(path, text, headers)
    return status, json.loads(answer)


def test_a_call_service_is_refused_and_told_why(world: World) -> None:
    status, answer = ask(world, ONE, question("d1"))
    context = answer["context"]
    assert (status, answer["decision"], context["reason"]) == (200, False, "present")
    assert context["reason_user"]["en"].startswith(f"TikTok ({TIKTOK}) is on phone 1.")
    assert context["reason_user"]["nl"].startswith(f"TikTok ({TIKTOK}) staat op phone 1.")
    assert (context["mandate"], context["clause"]) == ("ban", "remove")
    log = place.read_log(place.state_directory(world.file))
    ((_, shown),) = log.entries(int(context["evidence_id"]), int(context["evidence_id"]) + 1)
    assert (shown["kind"], shown["reason"]) == ("device_standing", "present")
    assert ask(world, ONE, question("d1", service="mail"))[1]["decision"] is True
    assert ask(world, ONE, question("d2", "user2@example.org"))[1]["decision"] is True


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        ({"type": "device", "id": "d1"}, "present"),
        ({"type": "device", "id": "d2"}, "absent"),
        ({"type": "device", "id": "d2", "properties": {"user": "user1"}}, "other_owner"),
        ({"type": "user", "id": "user1"}, "no_device"),
        ({"type": "user", "id": "user1", "properties": {"device_id": "d9"}}, "unknown_device"),
        ({"type": "user", "id": "user1", "properties": {"device_id": "d2"}}, "other_owner"),
        ({"type": "user", "id": "ü\u202e\x00", "properties": {"device_id": "d2"}}, "other_owner"),
    ],
)
def test_a_subject_is_a_device_or_somebody_with_one(
    world: World, subject: dict[str, Any], reason: str
) -> None:
    status, answer = ask(world, ONE, {**question(""), "subject": subject})
    assert (status, answer["context"]["reason"]) == (200, reason)
    assert answer["decision"] is (reason == "absent")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b'"x"', b"\xff",
        b'{"subject": "\xff"}', b'{"context":' + b"[" * 30_000,
        {}, {**question("d1"), "subject": None}, {**question("d1"), "subject": {"type": "user"}},
        {**question("d1"), "subject": {"type": "robot", "id": "r"}},
        {**question("d1"), "subject": {"type": "user", "id": ""}},
        {**question("d1"), "resource": {"type": "app", "id": 7}},
        {**question("d1"), "action": "access"},
        {**question("d1"), "subject": {"type": "user", "id": "a", "properties": {"device_id": []}}},
    ],
)  # fmt: skip
def test_what_is_no_question_is_an_error(world: World, body: Any) -> None:
    before = world.enforcer.tally.allowed
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"X-Request-ID": "r-1"}
    status, answered, _ = world.ask(ONE, text or b" ", headers)
    assert (status, answered[b"x-request-id"]) == (400, b"r-1")
    assert world.enforcer.tally.allowed == before


def test_the_key_is_asked_for(world: World) -> None:
    body = json.dumps(question("d2")).encode()
    assert world.ask(ONE, body, {"X-API-Key": "wrong"})[0] == 401
    bearer = {"X-API-Key": "", "Authorization": f"Bearer {'k' * 64}"}
    assert world.ask(ONE, body, bearer)[0] == 200
    assert world.ask(ONE, b"")[0] == 405  # a GET
    assert world.ask(ONE, b"x" * 70_000)[0] == 413


def several(semantic: str | None, *devices: str) -> dict[str, Any]:
    shared = question("")
    options = {} if semantic is None else {"options": {"evaluations_semantic": semantic}}
    return {
        "action": shared["action"], "resource": shared["resource"], **options,
        "evaluations": [{"subject": {"type": "device", "id": each}} for each in devices],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("semantic", "devices", "decisions"),
    [
        (None, ("d2", "d1", "d2"), [True, False, True]),
        ("execute_all", ("d1", "d1", "d2"), [False, False, True]),
        ("deny_on_first_deny", ("d2", "d1", "d2"), [True, False]),
        ("deny_on_first_deny", ("d2", "d2"), [True, True]),
        ("permit_on_first_permit", ("d1", "d2", "d1"), [False, True]),
        ("permit_on_first_permit", ("d1", "d1"), [False, False]),
    ],
)
def test_several_at_once(
    world: World, semantic: str | None, devices: tuple[str, ...], decisions: list[bool]
) -> None:
    status, answer = ask(world, SEVERAL, several(semantic, *devices))
    assert status == 200
    assert [each["decision"] for each in answer["evaluations"]] == decisions


def test_several_with_an_odd_one_or_none(world: World) -> None:
    body = several("deny_on_first_deny", "d2")
    body["evaluations"].append({"subject": {"type": "device"}})
    body["evaluations"].append({"subject": {"type": "device", "id": "d2"}})
    _, answer = ask(world, SEVERAL, body)
    good, odd = answer["evaluations"]  # an odd one is a no, and ends the list
    assert (good["decision"], odd["decision"]) == (True, False)
    assert odd["context"]["error"]["status"] == 400
    assert ask(world, SEVERAL, {**question("d1"), "evaluations": []})[1]["decision"] is False
    assert ask(world, SEVERAL, question("d1"))[1]["decision"] is False
    body = several("first_come", "d2")
    assert world.ask(SEVERAL, json.dumps(body).encode())[0] == 400


def test_where_it_answers_is_published(tmp_path: Path) -> None:
    estate = ESTATE + "devices: {point: 'https://access.example.org/pdp/'}\n"
    world = World(tmp_path, phone(2), estate=estate)
    status, _, body = world.ask("/.well-known/authzen-configuration", headers={"X-API-Key": ""})
    assert status == 200
    assert json.loads(body) == {
        "policy_decision_point": "https://access.example.org/pdp",
        "access_evaluation_endpoint": "https://access.example.org/pdp/access/v1/evaluation",
        "access_evaluations_endpoint": "https://access.example.org/pdp/access/v1/evaluations",
    }


def test_decisions_are_counted_by_their_point(world: World) -> None:
    ask(world, ONE, question("d1"))
    world.enforcer.tally.write()
    (entry,) = entries(world.file, "device_decisions")
    assert (entry["point"], entry["service"], entry["devices"]) == ("authzen", "calls", 1)
