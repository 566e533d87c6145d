"""Verify Domicile's evidence with the standard library and one signature library.

    domicile_verify.py log SOURCE KEY [--since CHECKPOINT]      the whole log
    domicile_verify.py proof FILE KEY                           that one entry is in it
    domicile_verify.py consistency FILE KEY                     that it only grew
    domicile_verify.py plan PLAN SOURCE KEY [--approver VKEY]   who approved, before it began
    domicile_verify.py receipt FILE KEY                         one person's own data
    domicile_verify.py review FILE SOURCE KEY                   a review and its figures

SOURCE is a log's directory or http(s) address. KEY is the log's first verifier key, which you must
have by another way than the log; later ones are followed from it. `--witness VKEY` (repeat it) and
`--need K` ask for K cosignatures of witnesses you trust. Exit code 0: it verifies; 1: it does not,
and why; 2: usage. This shares no code with Domicile: read it. It follows RFC 6962 and C2SP.

WHAT IT PROVES. These entries, in this order, were signed under this key; none was altered, left
out or put in since a checkpoint that you or a trusted witness kept; what a cosigned head covers is
older than its cosignature; these keys approved this plan before it began; this person is in the
tree of people that the log names; this review's marked figures are those of its entries.
WHAT IT DOES NOT PROVE. That what was recorded happened; that no undeclared store, copy or export
exists, or no copy was taken before; that an entry under no cosignature is as old as it says. Who
holds the key, with no witness watching, can rewrite everything.
"""

import json
import re
import sys
import urllib.error
import urllib.request
from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from hashlib import sha256
from html import unescape
from itertools import accumulate
from operator import add
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SKEW = 60  # seconds by which the clocks of operator and witness may differ
SIGNED = "approver decision estate_digest expires mandates_digest operator plan role signed"


class Wrong(ValueError):
    """Something does not verify."""


def require(holds: object, said: str) -> None:
    """Raise Wrong unless it holds. (An `assert` would be skipped by `python -O`.)"""
    if not holds:
        raise Wrong(said)


def canonical(entry: object) -> bytes:
    """Canonical JSON (RFC 8785), because entries have ASCII keys and no fractions."""
    return json.dumps(entry, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def digest_of(document: object) -> str:
    """As plans and entries name it."""
    return f"sha256:{sha256(canonical(document)).hexdigest()}"


def node(*parts: bytes, kind: bytes = b"\1") -> bytes:
    """Hash of two subtrees; of one entry with the kind 0 (section 2.1)."""
    return sha256(kind + b"".join(parts)).digest()


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


class Key(NamedTuple):
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

    def verifies(self, signature: bytes, text: str) -> int | None:
        """The time of a cosignature, 0 of another signature; None when it is wrong."""
        time, start = (int.from_bytes(signature[:8], "big"), 8) if self.type == 4 else (0, 0)
        text = f"cosignature/v1\ntime {time}\n{text}" if self.type == 4 else text
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature[start:], text.encode())
        except InvalidSignature:
            return None
        return time

    def signed(self, kind: str, entry: dict[str, Any], names: str, by: str = "signature") -> bool:
        """Whether its signature is on these fields of an entry."""
        text = f"domicile/{kind}/v1\n{canonical({n: entry[n] for n in names.split()}).decode()}\n"
        return self.verifies(b64decode(entry[by]), text) is not None

    def rotated(self, entry: dict[str, Any], index: int | None = None) -> "Key":
        """The key that follows this one by an entry that both signed."""
        at, new = entry["index"], Key.read(entry["new_key"])
        require(Key.read(entry["old_key"]) == self, f"a rotation is not of the key {self.id.hex()}")
        require(index in (None, at), f"the rotation at entry {index} was made for entry {at}")
        require((new.name, new.type) == (self.name, 1), "the new key has another name")
        for signer, by in ((self, "old_signature"), (new, "new_signature")):
            right = signer.signed("key-rotation", entry, "index new_key old_key", by)
            require(right, f"the rotation at entry {at}: its {by} is wrong")
        return new


