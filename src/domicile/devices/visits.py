"""The owner's page is reached by a link that only the owner was sent.

The link holds 32 random bytes, of which only the hash is kept; it ends after 90 days.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from hashlib import sha256

from domicile.devices.record import DeviceRecord

DAYS = 90


def invite(record: DeviceRecord, owners: list[str], now: datetime) -> dict[str, str]:
    """A new link for each of these owners: the last part of its path. Durable on return."""
    links = {owner: secrets.token_urlsafe(32) for owner in owners}
    until = (now + timedelta(days=DAYS)).timestamp()
    with record.transaction():
        record.connection.execute("DELETE FROM visit WHERE until < ?", (now.timestamp(),))
        record.connection.executemany(
            "INSERT INTO visit VALUES (?, ?, ?)",
            ((_hash(token), owner, until) for owner, token in links.items()),
        )
    return links


def visitor(record: DeviceRecord, token: str, now: datetime) -> str:
    """The owner who holds this link; empty for one that was never sent, or has ended."""
    row = record.connection.execute(
        "SELECT owner FROM visit WHERE token = ? AND until > ?", (_hash(token), now.timestamp())
    ).fetchone()
    return str(row[0]) if row else ""


def _hash(token: str) -> bytes:
    return sha256(token.encode()).digest()
