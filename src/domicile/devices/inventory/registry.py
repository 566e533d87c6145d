"""Which inventory reads which kind of source."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from domicile.devices.ban import Ban
from domicile.devices.inventory.base import Inventory, MakeInventory
from domicile.estate.model import Fleet


def _csv(fleet: Fleet, ban: Ban, state: Path, now: datetime) -> Inventory:
    from domicile.devices.inventory.files import CsvInventory

    return CsvInventory(fleet, ban)


def _json(fleet: Fleet, ban: Ban, state: Path, now: datetime) -> Inventory:
    from domicile.devices.inventory.files import JsonInventory

    return JsonInventory(fleet, ban)


def _graph(fleet: Fleet, ban: Ban, state: Path, now: datetime) -> Inventory:
    from domicile.devices.inventory.graph import GraphInventory

    return GraphInventory(fleet, ban)


def _fleet(fleet: Fleet, ban: Ban, state: Path, now: datetime) -> Inventory:
    from domicile.devices.inventory.fleet import FleetInventory

    return FleetInventory(fleet, ban)


def _android(fleet: Fleet, ban: Ban, state: Path, now: datetime) -> Inventory:
    from domicile.devices.inventory.android import AndroidInventory

    return AndroidInventory(fleet, ban)


def _nanomdm(fleet: Fleet, ban: Ban, state: Path, now: datetime) -> Inventory:
    from domicile.devices.inventory.nanomdm import NanomdmInventory

    return NanomdmInventory(fleet, ban, state, now)


SOURCES: dict[str, MakeInventory] = {
    "csv": _csv, "json": _json, "graph": _graph, "fleet": _fleet, "android": _android,
    "nanomdm": _nanomdm,
}  # fmt: skip
"""By the `source` of a fleet; each imports what it needs when it is asked for."""


def open_inventory(fleet: Fleet, ban: Ban, state: Path, now: datetime) -> Inventory:
    """The inventory of a fleet; what it must remember between runs it keeps in `state`.

    Raises FleetError when its secret is missing.
    """
    return SOURCES[fleet.source](fleet, ban, state, now)
