"""Odd input to inventories: each is one error or a device that nothing speaks for, never more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from domicile.cli.main import main
from domicile.devices.inventory.android import AndroidInventory
from domicile.devices.inventory.base import Inventory, moment
from domicile.devices.inventory.fleet import FleetInventory
from domicile.devices.inventory.graph import GraphInventory
from domicile.devices.inventory.nanomdm import NanomdmInventory
from domicile.errors import DeclarationError, FleetError, Stopped
from domicile.estate.model import Fleet
from tests.devices.graph_server import Answer, GraphServer, served
from tests.devices.made import DEADLINE, MANDATE, TIKTOK, make_ban, write_estate
from tests.devices.test_sync import Source, phone, run

SOURCES = ("graph", "fleet", "android", "nanomdm")
WRONG = (
    b'{"value": [{"id": ?}], "hosts": [{"id": 1, "uuid": ?}], "devices": [{"name": ?}],'
    b' "enrollments": [{"id": ?, "type": "x"}]}'
)
DEEP = b"[" * 100_000 + b"]" * 100_000


class Odd(GraphServer):
    """Gives the same bytes to whatever is asked."""

    given: Answer = (200, {}, b"{}")

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> Answer:
        self.asked.append(path)
        return self.given


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> Iterator[Odd]:
    monkeypatch.setenv("SECRET", "token-1")
    server = Odd()
    with served(server):
        yield server


def read(odd: Odd, directory: Path, source: str) -> list[Any]:
    """All devices that a source gives; waiting takes no time."""
    fleet = Fleet("f", source, url=odd.url, tenant="e", secret="SECRET")
    ban, waits = make_ban(directory), list[float]()
    inventory: Inventory
    if source == "nanomdm":
        inventory = NanomdmInventory(fleet, ban, directory, DEADLINE, sleep=waits.append)
    elif source == "android":
        inventory = AndroidInventory(fleet, ban, sleep=waits.append)
    elif source == "fleet":
        inventory = FleetInventory(fleet, ban, sleep=waits.append)
    else:
        inventory = GraphInventory(fleet, ban, sleep=waits.append)
    return [device for page in inventory.pages("") for device in page.devices]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b'"x"', b"7", b"\xff\xfe\x00", b"{", b"<html>Sign in</html>",
        b'{"value": 7, "hosts": 7, "devices": 7, "enrollments": 7}',
        b'{"value": [null], "hosts": [null], "devices": [null], "enrollments": [null]}',
        b'{"value": [[]], "hosts": [[]], "devices": [[]], "enrollments": [[]]}',
        b'{"value": [{}], "hosts": [{}], "devices": [{}], "enrollments": [{}]}',
        b'{"x": ' + DEEP + b"}",
        *(WRONG.replace(b"?", odd) for odd in (b'"\xff"', b'"\\ud800"', b"1e400", b"true", b"{}")),
    ],
)  # fmt: skip
def test_what_is_no_inventory_is_one_error(
    odd: Odd, tmp_path: Path, source: str, body: bytes
) -> None:
    odd.given = (200, {}, body)
    if source == "android" and body.startswith(b'{"x"'):
        odd.given = (200, {}, b'{"devices": [], "x": ' + DEEP + b"}")
    with pytest.raises((FleetError, Stopped)) as caught:
        read(odd, tmp_path, source)
    assert "token-1" not in str(caught.value)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    "answer",
    [
        (200, {"Content-Encoding": "gzip"}, b"no gzip"),
        (200, {"Content-Encoding": "br, gzip"}, b"\x1f\x8b\x08\x00"),
        (301, {"Location": "https://elsewhere.invalid/"}, b""),
        (429, {"Retry-After": "9" * 400}, b""), (429, {"Retry-After": "-1"}, b""),
        (429, {"Retry-After": "Thu, 99 Nonsense 9999"}, b""), (418, {}, b"\xff"), (599, {}, b""),
    ],
)  # fmt: skip
def test_answers_that_mean_nothing(odd: Odd, tmp_path: Path, source: str, answer: Answer) -> None:
    odd.given = answer
    with pytest.raises((FleetError, Stopped)):
        read(odd, tmp_path, source)


@pytest.mark.parametrize(
    "link", ["http://[::1", "//", "", "\n", "file:///etc/passwd", "x" * 70_000]
)
def test_links_that_lead_nowhere(odd: Odd, tmp_path: Path, link: str) -> None:
    for wanted in (link, f"{odd.url}/\n", odd.url + "/" + "a" * 70_000):
        document = {"value": [], "@odata.nextLink": wanted}
        odd.given = (200, {}, json.dumps(document).encode())
        if not wanted:
            continue
        with pytest.raises(FleetError):
            read(odd, tmp_path, "graph")


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("secret", ["tök€n", "a\tb", "a\x7fb", "a\nb: c"])
def test_a_secret_that_can_be_none(
    odd: Odd, tmp_path: Path, source: str, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", secret)
    with pytest.raises(FleetError, match="holds what no secret can be") as caught:
        read(odd, tmp_path, source)
    assert secret not in str(caught.value)
    assert odd.asked == []


def test_a_line_end_after_a_secret_does_not_matter(
    odd: Odd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "token-1\n")
    odd.given = (200, {}, b'{"hosts": []}')
    assert read(odd, tmp_path, "fleet") == []


@pytest.mark.parametrize(
    "text",
    ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "99999-01-01", "now", "-1", "1e9",
     "2023-02-30", "\u0662\u0660\u0662\u0663-03-14T", "\x00", " " * 10_000],
)  # fmt: skip
def test_a_time_that_is_none_is_never(text: str) -> None:
    assert moment(text) is None


@pytest.mark.parametrize("text", ["2999-01-01", "9999-12-31T23:59:59Z"])
def test_a_time_to_come_makes_nothing_fresh(tmp_path: Path, text: str) -> None:
    file = write_estate(tmp_path)
    done = run(file, Source([phone(1, seen=moment(text))]), DEADLINE)
    assert (done["stale"], done["absent"], done["refused"]) == (1, 0, 1)


@pytest.mark.parametrize(
    "line",
    [b'{"id": "a", "name": "\xff"}', b'{"id": "a", "x": ' + DEEP[:10_000] + DEEP[-10_000:] + b"}",
     b'{"id": "a", "name": "\\ud800"}', b'{"id": 1e400}', b'{"id": null}', b"[[]]"],
)  # fmt: skip
def test_a_file_with_an_odd_line_changes_nothing(tmp_path: Path, line: bytes) -> None:
    file = write_estate(
        tmp_path, "estate: e\nfleets:\n  phones: {source: json, file: devices.json}\n"
    )
    (tmp_path / "devices.json").write_bytes(line + b"\n")
    assert main(["devices", "sync", "--estate", str(file), "--quiet"]) == 3


EVIL = ("[bold red]x[/bold red]", "\x1b[2J\x1b]0;owned\x07", "=HYPERLINK(1)", "\u202egnp.exe",
        "a\nb", "<b>&amp;", "x" * 5_000)  # fmt: skip


def test_names_of_devices_cannot_command_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_estate(tmp_path)
    run(file, Source([phone(n, name=name) for n, name in enumerate(EVIL)]), DEADLINE)
    for command in (["list"], ["show", "d1"], ["explain", "d1"]):
        assert main(["devices", *command, "--estate", str(file)]) == 0
        printed = capsys.readouterr().out
        assert "\x1b[2J" not in printed
        assert "\x1b]0" not in printed
        assert "\x07" not in printed
    assert main(["devices", "list", "--estate", str(file)]) == 0
    assert "[bold red]" in capsys.readouterr().out.replace("\n", "")


@pytest.mark.parametrize("key", ["fresh_days", "attest_days"])
@pytest.mark.parametrize("days", ["3651", "999999999999", "0", "-1", "1.5"])
def test_days_without_end_are_a_wrong_declaration(tmp_path: Path, key: str, days: str) -> None:
    mandate = MANDATE.replace("      by:", f"      {key}: {days}\n      by:")
    with pytest.raises(DeclarationError, match=key):
        make_ban(tmp_path, mandate)
    make_ban(tmp_path, mandate.replace(f"{key}: {days}", f"{key}: 3650"))


def test_the_same_id_in_other_letters_is_another_device(tmp_path: Path) -> None:
    file = write_estate(tmp_path)
    devices = [phone(1, id="A"), phone(2, id="a"), phone(3, id="a\x00"), phone(4, id="ä")]
    assert run(file, Source(devices), DEADLINE)["devices"] == 4


def test_identifiers_are_found_however_they_are_written(tmp_path: Path) -> None:
    ban = make_ban(tmp_path)
    for written in (TIKTOK, TIKTOK.upper(), "Com.Zhiliaoapp.Musically"):
        assert ban.match("ios", [written])
    for other in (TIKTOK + ".x", " " + TIKTOK, TIKTOK[:-1], "", "\x00" + TIKTOK):
        assert not ban.match("ios", [other])
