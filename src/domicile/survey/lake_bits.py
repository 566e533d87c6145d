"""Sets of whole numbers as one bit for each: what a set of 50 million people needs is 6 MB."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

SEGMENT = 16
"""Keys that differ only in so many bits share a segment: small enough for a processor's cache."""

_BYTES = (1 << SEGMENT) // 8

PIECE = 1 << 15
"""Bytes whose members are listed at once."""

Keys = npt.NDArray[np.int64]
Marks = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Bits:
    """Some of the numbers from `first` on, a multiple of a segment's size.

    The first number of a byte is its highest bit, as in DuckDB's BIT. The last byte is always 0:
    numbers outside find nothing there.
    """

    first: int
    bits: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, first: int, marks: Marks) -> Bits:
        """Those whose place, counted from `first`, is marked; as many places as whole segments."""
        return cls(first, np.append(np.packbits(marks), np.uint8(0)))

    def has(self, keys: Keys) -> Marks:
        """Which of the keys are in the set."""
        if self._run is not None:
            least, most = self._run
            among: Marks = (keys - least).view(np.uint64) <= np.uint64(most - least)
            return among
        outside = np.uint64((len(self.bits) - 1) * 8)
        # A key before the first becomes a great number without a sign.
        places = np.minimum((keys - self.first).view(np.uint64), outside).view(np.int64)
        moved = np.left_shift(self.bits.take(places >> 3), (places & 7).astype(np.uint8))
        found: Marks = moved > 127
        return found

    @cached_property
    def _run(self) -> tuple[int, int] | None:
        """The ends, where all between them are members: two comparisons tell, and no memory."""
        filled = np.flatnonzero(self.bits)
        if not len(filled):
            return None
        ends = (int(filled[0]), int(filled[-1]))
        least, most = (np.flatnonzero(np.unpackbits(self.bits[end : end + 1])) for end in ends)
        first = self.first + ends[0] * 8 + int(least[0])
        last = self.first + ends[1] * 8 + int(most[-1])
        return (first, last) if last - first + 1 == len(self) else None

    def __or__(self, other: Bits) -> Bits:
        assert self.first == other.first
        return Bits(self.first, self.bits | other.bits)

    def __len__(self) -> int:
        return int(np.bitwise_count(self.bits).sum(dtype=np.int64))

    @property
    def digest(self) -> str:
        """The same for the same numbers in the same span."""
        return blake2b(
            self.bits.data, digest_size=16, person=f"{self.first}".encode()[:16]
        ).hexdigest()

    def common(self, marks: Marks) -> int:
        """How many of the set are among the marked places, counted from `first`."""
        return len(Bits(self.first, self.bits & np.append(np.packbits(marks), np.uint8(0))))

    @property
    def places(self) -> int:
        """How many numbers it spans."""
        return (len(self.bits) - 1) * 8

    def members(self) -> Iterator[Keys]:
        """The numbers themselves in order, in arrays of at most `PIECE * 8`."""
        for start in range(0, len(self.bits) - 1, PIECE):
            places = np.flatnonzero(np.unpackbits(self.bits[start : start + PIECE]))
            if len(places):
                yield places + (self.first + start * 8)

    def segments(self) -> Iterator[tuple[int, bytes]]:
        """Number of a segment, and its bits; those without a member left out."""
        for start in range(0, len(self.bits) - 1, _BYTES):
            part = self.bits[start : start + _BYTES]
            if part.any():
                yield (self.first >> SEGMENT) + start // _BYTES, part.tobytes()


def whole_segments(least: int, most: int) -> tuple[int, int]:
    """The first number of the segment of `least`, and how many numbers reach past `most`."""
    first = least >> SEGMENT << SEGMENT
    return first, ((most >> SEGMENT) + 1 << SEGMENT) - first
