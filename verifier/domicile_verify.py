"""Verify Domicile's evidence with the standard library and one signature library.

    domicile_verify.py log SOURCE KEY [--since CHECKPOINT]      the whole log
    domicile_verify.py proof FILE KEY                           that one entry is in it
    domicile_verify.py consistency FILE KEY                     that it only grew
    domicile_verify.py plan PLAN SOURCE KEY [--approver VKEY]   who approved, before it began
    domicile_verify.py receipt FILE KEY                         one person's own data
    domicile_verify.py figures FILE SOURCE KEY                  a report's figures

SOURCE is a log's directory or http(s) address. KEY is the log's first verifier key, which you must
have by another way than the log; later ones are followed from it. `--witness VKEY` (repeat it) and
`--need K` ask for K cosignatures of witnesses you trust. Exit code 0: it verifies; 1: it does not,
and why; 2: usage. This file shares no code with the rest of Domicile: read it. It follows RFC 6962
and C2SP signed-note, tlog-checkpoint, tlog-tiles and tlog-cosignature.

WHAT IT PROVES. These entries, in this order, were signed under this key; none was altered, left
out or put in since any checkpoint that you or a trusted witness kept; what a cosigned head covers
is older than its cosignature; these keys approved this plan before it began; this person is in
the tree of people that the log names.
WHAT IT DOES NOT PROVE. That what was recorded happened; that no undeclared store, copy or export
exists, or that no copy was taken before; that an entry under no cosignature is as old as it says.
An operator who holds the key, and whom no witness watches, can rewrite everything.
"""

import json
import sys
import urllib.error
import urllib.request
from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from itertools import accumulate
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SKEW = 60  # seconds by which the clocks of operator and witness may differ
SIGNED = "approver decision estate_digest expires mandates_digest operator plan role signed"


class Wrong(Exception):
    """Something does not verify."""


def require(holds: object, said: str) -> None:
    """Raise Wrong unless it holds. (An `assert` would be skipped by `python -O`.)"""
    if not holds:
        raise Wrong(said)


def leaf(entry: bytes) -> bytes:
    """Hash of an entry."""
    return sha256(b"\0" + entry).digest()


def node(left: bytes, right: bytes) -> bytes:
    """Hash of two subtrees."""
    return sha256(b"\1" + left + right).digest()


