"""Where an estate keeps its log, its keys and its secret: the state directory.

`<directory of estate.yaml>/.domicile/` (mode 0700) holds `evidence/`, which may be published,
and `keys/`, which must not: `log.key`, `log.vkey` (its public half),
`log.head` (the last head signed), `people.secret`.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from domicile.errors import EvidenceError
from domicile.evidence.commitments import SECRET_SIZE, Commitments
from domicile.evidence.keys import SigningKey, VerifierKey, destroy_secret, write_secret
from domicile.evidence.log import Log
from domicile.evidence.reader import CHECKPOINT, LogReader

STATE = ".domicile"

DESTROYED = "people.destroyed"
"""Marks that the people secret is gone on purpose, so that none is made in its place."""


def state_directory(estate_file: Path) -> Path:
    """The state directory that belongs to an estate's file."""
    return estate_file.absolute().parent / STATE


def evidence_directory(state: Path) -> Path:
    """The log's directory."""
    return state / "evidence"


def verifier_path(state: Path) -> Path:
    """The file with the log's verifier key."""
    return state / "keys" / "log.vkey"


def origin_of(estate_name: str) -> str:
    """The origin of an estate's log: `domicile/video-store`, odd characters percent-encoded."""
    return "domicile/" + quote(estate_name, safe="")


def open_log(state: Path, estate_name: str) -> Log:
    """Open the estate's log; the directories, the key and the log are made when missing.

    Raises EvidenceError: a key is gone although a log is there, has a wrong mode, or the log
    does not verify. Raises Stopped when nothing can be written.
    """
    directory = evidence_directory(state)
    with _making(state):
        path, public = state / "keys" / "log.key", verifier_path(state)
        if not path.exists():
            if (directory / CHECKPOINT).exists():
                raise EvidenceError(
                    f"{path} is missing, but {directory} holds a log that was signed with it",
                    hint="restore the key from your backup; or move the log away, to start anew",
                )
            SigningKey.generate(origin_of(estate_name)).save(path)
        key = SigningKey.load(path)
        if not public.exists():
            public.write_text(f"{key.verifier}\n", "utf-8")
    return Log.open(directory, origin=origin_of(estate_name), key=key, memory=path.parent)


def read_log(state: Path, *, directory: Path | None = None) -> LogReader:
    """Open a log to read, with its public key alone. Raises EvidenceError when there is none."""
    directory = directory or evidence_directory(state)
    return LogReader(directory, VerifierKey.load(verifier_path(state)))


def open_commitments(state: Path, *, use: str = "person") -> Commitments:
    """The estate's commitments; the secret is made when there is none yet.

    Raises EvidenceError when the secret has a wrong mode, or was destroyed.
    """
    path = state / "keys" / "people.secret"
    with _making(state):
        if (state / "keys" / DESTROYED).exists():
            raise EvidenceError(
                f"{path} was destroyed: the log's commitments name nobody any more",
                hint="start a new log in a new state directory",
            )
        if not path.exists():
            write_secret(path, os.urandom(SECRET_SIZE))
    return Commitments.load(path, use=use)


def destroy_commitments(state: Path) -> None:
    """Destroy the people secret for good: no commitment can be tied to anyone afterwards.

    Copies of the key in backups must be destroyed too. Raises EvidenceError.
    """
    path = state / "keys" / "people.secret"
    with _making(state):
        (state / "keys" / DESTROYED).touch(mode=0o600)  # first: no new secret in its place
        if path.exists():
            destroy_secret(path)


@contextmanager
def _making(state: Path) -> Iterator[None]:
    """Make the state's directories, and be alone while keys are made in them."""
    keys = state / "keys"
    try:
        for directory in (state, keys):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(keys / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as e:
        raise EvidenceError(f"cannot use {state}: {e.strerror}") from e
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
