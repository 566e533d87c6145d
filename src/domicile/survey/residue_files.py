"""Whether a store's live files still hold the bytes of e-mail addresses that left.

Databases store texts side by side: the bytes before and after a value may be letters, digits or
anything, so an address is looked for at every `@`, at every length that one of the addresses has,
and not as a word. No address that is there in UTF-8 is missed, whatever its case (ASCII), and
wherever reading in pieces cuts it. What cannot be seen this way is listed in
docs/classification.md: compressed values and pages, encrypted files, other encodings.

A shorter address inside a longer one (`ann@example.org` in `joann@example.org`) has the same bytes;
`kept`, the addresses of those who stay, tells them apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import hyperscan

PIECE = 8 << 20
"""Bytes read at a time; memory is this and the addresses, whatever the size of a file."""

LITERALS = 50_000
"""Addresses up to which hyperscan looks for all at once, 600 MB/s and more once its tables are made
(30 µs an address); with more, every `@` is looked at (docs/decisions, 3)."""

_TAIL = 4  # bytes before the @ that are looked up together with the domain
_HEAD = 3  # bytes after the @ that rule out most places at once

_LOCAL = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789.!#$%&'*+/=?^_`{|}~-")
"""Bytes of the part before the @ (RFC 5322, 3.2.3, dot-atom; lower case), and those above ASCII."""

_HOST = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-.")


@dataclass(frozen=True)
class FileResidue:
    """What one file holds of the addresses: counts, and the addresses for who must explain them."""

    path: str
    size: int  # bytes read
    exact: int = 0  # with nothing before or after that could belong to a longer address
    adjoining: int = 0  # the same bytes, with such bytes beside them, and no kept address explains
    explained: int = 0  # lies within an address of somebody who stays
    people: int = 0  # distinct addresses among exact and adjoining
    problem: str = ""  # why the file was not read: then nothing is known of it
    # Which addresses these are: never to be shown.
    addresses: frozenset[bytes] = field(default=frozenset(), repr=False, compare=False)

    @property
    def clean(self) -> bool:
        """Whether the whole file was read and holds none of the addresses."""
        return not (self.exact or self.adjoining or self.problem)


class EmailSet:
    """E-mail addresses, ready to be looked for in bytes. About 500 bytes of memory an address.

    Values without an `@`, or with nothing before or after it, are no addresses and are ignored;
    `len()` tells how many are looked for. Not to be shared between threads.
    """

    def __init__(self, emails: Iterable[str]) -> None:
        self._emails: set[bytes] = set()
        self._spelt: list[bytes] = []
        self._literals: hyperscan.Database | None = None
        tails: dict[bytes, set[int]] = defaultdict(set)
        hosts: dict[bytes, set[int]] = defaultdict(set)
        self.before = self.after = 0
        for email in emails:
            for spelt in {email.strip(), email.strip().casefold()}:
                address = spelt.encode("utf-8", "surrogatepass").lower()
                at = address.rfind(b"@")
                if at < 1 or at == len(address) - 1:
                    continue
                self._emails.add(address)
                tails[address[max(0, at - _TAIL) :]].add(at)
                hosts[address[at + 1 : at + 1 + _HEAD]].add(len(address) - at - 1)
                self.before = max(self.before, at)
                self.after = max(self.after, len(address) - at - 1)
        # Local parts shorter than a tail are keyed by themselves, and those keys are few.
        self._short = sorted({at for sizes in tails.values() for at in sizes if at < _TAIL})
        self._tails = {tail: _shared(sizes) for tail, sizes in tails.items()}
        for head in [head for head in hosts if len(head) < _HEAD]:
            # A host as short as `b`: whatever follows it, its first bytes are these.
            for longer in [h for h in hosts if h.startswith(head)]:
                hosts[longer] |= hosts[head]
        self._hosts = {head: _shared(sizes) for head, sizes in hosts.items()}
        self._short_hosts = sorted({len(head) for head in hosts if len(head) < _HEAD})

    def __len__(self) -> int:
        return len(self._emails)

    def __contains__(self, address: bytes) -> bool:
        return address in self._emails

    def search(self, data: bytes, start: int, stop: int) -> Iterable[tuple[int, int, int]]:
        """The same as `find`, the faster way for as many addresses as there are."""
        if not 0 < len(self._emails) <= LITERALS:
            return self.find(data, start, stop)
        if self._literals is None:
            # Up to one byte after the @ only: hyperscan tells literals apart by their last bytes,
            # and the ends of hosts are what all addresses share (two hundred times as slow).
            self._spelt = sorted({a[: a.rindex(b"@") + 2] for a in self._emails})
            self._literals = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
            self._literals.compile(
                expressions=self._spelt,
                ids=list(range(len(self._spelt))),
                elements=len(self._spelt),
                literal=True,
            )
        found: list[tuple[int, int, int]] = []

        def matched(number: int, _from: int, end: int, _flags: int, _context: object) -> None:
            first, at = end - len(self._spelt[number]), end - 2
            if start <= at < stop:
                for size in self._sizes_at(data, at):
                    last = at + 1 + size
                    if last <= len(data) and data[first:last] in self._emails:
                        found.append((first, at, last))

        self._literals.scan(data, match_event_handler=matched)
        return found

    def find(self, data: bytes, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """Every address in lower-case `data` whose `@` is from `start` to before `stop`.

        Gives (first byte, its @, byte after the last), for nested ones each.
        """
        hosts, tails, short, emails = self._hosts, self._tails, self._short, self._emails
        find = data.find
        at = find(b"@", start, stop)
        while at >= 0:
            sizes = hosts.get(data[at + 1 : at + 1 + _HEAD])
            if sizes is not None or self._short_hosts:
                for size in sizes or self._sizes_at(data, at):
                    end = at + 1 + size
                    if end > len(data):  # a slice would be cut short and could match as another
                        continue
                    if at >= _TAIL:
                        for back in tails.get(data[at - _TAIL : end], ()):
                            if back <= at and data[at - back : end] in emails:
                                yield at - back, at, end
                    for back in short:
                        if back <= at and data[at - back : end] in emails:
                            yield at - back, at, end
            at = find(b"@", at + 1, stop)

    def _sizes_at(self, data: bytes, at: int) -> tuple[int, ...]:
        """The lengths that a host after this `@` can have."""
        for size in (_HEAD, *reversed(self._short_hosts)):
            found = self._hosts.get(data[at + 1 : at + 1 + size])
            if found:
                return found
        return ()


@cache
def _sizes(sizes: frozenset[int]) -> tuple[int, ...]:
    return tuple(sorted(sizes, reverse=True))


def _shared(sizes: set[int]) -> tuple[int, ...]:
    """The sizes, longest first; equal sets share one tuple, as there are few of them."""
    return _sizes(frozenset(sizes))


@dataclass
class _Tally:
    exact: int = 0
    adjoining: int = 0
    explained: int = 0


def scan_files(
    paths: Iterable[str | Path],
    emails: EmailSet | Iterable[str],
    *,
    kept: EmailSet | Iterable[str] = (),
    piece: int = PIECE,
) -> list[FileResidue]:
    """Look for addresses in files, one after the other, reading each once.

    A file that cannot be read, or that went away meanwhile, has a `problem` and is not clean.
    """
    wanted = emails if isinstance(emails, EmailSet) else EmailSet(emails)
    stay = kept if isinstance(kept, EmailSet) else EmailSet(kept)
    return [_scan(Path(path), wanted, stay, piece) for path in paths]


def _scan(path: Path, wanted: EmailSet, kept: EmailSet, piece: int) -> FileResidue:
    before = max(wanted.before, kept.before) + 1
    after = max(wanted.after, kept.after) + 3
    tally, people, size = _Tally(), set[bytes](), 0
    try:
        with path.open("rb", buffering=0) as file:
            data, done = b"", 0  # bytes in hand, in lower case; @ before `done` were looked at
            while True:
                more = file.read(piece)
                size += len(more)
                data += more.lower()  # ASCII only, as the addresses are spelt
                ready = max(done, len(data) - after) if more else len(data)
                for start, at, end in wanted.search(data, done, ready):
                    _judge(data, start, at, end, kept, tally, people)
                if not more:
                    break
                drop = max(0, ready - before)
                done = max(0, ready - drop)
                data = data[drop:]
    except OSError as error:
        return FileResidue(str(path), size, problem=f"not read: {type(error).__name__}")
    return FileResidue(
        str(path), size, tally.exact, tally.adjoining, tally.explained, len(people),
        addresses=frozenset(people),
    )  # fmt: skip


def _judge(
    data: bytes,
    start: int,
    at: int,
    end: int,
    kept: EmailSet,
    tally: _Tally,
    people: set[bytes],
) -> None:
    left = data[start - 1] if start else 0
    right = data[end] if end < len(data) else 0
    dotted = (
        right == 0x2E and end + 1 < len(data) and data[end + 1] in _HOST and (data[end + 1] != 0x2E)
    )
    free = not (left in _LOCAL or left >= 0x80)
    if free and not dotted and not (right in _HOST and right != 0x2E) and right < 0x80:
        tally.exact += 1
    elif any(
        first <= start and last >= end and (first, last) != (start, end)
        for first, _, last in kept.find(data, at, at + 1)
    ):
        tally.explained += 1
        return
    else:
        tally.adjoining += 1
    people.add(data[start:end])


__all__ = ["PIECE", "EmailSet", "FileResidue", "scan_files"]
