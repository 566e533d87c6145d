"""Nothing of an app that no mandate forbids is stored or said, whatever the inventories list.

All recorded inventories are synchronised by the command itself, as talkative as it can be, with a
forbidden app put into each; then every byte that it left is searched for every other app.
"""

from __future__ import annotations

import json
import os
import plistlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.devices.android_server import ENTERPRISE, AndroidServer
from tests.devices.graph_server import GraphServer, served
from tests.devices.made import MANDATE, TIKTOK, write_estate
from tests.devices.nanomdm_server import KEY, SECRET, NanomdmServer, Phone
from tests.devices.test_android import BANNED
from tests.devices.test_fleet import Server as FleetServer
from tests.devices.test_nanomdm import Apple

ESTATE = """\
estate: commission
fleets:
  intune: {source: graph, url: "%(graph)s/v1.0", secret: TOKEN}
  hosts: {source: fleet, url: "%(fleet)s", secret: TOKEN}
  android: {source: android, tenant: %(enterprise)s, url: "%(android)s", secret: TOKEN}
  phones: {source: nanomdm, url: "%(nanomdm)s", secret: NANO, webhook_secret: HOOK}
  table: {source: csv, file: table.csv}
  lines: {source: json, file: lines.json}
"""
TIMES = ("2023-03-14T09:00:00Z", "2023-03-16T09:00:00Z")


@dataclass
class Recorded:
    """What was recorded, the servers that say it again, and the names of all apps in it."""

    graph: GraphServer = field(default_factory=GraphServer)
    fleet: FleetServer = field(default_factory=FleetServer)
    android: AndroidServer = field(default_factory=AndroidServer)
    nanomdm: NanomdmServer = field(default_factory=NanomdmServer)
    apps: set[str] = field(default_factory=set)

    def read(self, folder: Path) -> None:
        """Fill the servers from the recordings, each with the forbidden app on one device."""
        intune = folder / "intune"
        self.graph.devices = _json(intune / "managedDevices_mock_excerpt.json")["value"]
        self.graph.apps = _json(intune / "detectedApps_docs_example.json")["value"]
        self.apps |= {app["displayName"] for app in self.graph.apps}
        self.graph.on = {app["id"]: [self.graph.devices[0]["id"]] for app in self.graph.apps}
        self.graph.apps.append({"id": "tt", "displayName": "TikTok", "platform": "ios"})
        self.graph.on["tt"] = [self.graph.devices[0]["id"]]

        answers = _json(folder / "fleet" / "hosts_recorded.json")
        hosts = {each["id"]: each for answer in answers for each in answer["body"].get("hosts", ())}
        self.fleet.hosts = list(hosts.values())
        for host in self.fleet.hosts:
            software = host.setdefault("software", None) or []
            self.apps |= {each[key] for each in software for key in ("name", "bundle_identifier")
                          if each.get(key)}  # fmt: skip
        made = [{"name": "Headspace.app", "bundle_identifier": "com.getsomeheadspace.headspace"},
                {"name": "TikTok.app", "bundle_identifier": TIKTOK}]  # fmt: skip
        self.fleet.hosts[0]["software"] = made
        self.apps |= {"Headspace", "com.getsomeheadspace.headspace"}

        device = _json(folder / "android" / "device_applicationReports.json")
        for report in device["applicationReports"]:
            report.pop("applicationSource", None)
            self.apps |= {report[key] for key in ("packageName", "displayName") if key in report}
        device["applicationReports"].append(BANNED)
        self.android.devices = [device]

        for number, name in enumerate(("all", "managed")):
            file = folder / "apple" / f"InstalledApplicationList_{name}.plist"
            listed = plistlib.loads(file.read_bytes())["InstalledApplicationList"]
            self.apps |= {app[key] for app in listed for key in ("Identifier", "Name")}
            apps = [app["Identifier"] for app in listed]
            self.nanomdm.phones[f"p{number}"] = Phone(f"p{number}", [*apps, TIKTOK])
        self.apps = {app for app in self.apps if len(app) > 4 and app != TIKTOK}


def _json(file: Path) -> Any:
    return json.loads(file.read_text("utf-8"))


