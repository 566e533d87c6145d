"""Writing a log: append in batches, durable on return.

What is durable when: `append` first writes the entries and every tile that the new head needs,
then makes their names durable, and only then replaces the checkpoint, in one rename. A crash or
a failed write before the rename leaves the old head, whose files were not touched (a file that
a head refers to is never written again); after it, the new head, whose files are all durable.
Files beyond the head are left-overs of an interrupted append; the next one removes them.

Which lock owns what: `Files.writer` (one file, `flock`) is held for a whole append, in which the
head is read again if another process moved it. The frontier and the tail change only there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from domicile.errors import EvidenceError, Stopped
from domicile.evidence import kinds
from domicile.evidence.canonical import encode
from domicile.evidence.files import Files
from domicile.evidence.keys import SigningKey
from domicile.evidence.merkle import EMPTY_ROOT, leaf_hash
from domicile.evidence.note import Checkpoint, sign_note
from domicile.evidence.reader import CHECKPOINT, LogReader, load_tile, walk
from domicile.evidence.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    Frontier,
    Tile,
    edge,
    levels,
    pack_bundle,
    width_at,
)

LAST_HEAD = "log.head"
"""The last head that was signed, in the directory `memory` of `Log.open`."""


class Log(LogReader):
    """A log that this process may append to, from any thread; for reading see `LogReader`."""

    def __init__(self, directory: Path, *, origin: str, key: SigningKey, files: Files) -> None:
        """Use `Log.open`."""
        self._key = key
        self._frontier = Frontier()
        self._tail: list[bytes] = []  # entries of the partial bundle
        self._loaded = False  # frontier and tail belong to the head
        self._unsure = True  # there may be files beyond the head
        self._memory: Files | None = None
        super().__init__(directory, key.verifier, origin=origin, files=files)

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        origin: str,
        key: SigningKey,
        files: Files | None = None,
        memory: Path | None = None,
    ) -> Log:
        """Open the log in `directory`, or start one there when it holds none.

        The head is verified against the right edge of the tiles. `memory` is a directory outside
        the log where the last head that was signed is kept, so that an older copy of the log
        that was put back is noticed and no second history is ever signed. `files` writes (the
        tests give one that fails).

        Raises EvidenceError when the head does not verify, is older than the last one signed, or
        is missing although tiles are there; Stopped when nothing can be written, or another
        process is writing.
        """
        files = files or Files(directory)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            if files.read(CHECKPOINT) is None:
                with files.writer():
                    if files.read(CHECKPOINT) is None:
                        _start(files, origin, key)
        except OSError as e:
            raise _stopped(directory, e) from e
        log = cls(directory, origin=origin, key=key, files=files)
        log._load()
        log._memory = None if memory is None else Files(memory)
        log._recall()
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
        encoded = [encode(entry) for entry in entries]
        if not encoded:
            return range(self.size, self.size)
        try:
            with self._files.writer():
                return self._append(encoded)
        except OSError as e:
            self._loaded, self._unsure = False, True
            raise _stopped(self.directory, e) from e

    def _append(self, encoded: list[bytes]) -> range:
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
        note = sign_note(head.text, self._key).encode()
        self._files.replace(CHECKPOINT, note)
        self._note, self._head, self._frontier = note, head, frontier
        self._tail = tail[len(tail) - head.size % TILE_WIDTH :]
        self._loaded = True
        self._tidy(old)
        return range(old, head.size)

    def _load(self) -> None:
        """Read the right edge and check it against the head. Raises EvidenceError."""
        frontier = Frontier(self.size)
        for level in range(levels(self.size)):
            index, width = divmod(self.size >> TILE_HEIGHT * level, TILE_WIDTH)
            frontier.rows.append(load_tile(self._files, Tile(level, index, width)) if width else [])
        if frontier.root() != self._head.root:
            raise EvidenceError(
                f"{self.directory}: the tiles do not lead to the root that the checkpoint signs",
                hint="run: domicile log fsck",
            )
        index, width = divmod(self.size, TILE_WIDTH)
        tail = load_tile(self._files, Tile(0, index, width, entries=True)) if width else []
        if [leaf_hash(e) for e in tail] != (frontier.rows[0] if frontier.rows else []):
            raise EvidenceError(
                f"{self.directory}: the last {width} entries are not the ones that were logged",
                hint="run: domicile log fsck",
            )
        self._frontier, self._tail, self._loaded = frontier, tail, True

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
        """Remember the head, and remove partial tiles that are full now.

        The entries are durable already, so a failure here is not one of the append: what is left
        is harmless, and the next append sweeps it.
        """
        try:
            for tile in edge(old):
                if width_at(self.size, tile.level, tile.index) == TILE_WIDTH:
                    self._files.remove(f"{tile.full.path}.p")
            if self._memory is not None:
                self._memory.replace(LAST_HEAD, self._note)
        except OSError:
            self._unsure = True

    def _recall(self) -> None:
        """Hold the head against the last one that was signed. Raises EvidenceError."""
        note = self._memory.read(LAST_HEAD) if self._memory is not None else None
        if note is None:
            return
        try:
            last = Checkpoint.verify(note, [self.verifier], origin=self.origin)
        except EvidenceError as e:
            raise EvidenceError(
                f"{LAST_HEAD}, the last head that was signed, does not verify",
                hint="compare the log with a mirror; if they agree, remove that file",
            ) from e
        self.refresh()  # another process may have appended since: its head is before its memory
        if last.size > self.size:
            raise EvidenceError(
                f"{self.directory}: the log has {self.size} entries, but {last.size} were signed",
                hint="an older copy was put back: restore the newest one from a mirror",
            )
        if self.root(last.size) != last.root:
            raise EvidenceError(
                f"{self.directory}: the first {last.size} entries are not those that were signed",
                hint="history was rewritten: restore the log from a mirror",
            )


def _start(files: Files, origin: str, key: SigningKey) -> None:
    """Write the head of the empty log. The caller holds the lock."""
    if key.name != origin:
        raise EvidenceError(
            f"the log's key is named {key.name}, expected the origin {origin}",
            hint="a log's key is named as its origin (c2sp.org/tlog-checkpoint)",
        )
    if files.names("tile"):
        raise EvidenceError(
            f"{files.directory}: there are tiles but no checkpoint",
            hint="restore the file `checkpoint` from a mirror or a backup; nothing was changed",
        )
    files.replace(CHECKPOINT, sign_note(Checkpoint(origin, 0, EMPTY_ROOT).text, key).encode())


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
