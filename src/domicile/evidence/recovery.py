"""What a writer does before it trusts a log: head, checkpoint and tiles brought together.

Three places say how far a log goes: the head (kept apart), the checkpoint (published after it),
and the tiles (written before it). After a crash the checkpoint may be one append behind; anything
else is refused, and nothing is repaired unsaid.
"""

from __future__ import annotations

from domicile.counted import counted
from domicile.errors import EvidenceError
from domicile.evidence.bulk import CHECKPOINT, STAGED, Bulk, Head
from domicile.evidence.keys import SigningKey
from domicile.evidence.merkle import EMPTY_ROOT, leaf_hash
from domicile.evidence.note import Checkpoint, parse_note, sign_note
from domicile.evidence.reader import LogReader, load_tile, walk
from domicile.evidence.tiles import TILE_HEIGHT, TILE_WIDTH, Frontier, Tile, levels, width_at


def right_edge(files: Bulk, head: Checkpoint) -> tuple[Frontier, list[bytes]]:
    """The right edge of the tree, and the entries of the partial bundle.

    Raises EvidenceError when they are missing, or do not lead to the head.
    """
    frontier = Frontier(head.size)
    for level in range(levels(head.size)):
        index, width = divmod(head.size >> TILE_HEIGHT * level, TILE_WIDTH)
        frontier.rows.append(load_tile(files, Tile(level, index, width)) if width else [])
    if frontier.root() != head.root:
        raise EvidenceError(
            f"{files.place}: the tiles do not lead to the root that the checkpoint signs",
            hint="run: domicile log fsck",
        )
    index, width = divmod(head.size, TILE_WIDTH)
    tail = load_tile(files, Tile(0, index, width, entries=True)) if width else []
    if [leaf_hash(e) for e in tail] != (frontier.rows[0] if frontier.rows else []):
        raise EvidenceError(
            f"{files.place}: the last {width} entries are not the ones that were logged",
            hint="run: domicile log fsck",
        )
    return frontier, tail


def recover(
    files: Bulk, head: Head, origin: str, key: SigningKey, least: Checkpoint | None = None
) -> None:
    """Start a log where there is none, or publish a head that was not. The caller holds the lock.

    `least` is a head that this machine has seen: no log is started or taken for whole below it.

    Raises EvidenceError: the head does not verify, the files are an older copy or another history,
    or the head is lost and nobody can tell how far the log went. Raises OSError.
    """
    newest, public = head.read(), files.read(CHECKPOINT)
    if newest is not None:
        head.finish()
    if newest is None and least is not None:
        there = public and Checkpoint.parse(parse_note(public).text)
        if not there or there.size < least.size:
            raise older_than(files.place, least)
    if newest is None and public is None:
        newest = _start(files, head, origin, key)  # None: the head is the checkpoint itself
    elif newest is None and public is not None:
        newest = _adopt(files, head, public, origin, key)
    if newest == public or newest is None:
        return
    try:
        last = Checkpoint.verify(newest, [key.verifier], origin=origin)
    except EvidenceError as e:
        raise EvidenceError(
            f"{head.place}, the last head that was signed, does not verify",
            hint="compare the log with a mirror; if they agree, remove that file",
        ) from e
    there = Checkpoint(origin, 0, EMPTY_ROOT)
    if public is not None:
        # Only its size and root count: it is verified before it is taken for the head.
        there = Checkpoint.parse(parse_note(public).text)
    if there.size > last.size:
        _catch_up(files, head, newest, last, key)
    elif public is None or (there.size, there.root) != (last.size, last.root):
        _publish(files, newest, last, there)


def older_than(place: str, least: Checkpoint) -> EvidenceError:
    """The error for a log that does not begin with a head that was seen."""
    return EvidenceError(
        f"{place}: this is not the log whose {counted(least.size, 'entry', 'entries')} were seen "
        "from here, or an older copy of it",
        hint="restore the newest one from a mirror or from the store's versions",
    )


def _start(files: Bulk, head: Head, origin: str, key: SigningKey) -> bytes | None:
    """Write the head of the empty log."""
    if key.name != origin:
        raise EvidenceError(
            f"the log's key is named {key.name}, expected the origin {origin}",
            hint="a log's key is named as its origin (c2sp.org/tlog-checkpoint)",
        )
    if any(next(files.tree(below), "") for below in ("tile", STAGED)):
        raise EvidenceError(
            f"{files.place}: there are tiles but no checkpoint",
            hint="restore the file `checkpoint` from a mirror or a backup; nothing was changed",
        )
    note = sign_note(Checkpoint(origin, 0, EMPTY_ROOT).text, key).encode()
    head.swap(None, note)
    return None if files.read(CHECKPOINT) == note else note


def _adopt(files: Bulk, head: Head, public: bytes, origin: str, key: SigningKey) -> bytes:
    """Take the checkpoint for the head, which is lost, unless it may be an old one."""
    size = Checkpoint.verify(public, [key.verifier], origin=origin).size
    beyond = [
        path
        for path, tile in walk(files)
        if tile and tile.width > width_at(size, tile.level, tile.index)
    ] + files.names(STAGED)
    if beyond:
        raise EvidenceError(
            f"{head.place} is lost, and {files.place} holds files beyond its "
            f"{counted(size, 'entry', 'entries')}",
            hint="restore the head from a backup or the log from a mirror; if the mirror has as "
            "many entries, remove what `domicile log fsck` calls a leftover",
        )
    head.swap(None, public)
    return public


def _publish(files: Bulk, note: bytes, head: Checkpoint, there: Checkpoint) -> None:
    """Publish a head whose tiles are all there."""
    try:
        right_edge(files, head)
    except EvidenceError as e:
        said = f"the log has {counted(there.size, 'entry', 'entries')}, but {head.size} were signed"
        if there.size == head.size:
            said = f"these are not the {head.size} entries that were signed"
        raise EvidenceError(
            f"{files.place}: {said}",
            hint="an older or another copy was put back: restore the newest one from a mirror",
        ) from e
    files.publish(note)


def _catch_up(files: Bulk, head: Head, newest: bytes, last: Checkpoint, key: SigningKey) -> None:
    """Take a later checkpoint for the head, when the log begins with what the head covers."""
    log = LogReader(files, key.verifier)
    if log.root(last.size) != last.root:
        raise EvidenceError(
            f"{files.place}: the first {last.size} entries are not those that were signed",
            hint="history was rewritten: restore the log from a mirror",
        )
    head.swap(newest, log.checkpoint().encode())
