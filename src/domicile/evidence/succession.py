"""A new log in the place of one whose key was lost or stolen: it begins by naming the old one.

Nobody can sign the old log any more, or somebody else can too. It is kept as it is, beside the new
one; the new one has a name of its own (`domicile/estate/2`), so that no witness takes it for a
rollback of the old, and its first entry holds the old key and the last head that we know.
"""

from __future__ import annotations

from pathlib import Path

from domicile.durable.files import sync, write_whole
from domicile.errors import EvidenceError
from domicile.evidence import place
from domicile.evidence.bulk import bulk_at
from domicile.evidence.files import Files
from domicile.evidence.keys import SigningKey, VerifierKey
from domicile.evidence.kinds import make
from domicile.evidence.log import LAST_HEAD, LAST_SEEN
from domicile.evidence.reader import LogReader

MOVED = ("log.key", place.NEXT_KEY, LAST_HEAD, LAST_SEEN, place.PLACE, "log.vkey")
"""What belongs to a log's key; `log.vkey` last, for it says that the rest is done."""


def succeed(state: Path, estate_name: str, cause: str) -> VerifierKey:
    """End the log and begin the next; its first verifier key. `cause` is `lost` or `stolen`.

    Stopped half-way, run again: it goes on where it was. Raises EvidenceError when the old log
    does not verify, Stopped when nothing can be written.
    """
    keys = state / "keys"
    number = 1 + sum(1 for _ in keys.glob("log.vkey.[0-9]*"))
    old_key = keys / "log.vkey"
    if not old_key.exists() and number > 1:  # stopped after everything was put aside
        number -= 1
        old_key = keys / f"log.vkey.{number}"
    there, aside = place.evidence_directory(state), state / f"evidence.{number}"
    address, before = keys / place.PLACE, keys / f"{place.PLACE}.{number}"
    if not old_key.exists():
        raise EvidenceError(f"{old_key} is missing: it says which log ends", hint="restore it")
    try:
        far = next((f for f in (before, address) if f.exists()), None)
        if far is not None:
            files = bulk_at(far.read_text("utf-8").strip())
        else:
            files = Files(aside if aside.exists() else there)
        old = LogReader(files, VerifierKey.load(old_key))
        head = old.head
        successor = keys / "log.key.successor"
        if not successor.exists() and old_key.name == "log.vkey":
            name = f"{place.origin_of(estate_name)}/{number + 1}"
            SigningKey.generate(name).save(successor)
        if far is None and not aside.exists():
            there.rename(aside)
        for name in MOVED:
            if (keys / name).exists() and old_key.name == "log.vkey":
                (keys / name).rename(keys / f"{name}.{number}")
        if before.exists() and not address.exists():  # the new log begins beside the old one
            base = files.place.removesuffix(f".{number}") if number > 1 else files.place
            write_whole(address, f"{base}.{number + 1}\n".encode())
        if successor.exists():
            successor.rename(keys / "log.key")
        sync(keys)
        sync(state)
    except OSError as e:
        raise EvidenceError(f"cannot begin a new log in {state}: {e.strerror}") from e
    log = place.open_log(state, estate_name)
    entry = make(
        "succession", estate_name, old_key=str(old.verifier), size=head.size,
        root=f"sha256:{head.root.hex()}", cause=cause,
    )  # fmt: skip
    log.append([entry])
    return log.verifier
