"""Merkle trees as in RFC 6962, section 2.1, over SHA-256: pure functions, no I/O.

Every function that walks a tree asks a `subtree(level, index)` callable for the hash of the
complete subtree of `2**level` leaves that starts at leaf `index << level`; where those hashes
are kept (a list, tiles on a disk) is the caller's business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256

HASH_SIZE = 32
"""Bytes in a SHA-256 digest."""

EMPTY_ROOT = sha256(b"").digest()
"""MTH({}) (RFC 6962, section 2.1)."""

Subtree = Callable[[int, int], bytes]
"""(level, index) → hash of the complete subtree of `2**level` leaves at `index << level`."""


def leaf_hash(entry: bytes) -> bytes:
    """Hash of one entry: SHA-256(0x00 ‖ entry)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node: SHA-256(0x01 ‖ left ‖ right)."""
    return sha256(b"\x01" + left + right).digest()


def split_point(n: int) -> int:
    """The largest power of two smaller than `n` (RFC 6962 calls it k); `n` is at least 2."""
    return 1 << (n - 1).bit_length() - 1


def complete_root(hashes: Sequence[bytes]) -> bytes:
    """Root over a power-of-two number of subtree hashes of equal height."""
    row = list(hashes)
    while len(row) > 1:
        row = [sha256(b"\x01" + a + b).digest() for a, b in zip(row[::2], row[1::2], strict=True)]
    return row[0]


def range_hash(subtree: Subtree, start: int, end: int) -> bytes:
    """MTH(D[start:end]) for a range that is one node of a tree; `end` is above `start`."""
    n = end - start
    if n & (n - 1) == 0:
        level = n.bit_length() - 1
        return subtree(level, start >> level)
    k = split_point(n)
    return node_hash(range_hash(subtree, start, start + k), range_hash(subtree, start + k, end))


def root(subtree: Subtree, size: int) -> bytes:
    """The root of the first `size` leaves."""
    return range_hash(subtree, 0, size) if size else EMPTY_ROOT


def inclusion_path(subtree: Subtree, index: int, size: int) -> list[bytes]:
    """PATH(index, D[size]) (RFC 6962, section 2.1.1): siblings from the leaf to the root.

    Raises ValueError when `index` is not below `size`.
    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + split_point(end - start)
        if index < middle:
            path.append(range_hash(subtree, middle, end))
            end = middle
        else:
            path.append(range_hash(subtree, start, middle))
            start = middle
    path.reverse()
    return path


def consistency_path(subtree: Subtree, old: int, new: int) -> list[bytes]:
    """PROOF(old, D[new]) (RFC 6962, section 2.1.2); empty when `old` is 0 or equals `new`.

    Raises ValueError unless 0 <= old <= new.
    """
    if not 0 <= old <= new:
        raise ValueError(f"no proof from a tree of {old} to one of {new}")
    if old in (0, new):
        return []
    path: list[bytes] = []
    start, end, whole = 0, new, True  # whole: the old tree's root itself is still a node here
    while old != end:
        middle = start + split_point(end - start)
        if old <= middle:
            path.append(range_hash(subtree, middle, end))
            end = middle
        else:
            path.append(range_hash(subtree, start, middle))
            start, whole = middle, False
    if not whole:
        path.append(range_hash(subtree, start, end))
    path.reverse()
    return path


def inclusion_root(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that `path` leads to from `leaf` (RFC 9162, section 2.1.3.2), None if misshapen."""
    if not 0 <= index < size:
        return None
    fn, sn, r = index, size - 1, leaf
    for p in path:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    return r if sn == 0 else None


def is_consistent(
    old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
) -> bool:
    """Whether `path` proves that the tree of `new` extends the tree of `old`.

    The algorithm of RFC 9162, section 2.1.4.2. From the empty tree, everything is consistent
    with an empty path, provided that `old_root` is the empty tree's.
    """
    if not 0 <= old <= new:
        return False
    if old == 0:
        return not path and old_root == EMPTY_ROOT and (new > 0 or new_root == EMPTY_ROOT)
    if old == new:
        return not path and old_root == new_root
    nodes = list(path)
    if old & (old - 1) == 0:  # a power of two: its root is a node of the new tree
        nodes.insert(0, old_root)
    if not nodes:
        return False
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = nodes[0]
    for c in nodes[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == old_root and sr == new_root
