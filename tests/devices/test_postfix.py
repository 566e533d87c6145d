"""Postfix's policy delegation: what it asks, what it is answered, and what is no question."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from domicile.devices import postfix
from tests.devices.made import MANDATE, TIKTOK
from tests.devices.test_point import World, has
from tests.devices.test_sync import phone

CONTEXT = postfix.context_key("k" * 64)


def request(**attributes: str) -> bytes:
    lines = {"request": "smtpd_access_policy", "protocol_state": "RCPT", "policy_context": CONTEXT,
             "helo_name": "d2", "sender": "a@example.org", **attributes}  # fmt: skip
    return "".join(f"{name}={value}\n" for name, value in lines.items()).encode() + b"\n"


def ask(world: World, *requests: bytes, address: str = "127.0.0.1:0") -> list[str]:
    """What each is answered on one connection; less than was asked when it was closed."""

    async def talk() -> list[str]:
        server = await postfix.serve(
            address, "k" * 64, lambda asked: world.enforcer.point.answer(asked, "postfix")
        )
        name = server.sockets[0].getsockname()
        reader, writer = await (
            asyncio.open_unix_connection(name) if "/" in address
            else asyncio.open_connection(*name[:2])
        )  # fmt: skip
        answers = []
        async with server:
            for each in requests:
                writer.write(each)
                answer = await reader.read(4096)
                if not answer:
                    break
                answers.append(answer.decode("ascii"))
            writer.close()
        return answers

    return asyncio.run(talk())


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, has(1), phone(2), has(3, name="Zoë's\r\naction=OK ☎"))


@pytest.mark.parametrize(
    ("attributes", "answer"),
    [
        ({"ccert_subject": "d1"}, f"action=REJECT 5.7.1 TikTok ({TIKTOK}) is on phone 1. "),
        ({"ccert_subject": "d2"}, "action=DUNNO\n\n"),
        ({"ccert_subject": "+64+32"}, "action=DUNNO\n\n"),  # xtext: d2
        ({"ccert_subject": "+FF"}, "action=REJECT 5.7.1 This login does not say"),
        ({"sasl_username": "user2+d2"}, "action=DUNNO\n\n"),
        ({"sasl_username": "user1+d2"}, "action=REJECT 5.7.1 This device is not registered"),
        ({"sasl_username": "user2"}, "action=REJECT 5.7.1 This login does not say"),
        ({"sasl_username": "user2", "ccert_subject": "d2"}, "action=DUNNO\n\n"),
        ({"sasl_username": "user1", "ccert_subject": "d2"}, "action=REJECT 5.7.1 This device is"),
        ({"sasl_username": "user2+d2", "ccert_subject": "d1"}, "action=REJECT 5.7.1 "),
        ({"sasl_username": "user2+d2", "ccert_subject": "d9"}, "action=REJECT 5.7.1 "),
        ({}, "action=REJECT 5.7.1 This login does not say"),
        (
            {"ccert_subject": "d3"},
            f"action=REJECT 5.7.1 TikTok ({TIKTOK}) is on Zoe's action=OK ?. Remove",
        ),
    ],
)
def test_what_a_client_proved_decides(
    world: World, attributes: dict[str, str], answer: str
) -> None:
    (got,) = ask(world, request(**attributes))
    assert got.startswith(answer)
    assert got.endswith("\n\n")
    assert got.count("\n") == 2


def test_one_connection_asks_many_times_and_a_socket_serves_too(
    world: World, tmp_path: Path
) -> None:
    both = [request(ccert_subject="d2"), request(ccert_subject="d1")]
    for address in ("127.0.0.1:0", str(tmp_path / "policy")):
        assert [each[:10] for each in ask(world, *both, *both, address=address)] == [
            "action=DUN", "action=REJ", "action=DUN", "action=REJ"
        ]  # fmt: skip


@pytest.mark.parametrize(
    "odd",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        request(ccert_subject="d2", policy_context="wrong"),
        request(ccert_subject="d2", request="junk"),
        request(ccert_subject="d" * 5000),
        b"request=smtpd_access_policy\n" + b"".join(b"a%d=\n" % n for n in range(300)) + b"\n",
        b"\n\n",
    ],
)
def test_what_is_no_question_is_not_answered(world: World, odd: bytes) -> None:
    assert ask(world, odd, request(ccert_subject="d2")) == []
    assert world.enforcer.tally.allowed == 0


def test_half_a_question_is_waited_for_no_longer_than_ten_seconds(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postfix, "SECONDS", 0.05)
    assert ask(world, b"request=smtpd_access_policy\nsender=") == []


@pytest.mark.parametrize("when", ["closed", "open"])
def test_what_cannot_be_decided_is_to_be_tried_again(tmp_path: Path, when: str) -> None:
    mandate = MANDATE.replace("      by:", f"      when_down: {when}\n      by:")
    world = World(tmp_path, phone(2), mandate=mandate)
    world.enforcer.point.table = None
    (got,) = ask(world, request(ccert_subject="d2"))
    assert got.startswith("action=DEFER 4.3.0 " if when == "closed" else "action=DUNNO")
