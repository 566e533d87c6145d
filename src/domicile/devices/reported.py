"""Devices of which another system says that they do not comply (CAEP)."""

from __future__ import annotations

from domicile.devices.record import DeviceRecord, Place
from domicile.estate.model import Signals


def not_compliant(record: DeviceRecord, signals: Signals | None) -> set[Place]:
    """The devices of which a declared source says so, within the fleets of which it may speak."""
    found: set[Place] = set()
    for source in signals.sources if signals else ():
        found |= {
            (fleet, id_)
            for fleet, id_ in record.connection.execute(
                "SELECT a.fleet, a.id FROM reported AS r JOIN alias AS a ON a.name = r.device"
                " WHERE r.issuer = ? AND r.status = 'not-compliant'",
                (source.issuer,),
            )
            if not source.fleets or fleet in source.fleets
        }
    return found
