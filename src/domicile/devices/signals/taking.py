"""Takes events that others push (RFC 8935): whether a device complies, as its issuer says.

What is said is in the log before it counts, and it counts where a clause relies on compliance. It
never lets anybody in: `compliant` only ends what the same issuer said before.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec

from domicile.devices.exchange import JSON, Asked, TooLongError
from domicile.devices.record import DeviceRecord
from domicile.devices.signals.token import Event, RefusedTokenError, read_keys, verify
from domicile.errors import DomicileError
from domicile.estate.model import SignalSource
from domicile.evidence import kinds, place

KIND = b"application/secevent+jwt"

MINUTE = 60.0
"""Seconds between entries about what was refused: anybody may push, and the log is for ever."""


class Taker:
    """Who is believed, and what they said."""

    def __init__(
        self, state: Path, estate: str, audience: str, sources: tuple[SignalSource, ...],
        clock: Callable[[], datetime],
    ) -> None:  # fmt: skip
        """Raises DeclarationError when an issuer's keys cannot be read."""
        self._state, self._estate, self._audience, self._clock = state, estate, audience, clock
        self._sources = {each.issuer: each for each in sources}
        self._keys = {each.issuer: read_keys(Path(each.keys)) for each in sources}
        self._read = {each.keys: _written(each.keys) for each in sources}
        self._refused: Counter[str] = Counter()
        self._next = 0.0  # of the monotonic clock: not before, what was refused is logged

    def refresh(self) -> None:
        """Read keys again whose file was replaced. Raises DeclarationError; then the old hold."""
        for each in self._sources.values():
            written = _written(each.keys)
            if written != self._read[each.keys]:
                self._keys[each.issuer] = read_keys(Path(each.keys))
                self._read[each.keys] = written

    async def answer(self, asked: Asked) -> None:
        """Answer one push: 202 when it was taken, 400 with `err` when it was not."""
        if asked.method != "POST":
            await asked.reply(405, b"push with POST\n")
            return
        try:
            kind = asked.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
            if kind != KIND:
                raise RefusedTokenError("invalid_request", f"the body must be {KIND.decode()}")
            text = (await asked.body()).strip()
            event = verify(text, self._keys, self._audience, self._clock())
            if event is not None:
                await asyncio.to_thread(self._take, event)
        except RefusedTokenError as refused:
            self._refused[refused.code] += 1
            body = msgspec.json.encode({"err": refused.code, "description": refused.description})
            await asked.reply(400, body, JSON, (b"content-language", b"en"))
        except TooLongError:
            await asked.reply(413, b"too long\n")
        except DomicileError:  # it could not be kept: it is to be sent again
            await asked.reply(503, b"try again later\n")
        else:
            await asked.reply(202, b"")

    def _take(self, event: Event) -> None:
        """Keep what was said. Raises RefusedTokenError for what was taken before, Stopped."""
        record = DeviceRecord(self._state)
        try:
            with record.transaction():
                execute = record.connection.execute
                if execute(
                    "SELECT 1 FROM taken WHERE issuer = ? AND jti = ?", (event.issuer, event.jti)
                ).fetchone():
                    raise RefusedTokenError("invalid_request", "this jti was taken before")
                now = self._clock().timestamp()
                execute("DELETE FROM taken WHERE until < ?", (now,))
                execute("INSERT INTO taken VALUES (?, ?, ?)",
                        (event.issuer, event.jti, event.until.timestamp()))  # fmt: skip
                # The latest that an issuer said of a device holds, in whatever order it comes.
                execute(
                    "INSERT INTO reported VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
                    " SET status = excluded.status, at = excluded.at WHERE excluded.at > at"
                    " OR (excluded.at = at AND excluded.status = 'not-compliant')",
                    (event.issuer, event.device, event.status, event.at.timestamp()),
                )
                source = self._sources[event.issuer]
                devices = [
                    f"{fleet}\n{id_}"
                    for fleet, id_ in execute(
                        "SELECT fleet, id FROM alias WHERE name = ?", (event.device,)
                    )
                    if not source.fleets or fleet in source.fleets
                ]
                of_devices = place.open_commitments(self._state, use="device")
                place.open_log(self._state, self._estate).append([
                    kinds.make(
                        "device_signals", self._estate, direction="taken", outcome="done",
                        party=source.name, status=event.status, count=1,
                        commitments=of_devices.people("device", devices),
                    )
                ])  # fmt: skip
        finally:
            record.close()

    def write(self, *, last: bool = False) -> None:
        """Write how many were refused since into the log, once a `MINUTE`, and at the end.

        Raises EvidenceError, Stopped; then they are counted still.
        """
        if not self._refused or (time.monotonic() < self._next and not last):
            return
        refused, self._refused = self._refused, Counter()
        try:
            place.open_log(self._state, self._estate).append([
                kinds.make("device_signals", self._estate, direction="taken", outcome="failed",
                           error=code, count=count)
                for code, count in sorted(refused.items())
            ])  # fmt: skip
        except BaseException:
            self._refused.update(refused)
            raise
        self._next = time.monotonic() + MINUTE


def _written(file: str) -> int:
    try:
        return Path(file).stat().st_mtime_ns
    except OSError:
        return 0