@pytest.fixture
def recorded(
    tmp_path: Path, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Recorded, Path]]:
    monkeypatch.setenv("TOKEN", "token-1")
    monkeypatch.setenv("NANO", KEY)
    monkeypatch.setenv("HOOK", SECRET)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    found = Recorded()
    found.read(shared / "fleets")
    with ExitStack() as stack:
        servers = {name: stack.enter_context(served(getattr(found, name))).url
                   for name in ("graph", "fleet", "android", "nanomdm")}  # fmt: skip
        file = write_estate(tmp_path, ESTATE % {**servers, "enterprise": ENTERPRISE})
        listed = sorted(found.apps)
        quoted = ['"' + app.replace('"', '""') + '"' for app in (*listed, TIKTOK)]
        (tmp_path / "table.csv").write_text(
            "id,platform,scope,app\n" + "".join(f"t1,ios,all,{app}\n" for app in quoted)
        )
        (tmp_path / "lines.json").write_text(json.dumps([{
            "id": "l1", "platform": "ios", "scope": "all",
            "apps": [*({"id": app, "title": app, "sdks": [app]} for app in listed), TIKTOK],
        }]))  # fmt: skip
        yield found, file


def domicile(file: Path, *arguments: str, exit_code: int = 0) -> bytes:
    """Run a command as talkative as it can be; all that it said."""
    done = subprocess.run(
        [sys.executable, "-m", "domicile", "devices", *arguments, "--estate", str(file)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, env=dict(os.environ),
    )  # fmt: skip
    assert done.returncode == exit_code, done.stdout.decode()
    return done.stdout


def left(file: Path, given: frozenset[str]) -> dict[str, bytes]:
    """Every file that lies there now but for those that the test itself wrote."""
    folder = file.parent
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and str(path.relative_to(folder)) not in given
    }


def test_nothing_is_left_of_any_other_app(recorded: tuple[Recorded, Path]) -> None:
    found, file = recorded
    given = frozenset({"estate.yaml", "mandates/ban.yaml", "table.csv", "lines.json"})
    said = {"half": b""}

    # Half an inventory, then a service that goes away: what is staged is searched too.
    found.graph.page = 1
    found.graph.fault = lambda path, number: (404, {}, b"{}") if number >= 8 else None
    said["half"] = domicile(file, "sync", "intune", "-v", "--at", TIMES[0], exit_code=3)
    searched = left(file, given)
    assert ".domicile/devices.sqlite" in searched
    _search(found.apps, searched, said)
    found.graph.fault = lambda path, number: None

    said["first"] = domicile(file, "sync", "-v", "--at", TIMES[0])
    apple = Apple.__new__(Apple)
    apple.file, apple.server, apple.world = file, found.nanomdm, None
    assert apple.connect() == [200, 200]
    said["sync"] = domicile(file, "sync", "-v", "--json", "--at", TIMES[1])
    present = {each["fleet"]: each["present"] for each in json.loads(said["sync"])["fleets"]}
    assert present == {"intune": 1, "hosts": 1, "android": 1, "phones": 2, "table": 1, "lines": 1}
    for command in (["show", "t1"], ["report", "-o", str(file.parent / "board.html")]):
        said[" ".join(command)] = domicile(file, *command, "-v")
    searched = left(file, given)
    assert {".domicile/devices.sqlite", ".domicile/apple.sqlite", "board.html"} <= searched.keys()
    assert any(name.startswith(".domicile/evidence/") for name in searched)
    _search(found.apps, searched, said)
    # The search itself finds what is there.
    assert any(TIKTOK.encode() in content for content in searched.values())
    with pytest.raises(AssertionError, match=r"table\.csv holds|lines\.json holds"):
        _search(found.apps, left(file, frozenset()), said)


def test_what_is_searched_for_is_there_to_be_found(recorded: tuple[Recorded, Path]) -> None:
    found, file = recorded
    assert len(found.apps) > 20
    everything = b"".join(left(file, frozenset()).values())
    assert all(app.encode() in everything for app in found.apps if app.isascii())
    assert MANDATE.encode() in everything


def _search(apps: set[str], files: dict[str, bytes], said: dict[str, bytes]) -> None:
    for name, content in {**files, **said}.items():
        folded = content.lower()
        seen = [app for app in apps if app.encode().lower() in folded
                or json.dumps(app)[1:-1].encode().lower() in folded]  # fmt: skip
        assert not seen, f"{name} holds {seen[:3]}"