def climb(here: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The root to which a path leads from leaf `index` of a tree of `size` (section 2.1.1)."""
    fits = 0 <= index < size and bool(path) == (size > 1)
    require(fits, f"the path does not lead to number {index} in a tree of {size}")
    half = 1 << (size - 1).bit_length() - 1 if path else 0
    if index < half:
        return node(climb(here, index, half, path[:-1]), path[-1])
    return node(path[-1], climb(here, index - half, size - half, path[:-1])) if path else here


def grown(old: int, new: int, root: bytes, path: list[bytes], whole: bool) -> tuple[bytes, bytes]:
    """Both roots to which a consistency path leads; `whole`: the old root is this very node."""
    fits = len(path) == (not whole) if old == new else 0 < old < new and path
    require(fits, "the path has another length than the trees'")
    if old == new:
        return (root, root) if whole else (path[0], path[0])
    half, top = 1 << (new - 1).bit_length() - 1, path[-1]
    if old <= half:
        was, now = grown(old, half, root, path[:-1], whole)
        return was, node(now, top)
    was, now = grown(old - half, new - half, root, path[:-1], False)
    return node(top, was), node(top, now)


def push(peaks: list[tuple[int, bytes]], top: bytes) -> None:
    """Add a leaf's hash to a growing tree: its complete subtrees from the left, with heights."""
    height = 0
    while peaks and peaks[-1][0] == height:
        top, height = node(peaks.pop()[1], top), height + 1
    peaks.append((height, top))


def root_of(peaks: list[tuple[int, bytes]]) -> bytes:
    """The root of a growing tree."""
    top = peaks[-1][1] if peaks else sha256(b"").digest()
    for _, left in reversed(peaks[:-1]):
        top = node(left, top)
    return top


@dataclass(frozen=True)
class Key:
    """A verifier key: type 1 signs notes, type 4 cosigns checkpoints with a time."""

    name: str
    type: int
    public: bytes
    id: bytes  # four bytes that name the key in a signature line

    @classmethod
    def read(cls, text: str) -> "Key":
        """From name+id+base64."""
        name, given, encoded = text.strip().split("+", 2)
        body = b64decode(encoded, validate=True)
        require(len(body) == 33 and body[0] in (1, 4), f"the key of {name} is not Ed25519")
        identity = sha256(f"{name}\n".encode() + body).digest()[:4]
        require(given == identity.hex(), f"the key id of {name} is not that of its bytes")
        return cls(name, body[0], body[1:], identity)

    def verifies(self, signature: bytes, message: str) -> int | None:
        """The time of a cosignature, 0 of another signature; None when it is wrong."""
        time, start = (int.from_bytes(signature[:8], "big"), 8) if self.type == 4 else (0, 0)
        message = f"cosignature/v1\ntime {time}\n{message}" if self.type == 4 else message
        try:
            public = Ed25519PublicKey.from_public_bytes(self.public)
            public.verify(signature[start:], message.encode())
        except InvalidSignature:
            return None
        return time


def head(note: str, keys: Sequence[Key], witnesses: Sequence[Key] = (), need: int = 0) -> Any:
    """Size, root and cosignature times of a checkpoint that one of `keys` signed."""
    text, _, lines = note.rpartition("\n\n")
    text, times, signed = text + "\n", dict[Key, int](), False
    for line in lines.splitlines():
        dash, name, encoded = line.split(" ")
        body = b64decode(encoded, validate=True)
        for key in [*keys, *witnesses]:
            if (dash, key.name, key.id) == ("—", name, body[:4]):
                time = key.verifies(body[4:], text)
                require(time is not None, f"the signature of {name} is wrong")
                signed = signed or key in keys
                times |= {key: time or 0} if key.type == 4 else {}
    require(signed, f"{keys[-1].name} ({keys[-1].id.hex()}) has not signed the checkpoint")
    origin, size, root = text.splitlines()[:3]
    require(origin == keys[-1].name, f"the checkpoint is of {origin}, not {keys[-1].name}")
    got = len({key.public for key in times})
    require(got >= need, f"{got} trusted witnesses have cosigned, {need} are needed")
    return int(size), b64decode(root, validate=True), times


def statement(kind: str, entry: dict[str, Any], names: str) -> str:
    """What is signed of an entry: these of its fields."""
    return f"domicile/{kind}/v1\n{canonical({n: entry[n] for n in names.split()}).decode()}\n"


def rotated(key: Key, entry: dict[str, Any], index: int | None = None) -> Key:
    """The key that follows `key` by an entry that both signed."""
    require(Key.read(entry["old_key"]) == key, f"a rotation is not of the key {key.id.hex()}")
    at, new = entry["index"], Key.read(entry["new_key"])
    require(index in (None, at), f"the rotation at entry {index} was made for entry {at}")
    require((new.name, new.type) == (key.name, 1), "the new key has another name")
    text = statement("key-rotation", entry, "index new_key old_key")
    for signer, which in ((key, "old_signature"), (new, "new_signature")):
        right = signer.verifies(b64decode(entry[which]), text) is not None
        require(right, f"the rotation at entry {at}: its {which} is wrong")
    return new


def fetch(source: str, path: str, *, must: bool = True) -> bytes:
    """A file of the log; empty when there is none and there need not be."""
    try:
        if not source.startswith(("http://", "https://")):
            return (Path(source) / path).read_bytes()
        with urllib.request.urlopen(f"{source.rstrip('/')}/{path}", timeout=30) as answer:  # noqa: S310
            return bytes(answer.read())
    except (FileNotFoundError, urllib.error.HTTPError) as error:
        gone = getattr(error, "code", 404) == 404
        require(gone and not must, f"{path} is missing" if gone else f"{path}: {error}")
    return b""


def raw_entries(source: str, size: int) -> Iterator[bytes]:
    """Every entry's bytes, in order, from the entry bundles."""
    for number in range(-(-size // 256)):
        width, path, rest = min(256, size - number * 256), f"{number % 1000:03d}", number // 1000
        while rest:
            path, rest = f"x{rest % 1000:03d}/{path}", rest // 1000
        path, at = f"tile/entries/{path}", 0
        partial = width < 256 and fetch(source, f"{path}.p/{width}", must=False)
        bundle = partial or fetch(source, path)
        for _ in range(width):
            length = int.from_bytes(bundle[at : at + 2], "big")
            require(at + 2 + length <= len(bundle), f"{path} is cut off")
            yield bundle[at + 2 : at + 2 + length]
            at += 2 + length


def canonical(entry: object) -> bytes:
    """Canonical JSON (RFC 8785), because entries have ASCII keys and no fractions."""
    return json.dumps(entry, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def digest_of(document: object) -> str:
    """As plans and entries name it."""
    return f"sha256:{sha256(canonical(document)).hexdigest()}"


@dataclass
class Log:
    """A log that is read once, from its first entry to its head, with every check on the way."""

    source: str
    key: Key  # the first one
    witnesses: Sequence[Key] = ()
    need: int = 0  # of their cosignatures
    approvers: Sequence[Key] = ()  # empty: whom the plan names
    since: str = ""  # an earlier checkpoint that the reader kept
    said: list[str] = field(default_factory=list)
    cosigned: dict[int, dict[Key, int]] = field(default_factory=dict)  # size → times

    def entries(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """(index, entry); what is wrong is raised at the latest after the last."""
        note = fetch(self.source, "checkpoint").decode()
        claimed = int(note.splitlines()[1])  # its signature is checked at the end
        sizes = fetch(self.source, "cosigned/sizes", must=False).decode().split()
        heads = {int(size): fetch(self.source, f"cosigned/{size}").decode() for size in sizes}
        kept = int(self.since.splitlines()[1]) if self.since else 0
        require(kept <= claimed, f"{claimed} entries, but you kept a head of {kept}: rolled back")
        peaks, keys = list[tuple[int, bytes]](), [self.key]
        undated, after, backdated = list[float](), 0.0, 0
        for index, content in enumerate(raw_entries(self.source, claimed)):
            entry = json.loads(content)
            require(canonical(entry) == content, f"entry {index} is not canonical JSON")
            push(peaks, leaf(content))
            if entry["kind"] == "key_rotated":
                keys.append(rotated(keys[-1], entry, index))
            undated.append(datetime.fromisoformat(entry["time"]).timestamp())
            backdated += undated[-1] < after - SKEW
            same = index + 1 != kept or root_of(peaks) == head(self.since, keys[-1:])[1]
            require(same, f"the first {kept} entries are not those you kept")
            if index + 1 in heads:
                after = self._date(heads[index + 1], keys[-1:], root_of(peaks), undated) or after
            yield index, entry
        size, root, times = head(note, keys[-1:], self.witnesses, self.need)
        require(root_of(peaks) == root, "the entries do not give the signed root")
        self._date(note, keys[-1:], root, undated)
        self.said = [f"{size} entries under the signed root {root.hex()}", *dates(times)]
        self.said += [f"{len(undated)} of them are dated by the operator's word alone"]
        self.said += [f"{backdated} claim to be older than a head without them"] * (backdated > 0)

    def _date(self, note: str, keys: list[Key], root: bytes, undated: list[float]) -> float:
        """Hold a cosigned head against the tree: what is below it is older than its time."""
        size, signed, times = head(note, keys, self.witnesses)
        require(root == signed, f"the cosigned head of {size} is of another history: a fork")
        late = sum(time > max(times.values()) + SKEW for time in undated) if times else 0
        require(not late, f"entries claim a time after the head of {size} was cosigned: {late}")
        undated[:], self.cosigned[size] = ([] if times else undated), times
        return float(min(times.values(), default=0))


def dates(times: dict[Key, int]) -> list[str]:
    """Cosignatures in words."""
    return [f"cosigned by {k.name} at {datetime.fromtimestamp(t, UTC)}" for k, t in times.items()]


def audit_proof(proof: dict[str, Any], log: Log) -> list[str]:
    """Follow the path from the entry to the signed root."""
    key = list(accumulate(proof.get("rotations", []), rotated, initial=log.key))[-1:]
    size, root, times = head(proof["checkpoint"], key, log.witnesses, log.need)
    index, here = proof["index"], leaf(canonical(proof["entry"]))
    same = climb(here, index, size, [b64decode(p) for p in proof["path"]]) == root
    require(same, "the path does not lead from the entry to the signed root")
    return [f"entry {index} is one of {size} under the signed root {root.hex()}", *dates(times)]


def audit_consistency(document: dict[str, Any], log: Log) -> list[str]:
    """That the newer of two signed heads extends the older."""
    keys = list(accumulate(document.get("rotations", []), rotated, initial=log.key))
    path = [b64decode(p) for p in document["path"]]
    old, old_root, _ = head(document["old"], keys)
    new, new_root, _ = head(document["new"], keys[-1:], log.witnesses, log.need)
    roots = grown(old, new, old_root, path, True) if old else (old_root, new_root)
    require(roots == (old_root, new_root), f"the log of {new} does not begin with that of {old}")
    return [f"the log of {new} entries begins with the log of {old}"]


def audit_plan(plan: dict[str, Any], log: Log) -> list[str]:
    """That the plan is the one in the log, and that all that it needs was there when it began."""
    digest = digest_of({name: plan[name] for name in plan if name != "digest"})
    require(plan["digest"] == digest, f"the plan was altered: its digest is {digest}")
    bound = (plan["estate_digest"], digest_of(plan["mandates"]))
    allowed = {a["key"]: (a["role"], a["operator"]) for a in plan.get("approvers", [])}
    named = [Key.read(each) for need in plan.get("witnesses", []) for each in need["of"]]
    log.witnesses, last, recorded = log.witnesses or named, -1, -1
    latest, said, began = dict[Key, dict[str, Any]](), list[str](), list[int]()
    for index, entry in log.entries():
        if entry.get("plan") != digest:
            continue
        recorded = index if entry["kind"] == "plan" else recorded
        if entry["kind"] == "approval" and "signature" in entry:
            key, who = Key.read(entry["approver"]), (entry["role"], entry["operator"])
            require(allowed.get(entry["approver"]) == who, f"{key.name} may not approve as {who}")
            require(not log.approvers or key in log.approvers, f"you do not trust {key.name}")
            same = bound == (entry["estate_digest"], entry["mandates_digest"])
            require(same, f"the approval at entry {index} is of another estate or mandates")
            text = statement("approval", entry, SIGNED)
            right = key.verifies(b64decode(entry["signature"]), text) is not None
            require(right, f"the approval at entry {index} is not by {key.name}")
            fresh = key not in latest or latest[key]["signed"] < entry["signed"]
            require(fresh, f"the approval at entry {index} is replayed")
            latest[key], last = entry, last if began else index
        elif entry["kind"] == "apply_started" and not entry.get("resumed"):
            began.append(index)
            for need in plan.get("approvals", []):
                who, names = (need["role"], need["operator"]), dict[bytes, str]()
                for key, given in latest.items():  # one key is one approver, whatever its names
                    if (given["role"], given["operator"], given["decision"]) == (*who, "approved"):
                        require(entry["time"] < given["expires"], f"that of {key.name} had expired")
                        names[key.public] = key.name
                got = f"begun with {len(names)} approvals as {who}, {need['need']} were needed"
                require(len(names) >= need["need"], got)
                said.append(f"approved as {who} by {', '.join(names.values())}")
    require(recorded >= 0, "the log does not hold this plan")
    for need in plan.get("witnesses", []) if began else []:
        of = {Key.read(text).public for text in need["of"]}
        heads = [
            times for size, times in log.cosigned.items() if max(recorded, last) < size <= began[0]
        ]
        most = max((len(of & {key.public for key in times}) for times in heads), default=0)
        require(
            most >= need["need"], f"begun under {most} cosignatures, {need['need']} were needed"
        )
        said.append(f"cosigned by {most} witnesses before it began")
    return [*log.said, f"the plan is entry {recorded}, begun at entry {began or 'none'}", *said]


def audit_receipt(receipt: dict[str, Any], log: Log) -> list[str]:
    """That this person is in the tree of people whose root the log holds, with this statement."""
    said, names = receipt["statement"], [receipt["subject"].encode(), receipt["key"].encode()]
    salt, entry = bytes.fromhex(receipt["salt"]), receipt["proof"]["entry"]
    require(len(salt) == 32, "the salt is not 256 bits")
    content = salt + sha256(canonical(said)).digest()
    content += b"".join(len(name).to_bytes(8, "big") + name for name in names)
    path = [b64decode(p) for p in receipt["path"]]
    root = climb(leaf(content), receipt["index"], entry["people"], path)
    require(f"sha256:{root.hex()}" == entry["people_root"], "this person is not in that tree")
    require(said["plan"] == entry["plan"], "the receipt is of another plan than its entry")
    return [
        f"{canonical(said).decode()}: one of {entry['people']} people",
        *audit_proof(receipt["proof"], log),
    ]


def audit_log(figures: list[dict[str, Any]], log: Log) -> list[str]:
    """Every entry, signature and cosigned head; and the figures of a report, if one is given."""
    held = {i: entry for i, entry in log.entries() if any(f["entry"] == i for f in figures)}
    for index, name, value in ((f["entry"], f["field"], f["value"]) for f in figures):
        got = held.get(index, {}).get(name)
        require(got == value, f"the report says {name} = {value}, entry {index} says {got}")
    return [*log.said, *[f"{len(figures)} figures are those of their entries"][: len(figures)]]


AUDITS: dict[str, Any] = {
    "log": audit_log, "proof": audit_proof, "consistency": audit_consistency,
    "plan": audit_plan, "receipt": audit_receipt, "figures": audit_log,
}  # fmt: skip
MISSHAPEN = (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError)


def main(arguments: list[str]) -> int:
    """Run the command line; the exit code."""
    options = {name: list[str]() for name in ("--witness", "--approver", "--need", "--since")}
    words, rest = list[str](), iter(arguments)
    for word in rest:
        (options[word].append(next(rest, "")) if word in options else words.append(word))
    command = (words or [""])[0]
    if command not in AUDITS or len(words) != (4 if command in ("plan", "figures") else 3):
        print(__doc__)
        return 2
    try:
        witnesses, approvers = ([Key.read(k) for k in options[o]] for o in list(options)[:2])
        need = int(options["--need"][0]) if options["--need"] else len(witnesses)
        since = Path(options["--since"][0]).read_text("utf-8") if options["--since"] else ""
        document = [] if command == "log" else json.loads(Path(words[1]).read_bytes())
        log = Log(words[-2], Key.read(words[-1]), witnesses, need, approvers, since)
        print("\n".join(AUDITS[command](document, log)))
        return 0
    except (Wrong, *MISSHAPEN) as e:
        print(f"DOES NOT VERIFY: {'' if isinstance(e, Wrong) else f'{type(e).__name__}: '}{e}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
