"""A witness (c2sp.org/tlog-witness): cosigns heads of logs it watches, each only if it extends the
last one. Its state is one head a log, swapped before the answer is given; a refusal that shows a
log's misbehaviour is kept as it was received.
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path

from domicile.errors import EvidenceError
from domicile.evidence.files import Files
from domicile.evidence.head import HeadFile, HeadMoved
from domicile.evidence.keys import SigningKey, VerifierKey
from domicile.evidence.merkle import EMPTY_ROOT, is_consistent
from domicile.evidence.note import Checkpoint, cosignatures, open_note, parse_note
from domicile.evidence.proof import decode_hash

MAX_REQUEST = 64_000
"""Bytes of the largest request: 63 hashes and a checkpoint are under 8,000."""

MAX_PROOF = 63
"""Lines of the longest proof (tlog-witness, add-checkpoint)."""

KEPT = 1000
"""Refused heads of a kind that are kept, the first of them."""

_SIZE = re.compile(r"old (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True)
class Answer:
    """What the witness says: an HTTP status, the content type, the body."""

    status: HTTPStatus
    body: str = ""
    type: str = "text/plain; charset=utf-8"


class Witness:
    """One witness, with its key, its state in a directory, and the logs that it watches."""

    def __init__(
        self, key: SigningKey, directory: Path, logs: Sequence[VerifierKey],
        clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        """`logs` are the keys of logs, whose names are their origins; a log may have several."""
        self.key = key
        self._logs = logs
        self._clock = clock
        self._files = Files(directory)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def add_checkpoint(self, request: bytes) -> Answer:
        """Answer an add-checkpoint request. Raises OSError when the state cannot be written."""
        try:
            old, path, note = _parse(request)
            text = parse_note(note).text
            head = Checkpoint.parse(text)
        except EvidenceError as e:
            return Answer(HTTPStatus.BAD_REQUEST, f"{e.message}\n")
        keys = [key for key in self._logs if key.name == head.origin]
        if not keys:
            return Answer(HTTPStatus.NOT_FOUND, "unknown log\n")
        try:
            open_note(note, keys)
        except EvidenceError:
            return Answer(HTTPStatus.FORBIDDEN, "not signed by a trusted key of this log\n")
        if old > head.size:
            return Answer(HTTPStatus.BAD_REQUEST, "the old size is above the checkpoint's\n")
        try:
            return self._cosign(old, path, text, head, request)
        except HeadMoved:  # another request moved it: as if this one had come after that
            return self._cosign(old, path, text, head, request)

    def _cosign(
        self, old: int, path: Sequence[bytes], text: str, head: Checkpoint, request: bytes
    ) -> Answer:
        name = sha256(head.origin.encode()).hexdigest()[:32]
        store = HeadFile(self._files, f"{name}.head")
        before = store.read()
        last, since = Checkpoint(head.origin, 0, EMPTY_ROOT), 0
        if before is not None:
            last = Checkpoint.parse(parse_note(before).text)
            since = max(cosignatures(before, [self.key.verifier]).values(), default=0)
        if old != last.size:
            if head.size < last.size:
                self._keep(name, "older", head, request)
            return Answer(HTTPStatus.CONFLICT, f"{last.size}\n", "text/x.tlog.size")
        if head.size == last.size and head.root != last.root:
            self._keep(name, "fork", head, request)
            return Answer(HTTPStatus.CONFLICT, f"{last.size}\n", "text/x.tlog.size")
        if not is_consistent(old, head.size, last.root, head.root, path):
            self._keep(name, "unproved", head, request)
            return Answer(HTTPStatus.UNPROCESSABLE_ENTITY, "the proof does not verify\n")
        now = int(self._clock())
        if now < since:
            return Answer(HTTPStatus.SERVICE_UNAVAILABLE, "the clock of this witness went back\n")
        signature = self.key.verifier.id + self.key.cosign(text, now)
        line = f"— {self.key.name} {base64.b64encode(signature).decode()}\n"
        store.swap(before, f"{text}\n{line}".encode())
        return Answer(HTTPStatus.OK, line)

    def _keep(self, name: str, what: str, head: Checkpoint, request: bytes) -> None:
        """Keep a refused request with a head that the log signed, once for each head.

        Only `fork` proves by itself that the log misbehaved: two heads of one size. Anybody may
        send a log's older head again, or one with a wrong proof, so those never crowd it out.
        """
        prefix = f"{name[:8]}-{what}-"
        kept = [each for each in self._files.names("refused") if each.startswith(prefix)]
        path = f"{prefix}{sha256(head.text.encode()).hexdigest()[:16]}.txt"
        if path not in kept and len(kept) < KEPT:
            self._files.replace(f"refused/{path}", request)


def _parse(request: bytes) -> tuple[int, list[bytes], bytes]:
    """Old size, proof and note of a request. Raises EvidenceError."""
    start, blank, note = request.partition(b"\n\n")
    lines = start.decode("ascii", "replace").split("\n")
    size = _SIZE.fullmatch(lines[0])
    if size is None or not blank:
        raise EvidenceError("expected 'old SIZE', hashes, a blank line and a checkpoint")
    if len(lines) - 1 > MAX_PROOF:
        raise EvidenceError(f"{len(lines) - 1} hashes, expected at most {MAX_PROOF}")
    return int(size[1]), [decode_hash(line) for line in lines[1:]], note
