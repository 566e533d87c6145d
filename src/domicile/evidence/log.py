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

Which lock owns what: `_turn` (threads) and then `Files.writer` (processes, one file, `flock`) are
held for a whole append, in which the head is read again if another process moved it. The frontier
and the tail change only there; the queue changes under the condition `_queue`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domicile.errors import DomicileError, EvidenceError, Stopped
from domicile.evidence import kinds
from domicile.evidence.canonical import encode
from domicile.evidence.files import Files
from domicile.evidence.head import HeadFile
from domicile.evidence.keys import SigningKey
from domicile.evidence.merkle import leaf_hash
from domicile.evidence.note import Checkpoint, sign_note
from domicile.evidence.reader import CHECKPOINT, COSIGNED, LogReader, read_file, walk
from domicile.evidence.recovery import recover, right_edge
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
"""The last head that was signed, in the directory `memory` of `Log.open`."""


@dataclass
class _Waiting:
    """The entries of one call of `append`, and what became of them."""

    encoded: list[bytes]
    indices: range | None = None
    error: DomicileError | None = None


class Log(LogReader):
    """A log that this process may append to, from any thread; for reading see `LogReader`."""

    def __init__(
        self, directory: Path, *, origin: str, key: SigningKey, files: Files, head: HeadFile
    ) -> None:
        """Use `Log.open`."""
        self._key = key
        self._store = head  # where the head is swapped
        self._apart = head.files is not files  # it is then published as the checkpoint
        self._frontier = Frontier()
        self._tail: list[bytes] = []  # entries of the partial bundle
        self._loaded = False  # frontier and tail belong to the head
        self._unsure = True  # there may be files beyond the head
        self._turn, self._queue = threading.Lock(), threading.Condition()
        self._committing = False  # a thread writes what waited
        self._waiting: list[_Waiting] = []
        super().__init__(directory, key.verifier, origin=origin, files=files)

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        origin: str,
        key: SigningKey,
        files: Files | None = None,
        memory: Path | Files | None = None,
    ) -> Log:
        """Open the log in `directory`, or start one there when it holds none.

        The head is verified against the right edge of the tiles. `memory` is a directory outside
        the log where the head is kept and swapped, so that an older copy of the log that was put
        back is noticed and no second history is ever signed; without it the head is the checkpoint
        itself. `files` writes, and so does `memory` (the tests give ones that fail).

        Raises EvidenceError when the head does not verify, is older than the last one signed, or
        is missing although tiles are there; Stopped when nothing can be written, or another
        process is writing.
        """
        files = files or Files(directory)
        if memory is None:
            head = HeadFile(files, CHECKPOINT, alone=True)
        else:
            head = HeadFile(Files(memory) if isinstance(memory, Path) else memory, LAST_HEAD)
        try:
            for each in (directory, head.files.directory):
                each.mkdir(parents=True, exist_ok=True)
            with files.writer():
                recover(files, head, origin, key)
            log = cls(directory, origin=origin, key=key, files=files, head=head)
        except OSError as e:
            raise _stopped(directory, e) from e
        log._load()
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
                with self._files.writer():
                    self.refresh()
                    entry = rotation(estate, self.size, self._key, new)
                    index = self._append([encode(entry)], new).start
            except OSError as e:
                self._loaded, self._unsure = False, True
                raise _stopped(self.directory, e) from e
            self._key, self.verifier = new, new.verifier
            return index

    def publish(self, note: str) -> None:
        """Publish the head again with the cosignatures that it has got.

        The text must be that of the head or of an earlier one, and is kept by its size below
        `cosigned/` too, where the dates of entries are read. Raises EvidenceError, Stopped.
        """
        head = Checkpoint.verify(note.encode(), [self.verifier], origin=self.origin)
        try:
            with self._turn, self._files.writer():
                self.refresh()
                if self.root(head.size) != head.root:
                    raise EvidenceError(f"{self.directory}: that head is of another history")
                self._files.replace(f"{COSIGNED}/{head.size}", note.encode())
                sizes = {int(n) for n in self._files.names(COSIGNED) if n.isdecimal()}
                listed = "".join(f"{n}\n" for n in sorted(sizes))
                self._files.replace(f"{COSIGNED}/sizes", listed.encode())
                if head.size == self.size:
                    if not self._apart:
                        self._store.swap(self._note, note.encode())
                        self._note = note.encode()
                    else:
                        self._files.replace(CHECKPOINT, note.encode())
        except OSError as e:
            raise _stopped(self.directory, e) from e

    def _newest(self) -> bytes | None:
        return read_file(self._store.files, self._store.path)

    def _commit(self, batch: list[_Waiting]) -> None:
        """Write what waits as one append, and say to each what became of it."""
        try:
            with self._files.writer():
                indices = self._append([e for each in batch for e in each.encoded])
        except OSError as e:
            self._loaded, self._unsure = False, True
            self._fail(batch, _stopped(self.directory, e), e)
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

    def _append(self, encoded: list[bytes], key: SigningKey | None = None) -> range:
        self.refresh()
        if not self._loaded:
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
        self._store.swap(self._note, note)
        self._note, self._head, self._frontier = note, head, frontier
        self._tail = tail[len(tail) - head.size % TILE_WIDTH :]
        if self._apart:
            self._files.replace(CHECKPOINT, note)
        self._loaded = True
        self._tidy(old)
        return range(old, head.size)

    def _load(self) -> None:
        """Read the right edge and check it against the head. Raises EvidenceError."""
        self._frontier, self._tail = right_edge(self._files, self._head)
        self._loaded = True

    def _sweep(self) -> None:
        """After a failure, or after opening: remove what an interrupted append left behind.

        Files beyond the head belong to no head that was ever published, and would later stand
        beside other content. (A head that was put back is refused by `open` before this.)
        """
        for path, tile in walk(self._files):
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


def _stopped(directory: Path, error: OSError) -> Stopped:
    return Stopped(
        f"{directory}: cannot write the log: {error.strerror or type(error).__name__}",
        hint="free space or correct the permissions there, then run the same command again",
    )
