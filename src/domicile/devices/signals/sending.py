"""Sends events: pushed over HTTP (RFC 8935), each until it is taken (202), or refused for good.

What does not answer is tried again, after longer and longer; what waits behind keeps its order.
Of several decision points of one estate only one sends, the one that holds the lock.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import httpx
import msgspec

from domicile.devices.exchange import NO_JSON
from domicile.devices.inventory.http import trust
from domicile.devices.record import DeviceRecord
from domicile.devices.send import variable
from domicile.devices.signals.outbox import Outbox, Waiting
from domicile.devices.signals.token import PrivateKey, sign
from domicile.errors import Stopped
from domicile.estate.model import SignalTarget
from domicile.evidence import kinds, place

SECONDS = 10.0
"""For one event and its whole answer: a target that drips does not keep the others waiting."""

MAX_ANSWER = 64 * 1024
"""Bytes of an answer that are read: an error of RFC 8935 has a few hundred."""

BATCH = 50
FIRST_WAIT, LONGEST_WAIT = 1.0, 300.0


class _Refusal(msgspec.Struct):
    err: str = "other"


class Sender:
    """Sends what changed to every target of an estate."""

    def __init__(
        self, state: Path, estate: str, issuer: str, targets: Sequence[SignalTarget],
        key: PrivateKey, algorithm: str, warn: Callable[[str], None],
    ) -> None:  # fmt: skip
        """Raises UsageError when a secret is not set; Stopped."""
        self._state, self._estate, self._issuer = state, estate, issuer
        self._targets, self._key, self._algorithm = targets, key, algorithm
        self._secrets = {each.to: variable(each.secret) for each in targets if each.secret}
        self._warn = warn
        self._outbox = Outbox(state)
        self._lock = os.open(state / "signals.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        self._again: dict[str, tuple[float, float]] = {}  # target: not before, and the next wait
        self._client: httpx.AsyncClient | None = None

    def close(self) -> None:
        """Let go of the file and the lock."""
        self._outbox.close()
        os.close(self._lock)

    async def turn(self, record: DeviceRecord, now: datetime) -> None:
        """Make events of what changed, and send what waits. Raises Stopped, EvidenceError."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        self._outbox.fill(record, [each.to for each in self._targets], now)
        for target in self._targets:
            if time.monotonic() >= self._again.get(target.to, (0.0, 0.0))[0]:
                while await self._send(target):
                    pass

    async def _send(self, target: SignalTarget) -> bool:
        """Send a batch; whether there may be more that can be sent now."""
        waiting = self._outbox.waiting(target.to, BATCH)
        if not waiting:
            return False
        done: list[tuple[Waiting, str]] = []
        try:
            for each in waiting:
                code = await self._push(target, each)
                done.append((each, code))
            self._again.pop(target.to, None)
        except Stopped as error:
            _, wait = self._again.get(target.to, (0.0, FIRST_WAIT))
            self._again[target.to] = (time.monotonic() + wait, min(2 * wait, LONGEST_WAIT))
            self._warn(str(error))
        self._log(target, done)
        self._outbox.remove(each for each, _ in done)
        return len(done) == BATCH

    async def _push(self, target: SignalTarget, event: Waiting) -> str:
        """Push one; empty when it was taken, else the error for which it never will be.

        Raises Stopped when it is to be tried again.
        """
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=SECONDS, verify=trust())
        token = sign(
            self._key, self._algorithm, issuer=self._issuer, audience=target.audience,
            jti=event.jti, device=event.place[1], status=event.status, previous=event.previous,
            mandate=event.mandate, at=event.at,
        )  # fmt: skip
        headers = {"Content-Type": "application/secevent+jwt", "Accept": "application/json",
                   "Accept-Encoding": "identity"}  # fmt: skip
        if target.to in self._secrets:
            headers["Authorization"] = f"Bearer {self._secrets[target.to]}"
        try:
            status, said = await _post(self._client, target.url, token, headers)
        except (httpx.HTTPError, TimeoutError):
            raise self._away(target, "does not answer") from None
        if status == 202:
            return ""
        if status != 400:
            raise self._away(target, f"answers {status}, expected 202")
        try:
            code = msgspec.json.decode(said, type=_Refusal).err
        except NO_JSON:
            code = "other"
        if code in ("authentication_failed", "access_denied", "invalid_key"):
            # Of who we are, not of this event: it counts once our key is known there.
            raise self._away(target, f"refuses our events: {code}")
        return code if code in kinds.SIGNAL_ERRORS else "other"

    def _away(self, target: SignalTarget, said: str) -> Stopped:
        return Stopped(f"{target.to} {said}: events wait, and are sent again")

    def _log(self, target: SignalTarget, done: Sequence[tuple[Waiting, str]]) -> None:
        """What was sent, in the log before it is forgotten."""
        groups: defaultdict[tuple[str, str], list[Waiting]] = defaultdict(list)
        for each, code in done:
            groups[each.status, code].append(each)
        if not groups:
            return
        of_devices = place.open_commitments(self._state, use="device")
        place.open_log(self._state, self._estate).append([
            kinds.make(
                "device_signals", self._estate, direction="sent", party=target.to, status=status,
                outcome="failed" if code else "done", error=code or None, count=len(events),
                commitments=of_devices.people("device", ["\n".join(e.place) for e in events]),
            )
            for (status, code), events in groups.items()
        ])  # fmt: skip


async def _post(
    client: httpx.AsyncClient, url: str, token: str, headers: Mapping[str, str]
) -> tuple[int, bytes]:
    """Status and the beginning of the answer. Raises httpx.HTTPError, TimeoutError."""
    body = bytearray()
    async with (
        asyncio.timeout(SECONDS),
        client.stream("POST", url, content=token, headers=headers) as answer,
    ):
        async for part in answer.aiter_raw():
            body += part
            if len(body) > MAX_ANSWER:
                break
    return answer.status_code, bytes(body)
