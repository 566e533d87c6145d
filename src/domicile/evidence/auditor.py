"""Verify a Domicile log, or one proof, with the standard library and one signature library.

    python auditor.py DIRECTORY KEY          the whole log
    python auditor.py --proof FILE KEY       one entry's proof, as `domicile log proof` prints it

KEY is the log's verifier key (name+id+base64), which you must have from the log's owner by
another way than the log itself. Exit code 0: it verifies. 1: it does not, and why.

This file shares no code with the rest of Domicile, on purpose: read it, it is short. It follows
RFC 6962 section 2.1, c2sp.org/tlog-tiles, c2sp.org/signed-note and c2sp.org/tlog-checkpoint.
"""

import json
import sys
from base64 import b64decode
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Wrong(Exception):
    """Something does not verify."""


def require(holds: bool, said: str) -> None:
    """Raise Wrong unless it holds. (An `assert` would be skipped by `python -O`.)"""
    if not holds:
        raise Wrong(said)


def leaf(entry: bytes) -> bytes:
    """Hash of an entry."""
    return sha256(b"\0" + entry).digest()


def node(left: bytes, right: bytes) -> bytes:
    """Hash of two subtrees."""
    return sha256(b"\1" + left + right).digest()


def checkpoint(note: bytes, key: str) -> tuple[int, bytes]:
    """Check the signature on a tree head; its size and root."""
    name, identity, encoded = key.split("+", 2)
    public = b64decode(encoded)
    require(public[0] == 1, "the key is not Ed25519")
    public = public[1:]
    expected = sha256(name.encode() + b"\n\x01" + public).digest()[:4]
    require(identity == expected.hex(), "the key's id is not that of its bytes")
    text, _, signatures = note.decode().rpartition("\n\n")
    text += "\n"
    for line in signatures.splitlines():
        dash, signer, signature = line.split(" ")
        if dash == "—" and signer == name and b64decode(signature)[:4] == expected:
            try:
                Ed25519PublicKey.from_public_bytes(public).verify(
                    b64decode(signature)[4:], text.encode()
                )
            except InvalidSignature:
                raise Wrong("the signature on the checkpoint is wrong") from None
            origin, size, root = text.splitlines()[:3]
            require(origin == name, f"the checkpoint is of {origin}, the key of {name}")
            return int(size), b64decode(root)
    raise Wrong(f"{name} has not signed the checkpoint")


def entries(directory: Path, size: int) -> Any:
    """Every entry's bytes, in order."""
    for number in range(-(-size // 256)):
        width = min(256, size - number * 256)
        digits = f"{number:03d}"
        while len(digits) % 3:
            digits = "0" + digits
        parts = [digits[i : i + 3] for i in range(0, len(digits), 3)]
        path = directory / "tile/entries" / "/".join(["x" + p for p in parts[:-1]] + parts[-1:])
        if width < 256 and not path.exists():
            path = path.with_name(path.name + ".p") / str(width)
        bundle, at = path.read_bytes(), 0
        for _ in range(width):
            length = int.from_bytes(bundle[at : at + 2], "big")
            require(at + 2 + length <= len(bundle), f"{path} is cut off")
            yield bundle[at + 2 : at + 2 + length]
            at += 2 + length


def audit_log(directory: Path, key: str) -> str:
    """Hash every entry again, and compare the root with the signed one."""
    size, root = checkpoint((directory / "checkpoint").read_bytes(), key)
    stack: list[tuple[int, bytes]] = []  # complete subtrees from the left: (height, hash)
    kinds: dict[str, int] = {}
    for entry in entries(directory, size):
        kind = json.loads(entry)["kind"]
        kinds[kind] = kinds.get(kind, 0) + 1
        height, top = 0, leaf(entry)
        while stack and stack[-1][0] == height:
            top, height = node(stack.pop()[1], top), height + 1
        stack.append((height, top))
    computed = stack.pop()[1] if stack else sha256(b"").digest()
    while stack:
        computed = node(stack.pop()[1], computed)
    require(computed == root, "the entries do not give the signed root")
    return f"{size} entries under the signed root {root.hex()}: {kinds}"


def audit_proof(document: dict[str, Any], key: str) -> str:
    """Follow the path from the entry to the signed root."""
    size, root = checkpoint(document["checkpoint"].encode(), key)
    index, path = document["index"], [b64decode(p) for p in document["path"]]
    text = json.dumps(
        document["entry"], ensure_ascii=False, sort_keys=True, separators=(",", ":")
    )  # canonical JSON (RFC 8785), because entries have ASCII keys and no fractions
    here, start, end = leaf(text.encode()), 0, size
    require(0 <= index < size, f"entry {index} is not among {size}")
    turns = []  # from the root down: is the entry on the right?
    while end - start > 1:
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        turns.append(index >= middle)
        start, end = (middle, end) if index >= middle else (start, middle)
    require(len(turns) == len(path), "the path has another length than the tree's")
    for right, sibling in zip(reversed(turns), path, strict=True):
        here = node(sibling, here) if right else node(here, sibling)
    require(here == root, "the path does not lead from the entry to the signed root")
    return f"entry {index} is one of {size} under the signed root {root.hex()}"


def main(arguments: list[str]) -> int:
    """Run the command line; the exit code."""
    if len(arguments) != 2 + ("--proof" in arguments[:1]):
        print(__doc__)
        return 2
    try:
        if arguments[0] == "--proof":
            print(audit_proof(json.loads(Path(arguments[1]).read_bytes()), arguments[2].strip()))
        else:
            print(audit_log(Path(arguments[0]), arguments[1].strip()))
    except (Wrong, OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        print(f"DOES NOT VERIFY: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
