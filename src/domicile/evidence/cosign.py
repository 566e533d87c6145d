"""Asking witnesses to cosign the log's head, and keeping what they say."""

from __future__ import annotations

import base64
import http.client
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass

from domicile.errors import EvidenceError
from domicile.evidence.fields import MAX_INTEGER
from domicile.evidence.keys import VerifierKey
from domicile.evidence.kinds import make
from domicile.evidence.log import Log
from domicile.evidence.note import cosignatures

TIMEOUT = 20
"""Seconds that a witness has for one answer."""


_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class _Stay(urllib.request.HTTPRedirectHandler):
    """A witness answers itself, and sends us nowhere else."""

    def redirect_request(self, *_: object) -> None:
        """None: the redirection is the answer."""


_OPENER = urllib.request.build_opener(_Stay)


@dataclass(frozen=True)
class Asked:
    """What one witness answered: `time` in seconds since 1970 when it cosigned, else a word of
    `kinds.ANSWERS`, and the size that it knows when it said so."""

    name: str
    key: VerifierKey
    time: int = 0
    refused: str = ""
    known_size: int | None = None


def cosign(log: Log, estate: str, witnesses: Sequence[tuple[str, VerifierKey, str]]) -> list[Asked]:
    """Ask each witness (name, key, URL) for its cosignature of the head; what each answered.

    The head is published again with the cosignatures; refusals are recorded as entries. Raises
    EvidenceError, Stopped when the log itself cannot be read or written.
    """
    log.refresh()
    head, note = log.head, log.checkpoint()
    keys = [key for _, key, _ in witnesses]
    lines, answers = [], []
    for name, key, url in witnesses:
        asked, line = _ask(log, head.size, note, name, key, url)
        answers.append(asked)
        lines.append(line)
    if any(lines):
        note = _bare(note) + "".join(lines)
        there = {str(k) for k in cosignatures(note.encode(), keys)}
        assert there == {str(a.key) for a in answers if not a.refused}  # each was checked
        log.publish(note)
    refusals = [
        make(
            "witness_refused", estate, witness=str(a.key), size=head.size, answer=a.refused,
            known_size=a.known_size,
        )
        for a in answers
        if a.refused
    ]  # fmt: skip
    if refusals:
        log.append(refusals)
    return answers


def _bare(note: str) -> str:
    """The note with the log's own signature only."""
    text, _, lines = note.rpartition("\n\n")
    return f"{text}\n\n{lines.splitlines()[0]}\n"


def _ask(
    log: Log, size: int, note: str, name: str, key: VerifierKey, url: str
) -> tuple[Asked, str]:
    """One witness: first as if it knew nothing, then from the size that it names."""
    old = 0
    for _ in range(3):  # another request may move its head meanwhile
        path = log.consistency(old).path if old else ()
        proof = "".join(base64.b64encode(p).decode() + "\n" for p in path)
        status, said = _post(url, f"old {old}\n{proof}\n{_bare(note)}")
        if status == 409:
            known = int(said) if _SIZE.fullmatch(said.strip()) else -1
            if known > MAX_INTEGER:
                return Asked(name, key, refused="wrong"), ""
            if known > size:
                return Asked(name, key, refused="rollback", known_size=known), ""
            if known in (-1, old):
                return Asked(name, key, refused="fork"), ""
            old = known
            continue
        if status != 200:
            refused = {403: "not_trusted", 404: "unknown_log", 422: "fork", 0: "unreachable"}
            return Asked(name, key, refused=refused.get(status, "wrong")), ""
        for line in said.splitlines():
            try:
                times = cosignatures(f"{_bare(note)}{line}\n".encode(), [key])
            except EvidenceError:
                break
            if key in times:
                return Asked(name, key, time=times[key]), f"{line}\n"
        return Asked(name, key, refused="wrong"), ""
    return Asked(name, key, refused="stale", known_size=old), ""


def _post(url: str, body: str) -> tuple[int, str]:
    """Status and body of the answer; 0 when there is none within TIMEOUT, all in all."""
    answers: list[tuple[int, str]] = []
    asking = threading.Thread(target=lambda: answers.append(_send(url, body)), daemon=True)
    asking.start()
    asking.join(TIMEOUT)  # a socket's own timeout starts again with every byte
    return answers[0] if answers else (0, "")


def _send(url: str, body: str) -> tuple[int, str]:
    target = f"{url.rstrip('/')}/add-checkpoint"
    if not target.startswith(("http://", "https://")):
        return 0, ""
    request = urllib.request.Request(target, body.encode(), method="POST")  # noqa: S310 - see above
    try:
        with _OPENER.open(request, timeout=TIMEOUT) as answer:
            return answer.status, answer.read(10_000).decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read(100).decode("utf-8", "replace")
    except (OSError, ValueError, http.client.HTTPException):
        return 0, ""