def opened(note: str, keys: Sequence[Key]) -> tuple[str, dict[Key, int]]:
    """A note's text, and which of `keys` signed it, each with the time of its cosignature."""
    text, _, lines = note.rpartition("\n\n")
    text, found = text + "\n", dict[Key, int]()
    for dash, name, encoded in (line.split(" ") for line in lines[:-1].split("\n")):
        body = b64decode(encoded, validate=True)
        for key in keys:
            if (dash, key.name, key.id) == ("—", name, body[:4]):
                time = key.verifies(body[4:], text)
                require(time is not None, f"the signature of {name} is wrong")
                found[key] = time or 0
    return text, found


@dataclass
class Log:
    """A log that is read once, from its first entry to its head, with every check on the way."""

    source: str
    key: Key  # the first one
    witnesses: Sequence[Key] = ()  # empty: whom a plan or a review names
    need: int = 0  # of their cosignatures
    approvers: Sequence[Key] = ()  # empty: whom the plan names
    since: str = ""  # an earlier checkpoint that the reader kept

    def fetch(self, path: str, *, must: bool = True) -> bytes:
        """A file of the log; empty when there is none and there need not be."""
        try:
            if not self.source.startswith(("http://", "https://")):
                return (Path(self.source) / path).read_bytes()
            with urllib.request.urlopen(f"{self.source.rstrip('/')}/{path}", timeout=30) as answer:  # noqa: S310
                return bytes(answer.read(1 << 25))  # no file of a log is larger
        except (FileNotFoundError, urllib.error.HTTPError) as error:
            gone = getattr(error, "code", 404) == 404
            require(gone and not must, f"{path} is missing" if gone else f"{path}: {error}")
        return b""

    def contents(self, size: int) -> Iterator[bytes]:
        """Every entry's bytes, in order, from the entry bundles."""
        for number in range(-(-size // 256)):
            path, rest, at = f"{number % 1000:03d}", number // 1000, 0
            while rest:
                path, rest = f"x{rest % 1000:03d}/{path}", rest // 1000
            path, width = f"tile/entries/{path}", min(256, size - number * 256)
            partial = width < 256 and self.fetch(f"{path}.p/{width}", must=False)
            bundle = partial or self.fetch(path)
            for _ in range(width):
                length = int.from_bytes(bundle[at : at + 2], "big")
                require(at + 2 + length <= len(bundle), f"{path} is cut off")
                yield bundle[at + 2 : at + 2 + length]
                at += 2 + length

    def root(self) -> bytes:
        """The root of the tree so far."""
        tops = [top for _, top in reversed(self.peaks)] or [sha256(b"").digest()]
        return reduce(lambda right, left: node(left, right), tops)

    def head(self, note: str, keys: Sequence[Key], need: int = 0) -> Any:
        """Size, root, cosignatures (also in words) of a checkpoint that one of `keys` signed."""
        text, found = opened(note, [*keys, *self.witnesses])
        signed = any(key in found for key in keys)
        require(signed, f"{keys[-1].name} ({keys[-1].id.hex()}) has not signed the checkpoint")
        origin, size, root = text.split("\n")[:3]
        require(origin == keys[-1].name, f"the checkpoint is of {origin}, not {keys[-1].name}")
        times = {key: time for key, time in found.items() if key.type == 4}
        got = len({key.public for key in times})
        require(got >= need, f"{got} trusted witnesses have cosigned, {need} are needed")
        said = [f"cosigned by {k.name}, {datetime.fromtimestamp(t, UTC)}" for k, t in times.items()]
        return int(size), b64decode(root, validate=True), times, said

    def entries(self, needs: Any = ()) -> Iterator[tuple[int, dict[str, Any]]]:
        """(index, entry); what is wrong is raised at the latest after the last."""
        named = [Key.read(each) for need in needs for each in need["of"]]
        self.keys, self.witnesses = [self.key], self.witnesses or named
        self.peaks, self.cosigned = list[tuple[int, bytes]](), dict[int, dict[Key, int]]()
        note = self.fetch("checkpoint").decode()
        claimed = int(note.split("\n")[1])  # its signature is checked at the end
        sizes = self.fetch("cosigned/sizes", must=False).decode().split()
        heads = {int(size): self.fetch(f"cosigned/{size}").decode() for size in sizes}
        kept = int(self.since.split("\n")[1]) if self.since else 0
        require(kept <= claimed, f"{claimed} entries, but you kept a head of {kept}: rolled back")
        undated, after, backdated = list[float](), 0.0, 0
        for index, content in enumerate(self.contents(claimed)):
            entry = json.loads(content, parse_float=int, parse_constant=int)  # these have none
            require(canonical(entry) == content, f"entry {index} is not canonical JSON")
            top, height = node(content, kind=b"\0"), 0
            while self.peaks and self.peaks[-1][0] == height:
                top, height = node(self.peaks.pop()[1], top), height + 1
            self.peaks.append((height, top))
            if entry["kind"] == "key_rotated":
                self.keys.append(self.keys[-1].rotated(entry, index))
            undated.append(datetime.fromisoformat(entry["time"]).timestamp())
            backdated += undated[-1] < after - SKEW
            same = index + 1 != kept or self.root() == self.head(self.since, self.keys[-1:])[1]
            require(same, f"the first {kept} entries are not those you kept")
            if index + 1 in heads:
                after = self.date(heads[index + 1], undated) or after
            yield index, entry
        size, root, _, said = self.head(note, self.keys[-1:], self.need)
        require(self.root() == root, "the entries do not give the signed root")
        self.date(note, undated)
        self.said = [f"{size} entries under the signed root {root.hex()}", *said]
        self.said += [f"{len(undated)} of them are dated by the operator's word alone"]
        self.said += [f"{backdated} claim to be older than a head without them"] * (backdated > 0)

    def date(self, note: str, undated: list[float]) -> float:
        """Hold a cosigned head against the tree: what is below it is older than its time."""
        size, root, times, _ = self.head(note, self.keys[-1:])
        require(self.root() == root, f"the cosigned head of {size} is of another history: a fork")
        late = sum(time > max(times.values()) + SKEW for time in undated) if times else 0
        require(not late, f"entries claim a time after the head of {size} was cosigned: {late}")
        undated[:], self.cosigned[size] = ([] if times else undated), times
        return float(min(times.values(), default=0))

    def enough(self, needs: Any, after: int, until: float, done: str) -> list[str]:
        """That a head between two sizes has the cosignatures that are needed."""
        heads = [set(times) for size, times in self.cosigned.items() if after < size <= until]
        for need in needs:
            of = {Key.read(each).public for each in need["of"]}
            most = max((len(of & {key.public for key in times}) for times in heads), default=0)
            require(most >= need["need"], f"{done} under {most} cosignatures, of {need['need']}")
        return [f"{done} under the cosignatures that are needed"] * bool(needs)


def audit_log(_: object, log: Log) -> list[str]:
    """Every entry, signature and cosigned head."""
    return log.said if all(entry for _, entry in log.entries()) else []


def audit_proof(proof: dict[str, Any], log: Log) -> list[str]:
    """Follow the path from the entry to the signed root."""
    keys = list(accumulate(proof.get("rotations", []), Key.rotated, initial=log.key))
    size, root, _, said = log.head(proof["checkpoint"], keys[-1:], log.need)
    index, here = proof["index"], node(canonical(proof["entry"]), kind=b"\0")
    same = climb(here, index, size, [b64decode(p) for p in proof["path"]]) == root
    require(same, "the path does not lead from the entry to the signed root")
    return [f"entry {index} is one of {size} under the signed root {root.hex()}", *said]


def audit_consistency(document: dict[str, Any], log: Log) -> list[str]:
    """That the newer of two signed heads extends the older."""
    keys = list(accumulate(document.get("rotations", []), Key.rotated, initial=log.key))
    path = [b64decode(p) for p in document["path"]]
    old, old_root, *_ = log.head(document["old"], keys)
    new, new_root, *_ = log.head(document["new"], keys[-1:], log.need)
    roots = grown(old, new, old_root, path, True) if old else (old_root, new_root)
    require(roots == (old_root, new_root), f"the log of {new} does not begin with that of {old}")
    return [f"the log of {new} entries begins with the log of {old}"]


def audit_plan(plan: dict[str, Any], log: Log) -> list[str]:
    """That the plan is the one in the log, and that all that it needs was there when it began."""
    timed = {n: plan[n] for n in ("cost", "what_if") if isinstance(plan.get(n), dict)}
    bare = {n: {k: p[k] for k in p if k not in ("seconds", "rests_on")} for n, p in timed.items()}
    digest = digest_of({n: bare.get(n, p) for n, p in plan.items() if n != "digest"})
    require(plan["digest"] == digest, f"the plan was altered: its digest is {digest}")
    bound = (plan["estate_digest"], digest_of(plan["mandates"]))
    allowed = {a["key"]: (a["role"], a["operator"]) for a in plan.get("approvers", [])}
    needs, last, recorded = plan.get("witnesses", []), -1, -1
    latest, said, began = dict[Key, dict[str, Any]](), list[str](), list[int]()
    for index, entry in ((i, e) for i, e in log.entries(needs) if e.get("plan") == digest):
        recorded = index if entry["kind"] == "plan" else recorded
        if entry["kind"] == "approval" and "signature" in entry:
            key, who = Key.read(entry["approver"]), (entry["role"], entry["operator"])
            require(allowed.get(entry["approver"]) == who, f"{key.name} may not approve as {who}")
            require(not log.approvers or key in log.approvers, f"you do not trust {key.name}")
            it = f"the approval at entry {index}"
            same_as = (entry["estate_digest"], entry["mandates_digest"])
            require(same_as == bound, f"{it} is of another estate or mandates")
            require(key.signed("approval", entry, SIGNED), f"{it} is not by {key.name}")
            before = latest.get(key, {"signed": ""})["signed"]
            require(before < entry["signed"], f"{it} is replayed")
            latest[key], last = entry, last if began else index
        elif entry["kind"] == "apply_started" and not entry.get("resumed"):
            began.append(index)
            seen = max((t for times in log.cosigned.values() for t in times.values()), default=SKEW)
            at = max(entry["time"], f"{datetime.fromtimestamp(seen - SKEW, UTC):%FT%TZ}")
            for need in plan.get("approvals", []):
                who, names = (need["role"], need["operator"]), dict[bytes, str]()
                for key, given in latest.items():  # one key is one approver, whatever its names
                    if [given[n] for n in ("role", "operator", "decision")] == [*who, "approved"]:
                        require(at < given["expires"], f"that of {key.name} had expired")
                        names[key.public] = key.name
                got = f"begun with {len(names)} approvals as {who}, {need['need']} were needed"
                require(len(names) >= need["need"], got)
                said.append(f"approved as {who} by {', '.join(names.values())}")
    require(recorded >= 0, "the log does not hold this plan")
    said += log.enough(needs, max(recorded, last), began[0], "begun") if began else []
    return [*log.said, f"the plan is entry {recorded}, begun at entry {began or 'none'}", *said]


def audit_receipt(receipt: dict[str, Any], log: Log) -> list[str]:
    """That this person is in the tree of people whose root the log holds, with this statement."""
    said, names = receipt["statement"], [receipt["subject"].encode(), receipt["key"].encode()]
    salt, entry = bytes.fromhex(receipt["salt"]), receipt["proof"]["entry"]
    require(len(salt) == 32, "the salt is not 256 bits")
    content = salt + sha256(canonical(said)).digest()
    content += b"".join(len(name).to_bytes(8, "big") + name for name in names)
    path = [b64decode(p) for p in receipt["path"]]
    root = climb(node(content, kind=b"\0"), receipt["index"], entry["people"], path)
    require(f"sha256:{root.hex()}" == entry["people_root"], "this person is not in that tree")
    require(said["plan"] == entry["plan"], "the receipt is of another plan than its entry")
    one = f"{canonical(said).decode()}: one of {entry['people']} people"
    return [one, *audit_proof(receipt["proof"], log)]


def audit_review(file: Path, log: Log) -> list[str]:
    """That each figure shown was signed and is what the entries say, and the file unaltered."""
    page = file.read_bytes()
    found = re.search(rb'(?<=<pre id="signed">)[^<\n]*\n[^<\n]*\n\n[^<\n]*\n(?=</pre>)', page)
    note = unescape(found[0].decode()) if found else Path(f"{file}.note").read_text("utf-8")
    page = page[: found.start()] + page[found.end() :] if found else page
    review = json.loads(note.removeprefix("domicile/review/v1\n").split("\n")[0])
    shown = re.findall(r'data-figure="(\w+)"[^>]*>([^<]*)<', page.decode()) if found else []
    figures, held, recorded = review["figures"], dict[int, Any](), list[int]()
    for name, value, seen in ((figures[i]["name"], figures[i]["value"], seen) for i, seen in shown):
        forms = [f"{value:,}".replace(",", m) for m in ",."] if isinstance(value, int) else [value]
        require(seen in forms, f"{name}: {value} was signed, and {seen} is shown")
    require(review["file"] == f"sha256:{sha256(page).hexdigest()}", "altered beside its figures")
    wanted = {place[0] for figure in figures.values() for place in figure["of"]}
    log.since, mine = log.since or review["checkpoint"], ("review", digest_of(review))
    for index, entry in log.entries(review["witnesses"]):
        held |= {index: entry} if index in wanted else {}
        recorded += [index] if (entry["kind"], entry.get("digest")) == mine else []
    for name, value, of in ((f["name"], f["value"], f["of"]) for f in figures.values()):
        got = reduce(add, (reduce(lambda e, step: e[step], way, held[at]) for at, *way in of))
        require(got == value, f"{name}: the review says {value}, entry {of[0][0]} says {got}")
    require(opened(note, log.keys)[1], "no key of the log has signed the review")
    require(recorded, "the log does not hold this review")
    said = log.enough(review["witnesses"], review["assessment"], float("inf"), "assessed")
    return [*log.said, f"the review is entry {recorded[-1]}: {len(figures)} figures hold", *said]


def main(arguments: list[str]) -> int:
    """Run the command line; the exit code."""
    options = {name: list[str]() for name in ("--witness", "--approver", "--need", "--since")}
    words, rest = list[str](), iter(arguments)
    for word in rest:
        (options[word].append(next(rest, "")) if word in options else words.append(word))
    command = (words or [""])[0]
    if f"audit_{command}" not in globals() or len(words) != 3 + (command in ("plan", "review")):
        print(__doc__)
        return 2
    try:
        witnesses, approvers = ([Key.read(k) for k in options[o]] for o in list(options)[:2])
        need = int(options["--need"][0]) if options["--need"] else len(witnesses)
        since = Path(options["--since"][0]).read_text("utf-8") if options["--since"] else ""
        path: Any = Path(words[1])
        asked = path if command in ("log", "review") else json.loads(path.read_bytes())
        log = Log(words[-2], Key.read(words[-1]), witnesses, need, approvers, since)
        print("\n".join(globals()[f"audit_{command}"](asked, log)))
        return 0
    except Exception as e:  # noqa: BLE001 - whatever a hostile document or server leads to
        print(f"DOES NOT VERIFY: {'' if isinstance(e, Wrong) else f'{type(e).__name__}: '}{e}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
