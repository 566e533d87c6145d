"""Inventories in files: CSV and JSON, for everyone whose system has no interface here.

DuckDB splits them, so that a file of any size needs little memory, and of each device only the
fields below are decoded. Nothing is spilled to disk.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from domicile.devices.ban import Ban
from domicile.devices.inventory.base import (
    Page,
    compliance,
    moment,
    owners,
    ownership,
    platform,
    scope,
)  # fmt: skip
from domicile.devices.model import Device
from domicile.errors import FleetError
from domicile.estate.model import Fleet

if TYPE_CHECKING:
    import duckdb

PAGE = 1000
"""Devices in a page."""

RECORD_BYTES = 16 * 1024 * 1024
"""The longest record of one device: more than 50,000 apps."""

CSV_COLUMNS = (
    "id", "name", "owner", "ownership", "platform", "group", "compliance", "scope", "seen",
    "alias", "app",
)  # fmt: skip


class _App(msgspec.Struct):
    id: str = ""
    title: str = ""
    sdks: list[str] = msgspec.field(default_factory=list)


class _Record(msgspec.Struct):
    id: str
    name: str | None = None
    owner: str | list[str] | None = None
    ownership: str | None = None
    platform: str | None = None
    group: str | None = None
    compliance: str | None = None
    scope: str | None = None
    seen: str | None = None
    alias: str | list[str] | None = None
    apps: list[str | _App] | None = None


class JsonInventory:
    """A JSON array of devices, or one device a line."""

    def __init__(self, fleet: Fleet, ban: Ban) -> None:
        self.fleet, self.ban = fleet, ban

    def pages(self, cursor: str) -> Iterator[Page]:
        """The whole file; `cursor` is ignored, a file is quick to read again.

        Raises FleetError.
        """
        import duckdb

        connection = _connection(self.fleet)
        decoder = msgspec.json.Decoder(_Record)
        seen: set[str] = set()
        try:
            rows = connection.execute(
                "SELECT json FROM read_json_objects(?, format = 'auto', compression = 'none',"
                " maximum_object_size = ?)",
                [self.fleet.file, RECORD_BYTES],
            )
            while lines := rows.fetchmany(PAGE):
                devices = [
                    self._device(decoder, line, len(seen) + number)
                    for number, (line,) in enumerate(lines, start=1)
                ]
                _none_twice(self.fleet.name, devices, seen)
                yield Page(devices, (), "")
        except duckdb.Error as error:
            raise FleetError(
                self.fleet.name,
                f"{Path(self.fleet.file).name} is not JSON after device {len(seen)}",
                hint="Expected an array of devices, or one device a line, whole to its end.",
            ) from error
        finally:
            connection.close()

    def _device(self, decoder: msgspec.json.Decoder[_Record], line: str, number: int) -> Device:
        try:
            record = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise FleetError(
                self.fleet.name,
                f"device {number} of {Path(self.fleet.file).name}: {_fault(error)}",
                hint="docs/devices.md has the fields and their types.",
            ) from None
        if not record.id.strip():
            raise FleetError(self.fleet.name, f"device {number} has an empty id")
        on = platform(record.platform)
        apps = record.apps or []
        identifiers = [app if isinstance(app, str) else app.id for app in apps]
        titles = [app.title for app in apps if isinstance(app, _App)]
        sdks = [sdk for app in apps if isinstance(app, _App) for sdk in app.sdks]
        return Device(
            fleet=self.fleet.name,
            id=record.id.strip(),
            name=record.name or "",
            aliases=_several(record.alias),
            owners=owners(*_several(record.owner)),
            ownership=ownership(record.ownership, self.fleet.ownership),
            platform=on,
            group=record.group or "",
            compliance=compliance(record.compliance),
            scope="" if record.apps is None else scope(record.scope, self.fleet.scope),
            seen=moment(record.seen),
            hits=self.ban.match(on, identifiers, titles, sdks),
        )


class CsvInventory:
    """A table with a heading: one line for each device, or one for each app on a device."""

    def __init__(self, fleet: Fleet, ban: Ban) -> None:
        self.fleet, self.ban = fleet, ban
        self.name = Path(fleet.file).name

    def pages(self, cursor: str) -> Iterator[Page]:
        """The whole file; `cursor` is ignored. Raises FleetError."""
        import duckdb

        connection = _connection(self.fleet)
        try:
            columns = self._columns()
            values: dict[str, object] = {"file": self.fleet.file}
            if "app" in columns:
                values |= {"names": self.ban.lowered, "sdks": self.ban.prefixes}
            rows = connection.execute(_query(columns), values)
            while lines := rows.fetchmany(PAGE):
                yield Page([self._device(line, "app" in columns) for line in lines], (), "")
        except duckdb.Error as error:
            found = re.search(r"Line: (\d+)", str(error))
            raise FleetError(
                self.fleet.name,
                f"{self.name} is no CSV" + (f" at line {found[1]}" if found else ""),
                hint="Expected UTF-8, commas, a heading, and as many cells in every line.",
            ) from error
        finally:
            connection.close()

    def _columns(self) -> list[str]:
        """The heading. Raises FleetError."""
        with Path(self.fleet.file).open(encoding="utf-8-sig", errors="replace") as file:
            columns = [cell.strip() for cell in next(csv.reader(file), [])]
        odd = [each for each in columns if each not in CSV_COLUMNS]
        if odd or "id" not in columns or len(set(columns)) != len(columns):
            wrong = f"got the column {odd[0]!r}" if odd else "no column id, or one twice"
            raise FleetError(
                self.fleet.name,
                f"{self.name}: {wrong}",
                hint=f"Expected a heading of some of: {', '.join(CSV_COLUMNS)}.",
            )
        return columns

    def _device(self, line: Sequence[str | list[str] | None], lists_apps: bool) -> Device:
        id_ = line[0]
        if not isinstance(id_, str) or not id_:
            raise FleetError(self.fleet.name, f"{self.name} has a line without an id")
        cells = dict(zip(CSV_COLUMNS[1:], line[1:], strict=True))

        def many(column: str) -> list[str]:
            found = cells[column]
            return [each for each in found if each] if isinstance(found, list) else []

        def one(column: str) -> str:
            """What all lines of a device agree on; nothing where they do not."""
            found = many(column)
            return found[0] if len(found) == 1 else ""

        on = platform(one("platform"))
        times = [moment(text) for text in many("seen")]
        known = [time for time in times if time is not None]
        whose = one("ownership")
        scopes = many("scope")
        return Device(
            fleet=self.fleet.name,
            id=id_,
            name=one("name"),
            aliases=tuple(sorted(a for each in many("alias") for a in _split(each))),
            owners=owners(*(o for each in sorted(many("owner")) for o in _split(each))),
            ownership=ownership(whose, "" if many("ownership") else self.fleet.ownership),
            platform=on,
            group=one("group"),
            compliance=compliance(one("compliance")),
            scope=scope(one("scope"), "" if scopes else self.fleet.scope) if lists_apps else "",
            seen=min(known) if len(known) == len(times) and known else None,
            hits=self.ban.match(on, many("app"), many("app")),
        )


def _connection(fleet: Fleet) -> duckdb.DuckDBPyConnection:
    import duckdb

    if not Path(fleet.file).is_file():
        raise FleetError(fleet.name, f"there is no file {Path(fleet.file).name}")
    return duckdb.connect(config={"threads": 1, "memory_limit": "400MB", "temp_directory": ""})


def _query(columns: Sequence[str]) -> str:
    """Everything that is said of each device, and of its apps those that may be forbidden."""
    chosen = [
        f'list(DISTINCT trim("{each}"))' if each in columns else "NULL"
        for each in CSV_COLUMNS[1:-1]
    ]
    app = (
        "list(DISTINCT trim(app)) FILTER (list_contains($names, lower(trim(app)))"
        " OR regexp_matches(app, '[^\\x00-\\x7F]')"  # folded with more care afterwards
        " OR len(list_filter($sdks, lambda s: starts_with(lower(trim(app)), s))) > 0)"
    )
    typed = ", ".join(f"'{each}': 'VARCHAR'" for each in columns)
    return (
        f"SELECT trim(id) AS id, {', '.join(chosen)}, {app if 'app' in columns else 'NULL'}"
        " FROM read_csv($file, auto_detect = false, header = true, delim = ',', quote = '\"',"
        f" columns = {{{typed}}}) GROUP BY trim(id)"
    )


def _several(value: str | list[str] | None) -> tuple[str, ...]:
    return tuple(_split(value)) if isinstance(value, str) else tuple(value or ())


def _split(text: str) -> list[str]:
    """Several names in one cell have semicolons between them."""
    return [part.strip() for part in text.split(";") if part.strip()]


def _none_twice(fleet: str, devices: Sequence[Device], seen: set[str]) -> None:
    for number, device in enumerate(devices, start=len(seen) + 1):
        if device.id in seen:
            raise FleetError(
                fleet, f"device {number} has the id of an earlier one", hint="Keep one of them."
            )
        seen.add(device.id)


def _fault(error: Exception) -> str:
    """What msgspec found, which names types and places and never a value."""
    return str(error) if isinstance(error, msgspec.ValidationError) else "not an object of JSON"
