"""Where an estate keeps its log, its keys and its secret: the state directory.

`<directory of estate.yaml>/.domicile/` (mode 0700) holds `evidence/`, which may be published,
and `keys/`, which must not: `log.key`, `log.vkey` (its public half),
`log.head` (the last head signed), `people.secret`. A log that was moved to an object store
(`relocation.py`) has its address in `keys/log.place`, and the last head seen in `log.seen`.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from domicile.durable.files import sync
from domicile.errors import EvidenceError
from domicile.evidence.bulk import CHECKPOINT, Bulk, bulk_at
from domicile.evidence.commitments import SECRET_SIZE, Commitments
from domicile.evidence.files import Files
from domicile.evidence.head import HeadFile
from domicile.evidence.keys import (
    SigningKey,
    VerifierKey,
    destroy_secret,
    read_secret,
    write_secret,
)
from domicile.evidence.kinds import make
from domicile.evidence.log import LAST_HEAD, LAST_SEEN, Log
from domicile.evidence.note import is_signed_by
from domicile.evidence.reader import LogReader, read_file

STATE = ".domicile"

PLACE = "log.place"
"""The address of a log in an object store; without it the log is in `evidence/`."""

COPIED = "evidence.copied"
"""What is left of `evidence/` when the log moved to an object store."""

NEXT_KEY = "log.key.next"
"""The signing key of a rotation that is under way."""

DESTROYED = "people.destroyed"
"""Marks that the people secret is gone on purpose, so that none is made in its place."""


def state_directory(estate_file: Path) -> Path:
    """The state directory that belongs to an estate's file."""
    return estate_file.absolute().parent / STATE


def evidence_directory(state: Path) -> Path:
    """The log's directory."""
    return state / "evidence"


def log_files(state: Path) -> Bulk:
    """The log's files: at the address in `log.place`, else in the directory `evidence/`.

    Raises UsageError, EvidenceError.
    """
    try:
        return bulk_at((state / "keys" / PLACE).read_text("utf-8").strip())
    except FileNotFoundError:
        return Files(evidence_directory(state))
    except (OSError, ValueError) as e:
        raise EvidenceError(f"cannot read {state / 'keys' / PLACE}: {type(e).__name__}") from e


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
    files = log_files(state)
    with making(state):
        path, public = state / "keys" / "log.key", verifier_path(state)
        if not path.exists():
            if read_file(files, CHECKPOINT) is not None:
                raise EvidenceError(
                    f"{path} is missing, but {files.place} holds a log that was signed with it",
                    hint="restore the key from your backup; or move the log away, to start anew",
                )
            SigningKey.generate(origin_of(estate_name)).save(path)
        if files.shared:
            leave_directory(state)
        _finish_rotation(files, path)
        key = SigningKey.load(path)
        if not public.exists():
            public.write_text(f"{key.verifier}\n", "utf-8")
    origin = origin_of(estate_name)
    if key.name.startswith(f"{origin}/"):  # of a log that succeeded another (`succession.py`)
        origin = key.name
    return Log.open(files, origin=origin, key=key, memory=path.parent)


def leave_directory(state: Path) -> None:
    """Put the directory of a log aside that is in an object store now. The caller holds the lock.

    Raises EvidenceError when something was appended to it after it was copied.
    """
    keys, directory = state / "keys", evidence_directory(state)
    head = keys / LAST_HEAD
    try:
        if head.exists():
            if head.read_bytes() != (keys / LAST_SEEN).read_bytes():
                raise EvidenceError(
                    f"{directory} has entries that came after it was copied to the object store",
                    hint="keep both, and ask for help: nothing was changed",
                )
            head.unlink()  # from here on no process that had it open can append to it
            sync(keys)
        if directory.exists():
            directory.rename(state / COPIED)
            sync(state)
    except OSError as e:
        raise EvidenceError(f"cannot put {directory} aside: {e.strerror}") from e


