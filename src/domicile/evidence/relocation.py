"""Moving a log from its directory to an object store: copied, read back, and only then bound there.

The address is kept beside the key, not in the estate: an address that somebody changes by mistake
would begin a second history under the same key.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from domicile.durable.files import write_whole
from domicile.errors import EvidenceError, Stopped, UsageError
from domicile.evidence import place
from domicile.evidence.bulk import Bulk, bulk_at
from domicile.evidence.keys import VerifierKey
from domicile.evidence.log import LAST_SEEN
from domicile.evidence.reader import COSIGNED
from domicile.evidence.verify import fsck

AT_ONCE = 16
"""Files that are copied at the same time."""


def relocate(state: Path, estate_name: str, url: str) -> int:
    """Move the estate's log to `s3://BUCKET/PREFIX`; how many entries it has.

    Stopped half-way, run it again. Raises UsageError: the
    address is none, the log is in an object store already, or another log is there; EvidenceError:
    the copy does not verify; Stopped: something cannot be read or written.
    """
    target = bulk_at(url)
    if not target.shared:
        raise UsageError(f"{url} is no object store", hint="give s3://BUCKET/PREFIX")
    source = place.log_files(state)
    if source.shared:
        raise UsageError(
            f"the log is in an object store already, at {source.place}",
            hint="copy it with the store's own tools; the address is in .domicile/keys/log.place",
        )
    log = place.open_log(state, estate_name)
    keys = state / "keys"
    try:
        with place.making(state), source.writer():
            log.refresh()
            note = log.checkpoint().encode()
            head = target.head()
            assert head is not None  # every object store has one
            there = head.read()
            if there is None:
                _copy(source, target)
                target.publish(source.read("checkpoint") or note)
            elif there != note:
                raise UsageError(
                    f"there is a log at {target.place} already",
                    hint="give a prefix that is empty",
                )
            wrong = [f for f in fsck(target, VerifierKey.load(place.verifier_path(state)))
                     if f.fails]  # fmt: skip
            if wrong:
                raise EvidenceError(
                    f"the copy at {target.place} does not verify: {wrong[0]}",
                    hint="was the prefix empty? the log is where it was",
                )
            if there is None:
                head.swap(None, note)
            write_whole(keys / LAST_SEEN, note)
            write_whole(keys / place.PLACE, f"{target.place}\n".encode())
            place.leave_directory(state)
    except OSError as e:
        raise Stopped(
            f"cannot move the log to {target.place}: {e.strerror or type(e).__name__}",
            hint="the log is where it was; mend that, and run the same command again",
        ) from e
    return log.size


def _copy(source: Bulk, target: Bulk) -> None:
    """Copy every file of a log but the checkpoint, some at a time."""

    def copy(path: str) -> None:
        content = source.read(path)
        if content is not None:
            target.replace(path, content)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        paths = (path for below in ("tile", COSIGNED) for path in source.tree(below))
        while some := list(islice(paths, 4 * AT_ONCE)):
            for _ in pool.map(copy, some):
                pass
