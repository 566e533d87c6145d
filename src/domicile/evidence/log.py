"""Writing a log: append in batches, durable on return.

What is durable when: `append` first writes the entries and every tile that the new head needs,
then makes their names durable, then swaps the head (`head.py`), which is the moment when the
entries are in the log, and then publishes it as the checkpoint. A crash or a failed write before
the swap leaves the old head, whose files were not touched (a file that a head refers to is never
written again); after it, the new head, whose files are all durable. A head that was not published
is published by the next `open`. Files beyond the head are left-overs of an interrupted append;
the next one removes them.

Threads that append at the same time share one write (group commit): each puts its entries in the
queue, and while one writes, the others wait for it together; then one of them writes all theirs.

Which lock owns what: `_turn` (threads) and then `Bulk.writer` (processes, one file, `flock`) are
held for a whole append, in which the head is read again if another process moved it. The frontier
and the tail change only there; the queue changes under the condition `_queue`.

In an object store no lock is held: everything is staged before the swap and written to its place
after it (`objects.py`), and an append that finds its head swapped away begins anew.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from domicile.errors import DomicileError, EvidenceError, Stopped
from domicile.evidence import kinds
from domicile.evidence.bulk import CHECKPOINT, Bulk, Head
from domicile.evidence.canonical import encode
from domicile.evidence.files import Files
from domicile.evidence.head import HeadFile, HeadMoved
from domicile.evidence.keys import SigningKey
from domicile.evidence.merkle import leaf_hash
from domicile.evidence.note import Checkpoint, parse_note, sign_note
from domicile.evidence.reader import COSIGNED, LogReader, walk
from domicile.evidence.recovery import older_than, recover, right_edge
from domicile.evidence.rotation import rotation
from domicile.evidence.tiles import (
    TILE_WIDTH,
    Frontier,
    Tile,
    edge,
    pack_bundle,
    width_at,
)

LAST_HEAD = "log.head"
"""The head of a log in a directory, in the directory `memory` of `Log.open`."""

LAST_SEEN = "log.seen"
"""There, the last head of a log in an object store that this machine signed."""


TRIES = 30
"""How often an append is begun anew because another writer of an object store came first."""


_T = TypeVar("_T")


@dataclass
class _Waiting:
    """The entries of one call of `append`, and what became of them."""

    encoded: list[bytes]
    indices: range | None = None
    error: DomicileError | None = None


class Log(LogReader):
    """A log that this process may append to, from any thread; for reading see `LogReader`."""

    def __init__(
        self, *, origin: str, key: SigningKey, files: Bulk, head: Head, apart: bool,
        memory: Files | None = None,
    ) -> None:  # fmt: skip
        """Use `Log.open`."""
        self._key = key
        self._store = head  # where the head is swapped
        self._apart = apart  # the head is not the checkpoint: it is then published as that
        self._memory = memory  # where this machine keeps the last head that it signed or followed
        self._frontier = Frontier()
        self._tail: list[bytes] = []  # entries of the partial bundle
        self._loaded = False  # frontier and tail belong to the head
        self._unsure = True  # there may be files beyond the head
        self._turn, self._queue = threading.Lock(), threading.Condition()
        self._committing = False  # a thread writes what waited
        self._waiting: list[_Waiting] = []
        super().__init__(files, key.verifier, origin=origin)

    @classmethod
    def open(
        cls,
        place: Path | Bulk,
        *,
        origin: str,
        key: SigningKey,
        memory: Path | Files | None = None,
    ) -> Log:
        """Open the log at `place`, or start one there when it holds none.

        The head is verified against the right edge of the tiles. `memory` is a directory outside
        the log where the head is kept and swapped, so that an older copy of the log that was put
        back is noticed and no second history is ever signed; without it the head is the checkpoint
        itself. An object store has a head of its own: there `memory` holds the last that was seen.

        Raises EvidenceError when the head does not verify, is older than the last one signed, or
        is missing although tiles are there; Stopped when nothing can be written, or another
        process is writing.
        """
        files: Bulk = Files(place) if isinstance(place, Path) else place
        kept = Files(memory) if isinstance(memory, Path) else memory
        head: Head | None = files.head()
        apart = head is not None or kept is not None
        try:
            for each in (files, kept):
                if each is not None:
                    each.make()
            if head is None and kept is not None:
                head, kept = HeadFile(kept, LAST_HEAD), None
            elif head is None:
                assert isinstance(files, Files)  # an object store has a head of its own
                head = HeadFile(files, CHECKPOINT, alone=True)
            last = kept.read(LAST_SEEN) if kept is not None else None
            least = Checkpoint.parse(parse_note(last).text) if last is not None else None
            _again(files, lambda: _recover(files, head, origin, key, least))
            log = cls(origin=origin, key=key, files=files, head=head, apart=apart, memory=kept)
            if least is not None and (log.size < least.size or log.root(least.size) != least.root):
                raise older_than(files.place, least)
            log._load()
        except OSError as e:
            raise _stopped(files.place, e) from e
        return log

    def refresh(self) -> bool:
        """Read the head again, as `LogReader.refresh`; the next append starts from it."""
        changed = super().refresh()
        if changed:
            self._loaded = False
        return changed

    def append(self, entries: Sequence[Mapping[str, Any]]) -> range:
        """Append entries, all or none; their indices. They are durable when this returns.

        Raises EvidenceError when an entry is not of a kind in `kinds`, has an unknown field or is
        too large (nothing is written then), or when the log does not verify; Stopped when a write
        failed or another process is writing. After Stopped the entries may be in the log or not:
        look at `size` after `refresh`, then append again what is missing.
        """
        for entry in entries:
            kinds.check(entry)
        mine = _Waiting([encode(entry) for entry in entries])
        if not mine.encoded:
            return range(self.size, self.size)
        with self._queue:
            self._waiting.append(mine)
            while self._committing and mine.indices is None and mine.error is None:
                self._queue.wait()
            batch: list[_Waiting] = []
            if mine.indices is None and mine.error is None:  # nobody writes: this thread does
                batch, self._waiting, self._committing = self._waiting, [], True
        if batch:
            try:
                with self._turn:
                    self._commit(batch)
            finally:
                with self._queue:
                    self._committing = False
                    self._queue.notify_all()
        if mine.error is not None:
            raise mine.error
        assert mine.indices is not None  # one of the two was set by whoever had the turn
        return mine.indices

    def rotate(self, new: SigningKey, estate: str) -> int:
        """Sign with a new key from here on; the index of the entry that both keys sign.

        Raises as `append`. After Stopped look whose signature the head has.
        """
        with self._turn:
            try:
                index = self._write(
                    lambda: [encode(rotation(estate, self.size, self._key, new))], new
                ).start
            except OSError as e:
                self._loaded, self._unsure = False, True
                raise _stopped(self.place, e) from e
            self._key, self.verifier = new, new.verifier
            return index

    def sign(self, text: str) -> str:
        """A text as a note that the log's key signs, as it is now. It must end in a newline, and
        not be readable as a checkpoint. Raises EvidenceError for one that is."""
        try:
            Checkpoint.parse(text)
        except EvidenceError:
            return sign_note(text, self._key)
        raise EvidenceError("a checkpoint is signed by appending to the log, and not otherwise")

    def publish(self, note: str) -> None:
        """Publish the head again with the cosignatures that it has got.

        The text must be that of the head or of an earlier one, and is kept by its size below
        `cosigned/` too, where the dates of entries are read; cosignatures that are there already
        stay. Raises EvidenceError, Stopped.
        """
        head = Checkpoint.verify(note.encode(), [self.verifier], origin=self.origin)
        try:
            with self._turn, self._files.writer():
                self.refresh()
                if self.root(head.size) != head.root:
                    raise EvidenceError(f"{self.place}: that head is of another history")
                path = f"{COSIGNED}/{head.size}"
                content = merged(note.encode(), self._files.read(path))
                self._files.replace(path, content)
                self._list_cosigned()
                if head.size == self.size:
                    if not self._apart:
                        self._store.swap(self._note, content)
                        self._note = content
                    else:
                        self._files.publish(content)
        except OSError as e:
            raise _stopped(self.place, e) from e

    def _list_cosigned(self) -> None:
        """Write the list of cosigned heads, until no other writer has added one meanwhile."""
        listed, found = "", self._cosigned()
        while listed != found:
            listed = found
            self._files.replace(f"{COSIGNED}/sizes", listed.encode())
            found = self._cosigned()

    def _cosigned(self) -> str:
        sizes = {int(n) for n in self._files.names(COSIGNED) if n.isdecimal()}
        return "".join(f"{n}\n" for n in sorted(sizes))

    def _newest(self) -> bytes | None:
        """The head, whose tiles are all there."""
        try:
            note = self._store.read()
            if note is not None and note != self._note:
                self._store.finish()
        except OSError as e:
            raise EvidenceError(f"{self._store.place} cannot be read: {e.strerror}") from e
        return note

    def _commit(self, batch: list[_Waiting]) -> None:
        """Write what waits as one append, and say to each what became of it."""
        try:
            indices = self._write(lambda: [e for each in batch for e in each.encoded])
        except OSError as e:
            self._loaded, self._unsure = False, True
            self._fail(batch, _stopped(self.place, e), e)
        except DomicileError as e:
            self._fail(batch, e, None)
        else:
            at = indices.start
            for each in batch:
                each.indices = range(at, at + len(each.encoded))
                at += len(each.encoded)

    @staticmethod
    def _fail(batch: list[_Waiting], error: DomicileError, cause: Exception | None) -> None:
        for each in batch:
            each.error = error
            each.error.__cause__ = cause

    def _write(self, make: Callable[[], list[bytes]], key: SigningKey | None = None) -> range:
        """Append what `make` gives under the head as it is; again, where another writer of an
        object store came first."""

        def act() -> range:
            with self._files.writer():
                self.refresh()
                return self._append(make(), key)

        return _again(self._files, act)

    def _append(self, encoded: list[bytes], key: SigningKey | None) -> range:
        if self.verifier != self._key.verifier:
            raise Stopped(
                f"{self.place}: the log's key was rotated while this process had the old one",
                hint="run the same command again: it takes the new key",
            )
        if not self._loaded:
            self._store.finish()
            self._load()
        self._loaded = False  # until all is well
        if self._unsure:
            self._sweep()
        old, frontier = self.size, self._frontier.copy()
        filled = frontier.add([leaf_hash(e) for e in encoded])
        tail = self._tail + encoded
        for tile, content in _bundles(old - len(self._tail), tail):
            self._files.write(tile.path, content)
        for tile, content in [*filled, *_changed(frontier, old)]:
            self._files.write(tile.path, content)
        self._files.settle()
        head = Checkpoint(self._key.name, frontier.size, frontier.root())
        note = sign_note(head.text, key or self._key).encode()
        try:
            self._store.swap(self._note, note)
        except HeadMoved:
            if self._files.shared and self._went_in(head):
                return range(old, head.size)
            raise
        self._note, self._head, self._frontier = note, head, frontier
        self._tail = tail[len(tail) - head.size % TILE_WIDTH :]
        self._store.finish()
        if self._apart:
            self._files.publish(note)
        if self._memory is not None:
            self._memory.replace(LAST_SEEN, note)
        self._loaded = True
        self._tidy(old)
        return range(old, head.size)

    def _went_in(self, head: Checkpoint) -> bool:
        """Whether the log goes on from that head of ours, although its swap was refused.

        A client that got no answer tries again; when the first try was carried out and another
        writer has followed it meanwhile, the second is refused. To append anew would put the same
        entries into the log twice.
        """
        self.refresh()
        return head.size <= self.size and self.root(head.size) == head.root

    def _load(self) -> None:
        """Read the right edge and check it against the head. Raises EvidenceError."""
        self._frontier, self._tail = right_edge(self._files, self._head)
        self._loaded = True

    def _sweep(self) -> None:
        """After a failure, or after opening: remove what an interrupted append left behind.

        Files beyond the head belong to no head that was ever published, and would later stand
        beside other content. (A head that was put back is refused by `open` before this.) In an
        object store there are none: what is beyond our head belongs to a later one.
        """
        for path, tile in () if self._files.shared else walk(self._files):
            width = 0 if tile is None else width_at(self.size, tile.level, tile.index)
            if tile and (tile.width > width or tile.width < width == TILE_WIDTH):
                self._files.remove(path)
        self._unsure = False

    def _tidy(self, old: int) -> None:
        """Remove partial tiles that are full now.

        The entries are durable already, so a failure here is not one of the append: what is left
        is harmless, and the next append sweeps it.
        """
        try:
            for tile in edge(old):
                if width_at(self.size, tile.level, tile.index) == TILE_WIDTH:
                    self._files.remove(f"{tile.full.path}.p")
        except OSError:
            self._unsure = True


def _bundles(start: int, entries: Sequence[bytes]) -> Iterator[tuple[Tile, bytes]]:
    """The bundles of entries that begin at index `start`, a multiple of 256."""
    for at in range(0, len(entries), TILE_WIDTH):
        part = entries[at : at + TILE_WIDTH]
        yield Tile(0, (start + at) // TILE_WIDTH, len(part), entries=True), pack_bundle(part)


def _changed(frontier: Frontier, old: int) -> Iterator[tuple[Tile, bytes]]:
    """The partial tiles that a tree of `old` did not have: those are never written again."""
    for tile, content in frontier.partial():
        if width_at(old, tile.level, tile.index) != tile.width:
            yield tile, content


def _recover(
    files: Bulk, head: Head, origin: str, key: SigningKey, least: Checkpoint | None
) -> None:
    with files.writer():
        recover(files, head, origin, key, least)


def merged(note: bytes, before: bytes | None) -> bytes:
    """A cosigned head with those cosignatures of the same head that were there before."""
    if before is None:
        return note
    text, _, lines = before.rpartition(b"\n\n")
    if text != note.rpartition(b"\n\n")[0]:
        return note
    mine = {(s.name, s.id) for s in parse_note(note).signatures}
    kept = zip(lines.splitlines(keepends=True), parse_note(before).signatures, strict=True)
    return note + b"".join(line for line, s in kept if (s.name, s.id) not in mine)


def _again(files: Bulk, act: Callable[[], _T]) -> _T:
    """What `act` gives; tried anew when another writer of an object store came first.

    Where writers take turns nobody does, and the error is one. Raises HeadMoved after `TRIES`.
    """
    tries = TRIES if files.shared else 1
    for number in range(1, tries):
        try:
            return act()
        except HeadMoved:
            time.sleep(random.uniform(0, min(1.0, 0.005 * 2**number)))  # noqa: S311 - no secret
    return act()


def _stopped(place: str, error: OSError) -> Stopped:
    return Stopped(
        f"{place}: cannot write the log: {error.strerror or type(error).__name__}",
        hint="free space or correct the permissions there, then run the same command again",
    )