def rotate_log_key(state: Path, estate_name: str) -> tuple[VerifierKey, int]:
    """Make a new signing key, and let the old one sign it in and go; the new key, and the index
    of the entry that both signed.

    Stopped anywhere, the log has the old key or the new one, and the next `open_log` keeps the
    right one. `log.vkey` stays the first key: verifiers follow the others from it.

    Raises EvidenceError, Stopped.
    """
    log = open_log(state, estate_name)
    path = state / "keys" / "log.key"
    following = path.with_name(NEXT_KEY)
    with making(state):
        if following.exists():  # of a rotation that did not come to its entry
            following.unlink()
        new = SigningKey.generate(log.head.origin)
        new.save(following)
        index = log.rotate(new, estate_name)
        _finish_rotation(log_files(state), path)
    return new.verifier, index


def _finish_rotation(files: Bulk, path: Path) -> None:
    """Put the next key in its place when the head is signed with it. The caller holds the lock."""
    following = path.with_name(NEXT_KEY)
    if not following.exists():
        return
    new = SigningKey.load(following).verifier
    try:
        head = files.head() or HeadFile(Files(path.parent), LAST_HEAD)
        notes = (files.read(CHECKPOINT), head.read())
        if not any(is_signed_by(note, new) for note in notes if note is not None):
            return
        following.rename(path)  # and with it the old key is gone
        sync(path.parent)
    except OSError as e:
        raise EvidenceError(f"cannot put {following} in its place: {e.strerror}") from e


def read_log(state: Path) -> LogReader:
    """Open a log to read, with its public key alone. Raises EvidenceError when there is none."""
    return LogReader(log_files(state), VerifierKey.load(verifier_path(state)))


def open_commitments(
    state: Path, *, use: str = "person", generation: int | None = None
) -> Commitments:
    """The estate's commitments; the secret is made when there is none yet.

    `generation` is that of an earlier secret; the newest when it is left out.

    Raises EvidenceError when the secret has a wrong mode, was destroyed, or never was.
    """
    path = people_secret(state, generation)
    with making(state):
        if (state / "keys" / DESTROYED).exists():
            raise EvidenceError(
                f"{path} was destroyed: the log's commitments name nobody any more",
                hint="start a new log in a new state directory",
            )
        if not path.exists() and generation in (None, generations(state)):
            write_secret(path, os.urandom(SECRET_SIZE))
    return Commitments.load(path, use=use)


def open_secret(state: Path, name: str) -> bytes:
    """32 random bytes of the estate under that name in `keys/`; made when there are none yet.

    Raises EvidenceError when the file has a wrong mode.
    """
    path = state / "keys" / name
    with making(state):
        if not path.exists():
            write_secret(path, os.urandom(SECRET_SIZE))
    return read_secret(path)


def destroy_commitments(state: Path) -> None:
    """Destroy the people secret for good: no commitment can be tied to anyone afterwards.

    Copies of the key in backups must be destroyed too. Raises EvidenceError.
    """
    with making(state):
        (state / "keys" / DESTROYED).touch(mode=0o600)  # first: no new secret in its place
        for path in sorted((state / "keys").glob("people.secret*")):
            destroy_secret(path)


def people_secret(state: Path, generation: int | None = None) -> Path:
    """The file of a generation's secret; the newest has no number."""
    name = "people.secret"
    newest = generation is None or generation == generations(state)
    return state / "keys" / (name if newest else f"{name}.{generation}")


def generations(state: Path) -> int:
    """How often the people secret was rotated: the generation of the newest."""
    return sum(1 for _ in (state / "keys").glob("people.secret.[0-9]*"))


def rotate_commitments(state: Path, estate_name: str) -> int:
    """Let new commitments derive from a new secret; its generation, which the log says.

    The older ones stay, for the receipts of trees that were made with them. Raises EvidenceError.
    """
    open_commitments(state)
    with making(state):
        path, generation = people_secret(state), generations(state)
        write_secret(path.with_name(f"people.secret.{generation}"), read_secret(path))
        following = path.with_name(".people.secret.next")
        following.unlink(missing_ok=True)
        write_secret(following, os.urandom(SECRET_SIZE))
        following.rename(path)
        sync(path.parent)
    entry = make("commitment_key", estate_name, event="rotated", generation=generation + 1)
    open_log(state, estate_name).append([entry])
    return generation + 1


@contextmanager
def making(state: Path) -> Iterator[None]:
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
