# ruff: noqa: E501 - the table reads with one forgery a line
"""Makes every forgery of the table in docs/forgeries.md; `python -m tests.verifier.forgeries DIR`
writes the genuine evidence to look at.

The genuine evidence: a log of 300 entries in which a plan was made, approved by two people,
cosigned, begun and finished, a receipt and a review, as a page and as a PDF. Each forgery is a function that gets
a copy of all that, does what its name says, and gives back what is to be asked of the verifier.
"""

from __future__ import annotations

import base64
import copy
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa

from domicile.evidence.approval import SIGNED, approve
from domicile.evidence.canonical import encode
from domicile.evidence.keys import COSIGNATURE, SigningKey
from domicile.evidence.kinds import make
from domicile.evidence.log import Log
from domicile.evidence.merkle import leaf_hash
from domicile.evidence.note import Checkpoint, sign_note
from domicile.evidence.people_tree import Group, PeopleTree, build, frame, leaf_of
from domicile.evidence.receipt import statement_digest
from domicile.evidence.rotation import statement
from domicile.evidence.tiles import Frontier, pack_bundle
from domicile.plan.document import digest_of
from domicile.review.figures import Figures
from domicile.review.html import to_html, with_signed
from domicile.review.issue import body, text_of
from domicile.review.issue import digest_of as digest
from domicile.review.model import Paragraph, Review, Section, Table
from tests.evidence.making import KEY, ORIGIN, entry
from verifier import domicile_verify as verifier

PLATFORM, CUSTODIAN = (
    SigningKey(f"{n}.example/dpo", n.encode() * 4) for n in ("platform", "custody_")
)
WITNESS = SigningKey("regulator.example/w1", b"w" * 32, COSIGNATURE)
THIEF = SigningKey(ORIGIN, b"t" * 32)
SALTS, DIGEST = b"s" * 32, "sha256:" + "cd" * 32


@dataclass
class Case:
    """The evidence as somebody is shown it."""

    directory: Path
    entries: list[dict[str, Any]]
    plan: dict[str, Any]
    receipt: dict[str, Any]
    page: bytes  # a review without its signed figures
    pdf: bytes
    said: dict[str, dict[str, Any]]  # what is signed of both, by form
    note: dict[str, str]  # that, signed
    proof: dict[str, Any]
    consistency: dict[str, Any]
    kept: str  # a checkpoint that the reader kept
    heads: dict[int, str] = field(default_factory=dict)  # cosigned heads by size

    def verifying(self, **more: Any) -> verifier.Log:
        """As a reader asks: with the log's key, one witness, and what they kept."""
        asked: dict[str, Any] = {"witnesses": [_key(WITNESS)], "need": 1, "since": self.kept}
        return verifier.Log(str(self.directory), _key(KEY), **asked | more)


def _key(key: SigningKey) -> verifier.Key:
    return verifier.Key.read(str(key.verifier))


def cosigned(note: str, time: int) -> str:
    """The note with the witness's cosignature."""
    text = note.rpartition("\n\n")[0] + "\n"
    body = WITNESS.verifier.id + WITNESS.cosign(text, time)
    return f"{note}— {WITNESS.name} {base64.b64encode(body).decode()}\n"


def written(case: Case, entries: list[dict[str, Any]], key: SigningKey = KEY) -> Case:
    """The log's files for these entries, its head signed by `key`, cosigned as it was."""
    directory, frontier = case.directory, Frontier()
    shutil.rmtree(directory, ignore_errors=True)
    contents = [encode(e) for e in entries]
    frontier.add([leaf_hash(c) for c in contents])
    for at in range(0, len(contents), 256):
        part = contents[at : at + 256]
        name = f"tile/entries/{at // 256:03d}" + ("" if len(part) == 256 else f".p/{len(part)}")
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(pack_bundle(part))
    head = Checkpoint(key.name, len(contents), frontier.root())
    (directory / "checkpoint").write_text(cosigned(sign_note(head.text, key), NOON + 7200))
    (directory / "cosigned").mkdir()
    for size, note in case.heads.items():
        (directory / f"cosigned/{size}").write_text(note)
    (directory / "cosigned/sizes").write_text("".join(f"{s}\n" for s in case.heads))
    return replace(case, entries=entries)


NOON = int(datetime(2026, 1, 23, 10, tzinfo=UTC).timestamp())
BEGUN = "2026-01-23T11:00:00Z"


def at(time: str, made: dict[str, Any]) -> dict[str, Any]:
    """An entry at a time of ours."""
    return {**made, "time": time}


def approval(plan: dict[str, Any], key: SigningKey, **change: str) -> dict[str, Any]:
    """An approval as an entry; what is changed is signed, too."""
    given: dict[str, Any] = approve(plan, key, expires=datetime(2027, 1, 1, tzinfo=UTC))
    given |= {"signed": "2026-01-23T10:00:00.000Z"} | change
    said = statement("approval", {name: given[name] for name in SIGNED})
    given["signature"] = base64.b64encode(key.sign(said)).decode()
    made = make("approval", "test", principal="ab" * 32, **given)
    return at("2026-01-23T10:00:00Z", made)


def planned(**change: Any) -> dict[str, Any]:
    """A plan that two people approve and one witness sees."""
    approvers = [(PLATFORM, "platform", "Shop Ltd"), (CUSTODIAN, "custodian", "Trust Inc")]
    plan: dict[str, Any] = {
        "version": 1, "estate": "test", "estate_digest": DIGEST, "steps": [{"id": "s1", "rows": 7}],
        "mandates": [{"id": "us", "digest": DIGEST, "status": "voluntary"}],
        "approvers": [{"key": str(k.verifier), "role": r, "operator": o} for k, r, o in approvers],
        "approvals": [{"mandate": "us", "role": r, "operator": o, "need": 1}
                      for _, r, o in approvers],
        "witnesses": [{"mandate": "us", "need": 1, "of": [str(WITNESS.verifier)]}],
        **change,
    }  # fmt: skip
    plan["digest"] = digest_of(plan)
    return plan


def story(plan: dict[str, Any], people: int, root: str) -> list[dict[str, Any]]:
    """The entries of the genuine log, 0 to 299."""
    acts = [{"act": "moved", "subject": "customer", "people": people}]
    mandates = [{"mandate": "us", "digest": DIGEST}]
    digest = plan["digest"]
    told = [
        make("plan", "test", plan=digest, estate_digest=DIGEST, mandates=mandates, steps=1),
        approval(plan, PLATFORM),
        approval(plan, CUSTODIAN),
        at(BEGUN, make("apply_started", "test", plan=digest, run="ab" * 8, steps=1)),
        at(
            BEGUN, make("receipts", "test", plan=digest, people_root=root, people=people, acts=acts)
        ),
    ]
    told[0] = at("2026-01-23T10:00:00Z", told[0])
    return told + [at(BEGUN, entry(n)) for n in range(5, 300)]


def genuine(folder: Path) -> Case:
    """Everything, as it is when nobody forged anything."""
    plan = planned()
    said = {"act": "moved", "plan": plan["digest"], "from": "abroad", "to": "home"}
    keys = [pa.array([str(n) for n in range(50)], pa.string())]
    group = Group(statement_digest(said), frame(b"customer"), keys)
    size, root = build(folder / "people", [group], SALTS, {})
    entries = story(plan, size, f"sha256:{root.hex()}")
    log = Log.open(folder / "made", origin=ORIGIN, key=KEY)
    log.append(entries[:3])
    early, kept = log.checkpoint(), log.checkpoint()
    log.append(entries[3:])
    tree = PeopleTree(folder / "people")
    salt, leaf = leaf_of(SALTS, statement_digest(said), frame(b"customer"), b"7")
    index = tree.find(leaf)
    assert index is not None
    path = [base64.b64encode(p).decode() for p in tree.path(index)]
    head = cosigned(log.checkpoint(), NOON + 7200)
    proof = {**log.inclusion(4).to_json(), "entry": log.entry(4), "checkpoint": head}
    receipt = {"subject": "customer", "key": "7", "salt": salt.hex(), "statement": said,
               "index": index, "path": path, "proof": proof}  # fmt: skip
    steps = [base64.b64encode(p).decode() for p in log.consistency(3).path]
    consistency = {"old": early, "new": head, "path": steps}
    heads = {3: cosigned(early, NOON + 60)}
    page, pdf = to_html(review(entries)), b"%PDF-1.7 of which the verifier reads the bytes only"
    said = {form: told_of(entries, form, made) for form, made in (("html", page), ("pdf", pdf))}
    entries[298:] = [
        at(BEGUN, make("review", "test", digest=digest(told), assessment=200,
                       figures=len(told["figures"]), form=form, language="en"))
        for form, told in said.items()
    ]  # fmt: skip
    notes = {form: sign_note(text_of(told), KEY) for form, told in said.items()}
    case = Case(
        folder / "log", entries, plan, receipt, page, pdf, said, notes, proof, consistency, kept,
        heads,
    )  # fmt: skip
    return written(case, entries)


def review(entries: list[dict[str, Any]]) -> Review:
    """A review of three figures, one of them the sum of two, one a digest."""
    figures = Figures(dict(enumerate(entries)))
    people = figures.of("people with a receipt", (4, "people"))
    rows = figures.of("rows moved", (7, "rows"), (8, "rows"))
    digest_ = figures.of("the digest of the plan", (0, "plan"))
    blocks = (
        Paragraph(("The clause is held. People: ", people, "; plan ", digest_)),
        Table("Moved", ("what", "rows"), ((("all",), (rows,)),), frozenset({1})),
    )
    return Review("en", "Review of test", (), (Section("summary", "In short", blocks),), ())


def told_of(entries: list[dict[str, Any]], form: Any, made: bytes) -> dict[str, Any]:
    """What is signed of it, under a head of 298 entries."""
    needs = [{"need": 1, "of": [str(WITNESS.verifier)]}]
    return body(review(entries), made, form, estate="test", as_of="2026-01-23", assessment=200,
                checkpoint=head_of(entries[:298]), needs=needs)  # fmt: skip


def head_of(entries: list[dict[str, Any]], key: SigningKey = KEY) -> str:
    frontier = Frontier()
    frontier.add([leaf_hash(encode(e)) for e in entries])
    return sign_note(Checkpoint(ORIGIN, len(entries), frontier.root()).text, key)


def reviewed(case: Case, form: str, **more: Any) -> list[str]:
    """Ask the verifier about the review, as a file beside the log."""
    file = case.directory.parent / f"review.{form}"
    if form == "html":
        file.write_bytes(with_signed(case.page, case.note["html"]))
    else:
        file.write_bytes(case.pdf)
        file.with_name("review.pdf.note").write_text(case.note["pdf"], "utf-8")
    return verifier.audit_review(file, case.verifying(**more))


Question = Callable[[Case], object]
LOG: Question = lambda case: verifier.audit_log([], case.verifying())  # noqa: E731
PLAN: Question = lambda case: verifier.audit_plan(case.plan, case.verifying())  # noqa: E731
RECEIPT: Question = lambda case: verifier.audit_receipt(case.receipt, case.verifying())  # noqa: E731
PROOF: Question = lambda case: verifier.audit_proof(case.proof, case.verifying())  # noqa: E731
PAGE: Question = lambda case: reviewed(case, "html")  # noqa: E731
PDF: Question = lambda case: reviewed(case, "pdf")  # noqa: E731
GREW: Question = lambda case: verifier.audit_consistency(case.consistency, case.verifying())  # noqa: E731


@dataclass(frozen=True)
class Forgery:
    """What is done, to which question it is put, and the reason with which it is refused."""

    said: str
    make: Callable[[Case], Case]
    ask: Question
    reason: str


def files(change: Callable[[Case], None]) -> Callable[[Case], Case]:
    """A forger without the key: changes files."""

    def made(case: Case) -> Case:
        change(case)
        return case

    return made


def history(
    change: Callable[[list[dict[str, Any]]], object], key: SigningKey = KEY, *, heads: bool = True
) -> Callable[[Case], Case]:
    """A forger with the key: another history, signed."""

    def made(case: Case) -> Case:
        entries = copy.deepcopy(case.entries)
        change(entries)
        return written(case if heads else replace(case, heads={}), entries, key)

    return made


def part(name: str, change: Callable[[Any], Any]) -> Callable[[Case], Case]:
    """One document is changed; `change` gives the new one."""
    return lambda case: replace(case, **{name: change(copy.deepcopy(getattr(case, name)))})


def plan_story(
    change: Callable[[dict[str, Any], list[dict[str, Any]]], object], size: int = 3
) -> Callable[[Case], Case]:
    """The operator tells a plan's story otherwise, for somebody who kept nothing, and the witness
    cosigned its first entries all the same (it does not read them)."""

    def made(case: Case) -> Case:
        entries = story(case.plan, 50, case.entries[4]["people_root"])
        change(case.plan, entries)
        return cosign_again(case, entries, size)

    return made


def expired_unseen(case: Case) -> Case:
    """The operator dates the beginning before an approval's end, which a witness saw pass."""
    entries = story(case.plan, 50, case.entries[4]["people_root"])
    entries[2] = approval(case.plan, CUSTODIAN, expires="2026-01-23T11:15:00Z")
    return cosign_again(case, entries, later=5400)


def cosign_again(case: Case, entries: list[dict[str, Any]], size: int = 3, later: int = 60) -> Case:
    frontier = Frontier()
    frontier.add([leaf_hash(encode(e)) for e in entries[:size]])
    early = sign_note(Checkpoint(ORIGIN, size, frontier.root()).text, KEY)
    return written(replace(case, kept="", heads={size: cosigned(early, NOON + later)}), entries)


def flip(path: str, where: int = 40) -> Callable[[Case], None]:
    """One bit of a file."""

    def change(case: Case) -> None:
        content = bytearray((case.directory / path).read_bytes())
        content[where] ^= 1
        (case.directory / path).write_bytes(content)

    return change


def text(path: str, old: str, new: str) -> Callable[[Case], None]:
    """A text in a file."""

    def change(case: Case) -> None:
        content = (case.directory / path).read_text()
        assert old in content
        (case.directory / path).write_text(content.replace(old, new, 1))

    return change


def cut(path: str) -> Callable[[Case], None]:
    """A file without its end."""

    def change(case: Case) -> None:
        content = (case.directory / path).read_bytes()
        (case.directory / path).write_bytes(content[:-9])

    return change


def uncosign(case: Case) -> None:
    """The head with the log's signature only."""
    (case.directory / "checkpoint").write_text(signed(case, 300))


def swap(entries: list[Any], one: int, other: int) -> None:
    entries[one], entries[other] = entries[other], entries[one]


def resign(plan: dict[str, Any], **change: Any) -> dict[str, Any]:
    """A plan altered, with its digest made anew."""
    altered = {**plan, **change}
    altered.pop("digest")
    return {**altered, "digest": digest_of(altered)}


NOT_ROOT, KEPT = "do not give the signed root", "not those you kept"
NOT_IN_TREE, NO_PATH = "not in that tree", "does not lead"
LAPSED = (datetime(2026, 1, 23, 10, 30, tzinfo=UTC) + timedelta(0)).strftime("%Y-%m-%dT%H:%M:%SZ")

FORGERIES: dict[str, Forgery] = {
    "entry_altered": Forgery("a bit of an entry is flipped", files(flip("tile/entries/000", 9000)), LOG, "root|canonical|misshapen|Decode"),
    "entry_altered_signed": Forgery("an entry is altered, and the head signed again", history(lambda e: e[1].update(role="dpo")), LOG, KEPT),
    "entry_altered_later": Forgery("an entry after the kept head is altered, in the files", lambda c: text_entry(c, 200), LOG, NOT_ROOT),
    "entry_dropped": Forgery("an entry is dropped, and the head signed again", history(lambda e: e.pop(1)), LOG, KEPT),
    "entry_inserted": Forgery("an entry is put in, and the head signed again", history(lambda e: e.insert(1, at(BEGUN, entry(9)))), LOG, KEPT),
    "entries_reordered": Forgery("two entries change places, and the head is signed again", history(lambda e: swap(e, 0, 1)), LOG, KEPT),
    "fork_cosigned": Forgery("another history, for somebody who kept nothing; the witness cosigned the first", lambda c: history(lambda e: e[1].update(role="dpo"))(replace(c, kept="")), LOG, "another history: a fork"),
    "rollback": Forgery("an older copy is shown", lambda c: written(replace(c, heads={}, kept=signed(c, 250)), c.entries[:100]), LOG, "rolled back"),
    "rollback_signed_short": Forgery("the end is cut off, and the head signed again", lambda c: written(replace(c, heads={}, kept=signed(c, 300)), c.entries[:299]), LOG, "rolled back"),
    "foreign_key": Forgery("somebody else's key signs the head", history(lambda e: None, THIEF), LOG, "has not signed the checkpoint"),
    "signature_altered": Forgery("the head's text is altered", files(text("checkpoint", "\n300\n", "\n0300\n")), LOG, "the signature of .* is wrong"),
    "origin_altered": Forgery("the head's origin is altered", files(text("checkpoint", ORIGIN, "domicile/tesu")), LOG, "is wrong"),
    "cosigner_missing": Forgery("the cosignature is taken off the head", files(uncosign), LOG, "0 trusted witnesses have cosigned, 1 are needed"),
    "cosigner_forged": Forgery("a cosignature is forged", files(lambda c: forge_cosignature(c)), LOG, "the signature of regulator.example/w1 is wrong"),
    "cosigner_counted_twice": Forgery("one witness stands for two", lambda c: replace(c), lambda c: verifier.audit_log([], c.verifying(need=2)), "1 trusted witnesses have cosigned, 2 are needed"),
    "bundle_cut": Forgery("a bundle of entries is cut short", files(cut("tile/entries/001.p/44")), LOG, "is cut off"),
    "bundle_missing": Forgery("a bundle of entries is missing", files(lambda c: (c.directory / "tile/entries/000").unlink()), LOG, "tile/entries/000 is missing"),
    "checkpoint_missing": Forgery("there is no head", files(lambda c: (c.directory / "checkpoint").unlink()), LOG, "checkpoint is missing"),
    "future_entry": Forgery("an entry claims a time after the cosignature of the head with it", lambda c: written(replace(c, kept="", heads={}), [*c.entries[:299], at("2026-02-01T00:00:00Z", entry(299))]), LOG, "claim a time after the head"),
    "rotation_forged": Forgery("a rotation that the old key did not sign", history(lambda e: e.append(forged_rotation())), LOG, "old_signature is wrong"),
    "proof_other_entry": Forgery("a proof is shown with another entry", part("proof", lambda p: {**p, "entry": entry(1)}), PROOF, NO_PATH),
    "proof_other_index": Forgery("a proof is shown for another index", part("proof", lambda p: {**p, "index": 5}), PROOF, NO_PATH),
    "proof_path_altered": Forgery("a hash of a proof's path is altered", part("proof", lambda p: {**p, "path": ["A" * 43 + "=", *p["path"][1:]]}), PROOF, NO_PATH),
    "proof_path_short": Forgery("a proof's path is shortened", part("proof", lambda p: {**p, "path": p["path"][:-1]}), PROOF, NO_PATH),
    "consistency_fork": Forgery("growth from a head of another history", part("consistency", lambda d: {**d, "old": sign_note(Checkpoint(ORIGIN, 3, bytes(32)).text, KEY)}), GREW, "does not begin with"),
    "consistency_short": Forgery("growth without its proof", part("consistency", lambda d: {**d, "path": []}), GREW, "another length"),
    "plan_byte": Forgery("a byte of the plan is altered", part("plan", lambda p: {**p, "steps": [{"id": "s1", "rows": 8}]}), PLAN, "the plan was altered"),
    "plan_other": Forgery("another plan, with a digest of its own", part("plan", lambda p: resign(p, steps=[])), PLAN, "does not hold this plan"),
    "approval_missing": Forgery("it begins with one of two approvals", plan_story(lambda p, e: e.__setitem__(2, at("2026-01-23T10:00:00Z", entry(2)))), PLAN, "with 0 approvals as .'custodian'"),
    "approval_late": Forgery("an approval comes after the beginning", plan_story(lambda p, e: swap(e, 2, 3), 2), PLAN, "with 0 approvals as .'custodian'"),
    "approval_replayed_on_another_plan": Forgery("an approval of another plan", plan_story(lambda p, e: e.__setitem__(2, approval(planned(steps=[]), CUSTODIAN) | {"plan": p["digest"]})), PLAN, "not by custody_.example"),
    "approval_other_estate": Forgery("an approval of another estate", plan_story(lambda p, e: e.__setitem__(2, approval(p, CUSTODIAN, estate_digest="sha256:" + "00" * 32))), PLAN, "another estate or mandates"),
    "approval_other_mandates": Forgery("an approval under other mandates", plan_story(lambda p, e: e.__setitem__(2, approval(p, CUSTODIAN, mandates_digest=DIGEST))), PLAN, "another estate or mandates"),
    "approval_expired": Forgery("an approval that had expired", plan_story(lambda p, e: e.__setitem__(2, approval(p, CUSTODIAN, expires=LAPSED))), PLAN, "had expired"),
    "approval_expired_unseen": Forgery("it claims to have begun before an approval expired, and a witness saw it had not", expired_unseen, PLAN, "had expired"),
    "approval_expiry_altered": Forgery("an approval whose expiry was moved", plan_story(lambda p, e: e[2].update(expires="2099-01-01T00:00:00Z")), PLAN, "not by custody_.example"),
    "approval_one_person_twice": Forgery("one person approves twice, for both", plan_story(lambda p, e: e.__setitem__(2, approval(p, PLATFORM, signed="2026-01-23T10:00:01Z"))), PLAN, "with 0 approvals as .'custodian'"),
    "approval_in_anothers_role": Forgery("one person approves in another's role", plan_story(lambda p, e: e.__setitem__(2, approval(p, PLATFORM, role="custodian", operator="Trust Inc"))), PLAN, "may not approve as"),
    "approval_replayed": Forgery("an approval is put in again after it was withdrawn", plan_story(lambda p, e: replay(p, e)), PLAN, "is replayed"),
    "approval_withdrawn": Forgery("it begins after an approval was withdrawn", plan_story(lambda p, e: e.insert(3, approval(p, CUSTODIAN, decision="withdrawn", signed="2026-01-23T10:00:01Z"))), PLAN, "with 0 approvals as .'custodian'"),
    "approver_not_trusted": Forgery("the operator names approvers of its own", lambda c: c, lambda c: verifier.audit_plan(c.plan, c.verifying(approvers=[_key(CUSTODIAN)])), "you do not trust platform"),
    "cosignature_before_approval": Forgery("the witness saw the plan, not its approvals", plan_story(lambda p, e: None), lambda c: PLAN(cosign_again(c, c.entries, 2)), "begun under 0 cosignatures"),
    "receipt_of_another": Forgery("somebody else's receipt", part("receipt", lambda r: {**r, "key": "8"}), RECEIPT, NOT_IN_TREE),
    "receipt_guessed_salt": Forgery("a receipt made from a number alone", part("receipt", lambda r: {**r, "salt": "00" * 32}), RECEIPT, NOT_IN_TREE),
    "receipt_statement": Forgery("a receipt that says erased, not moved", part("receipt", lambda r: {**r, "statement": {**r["statement"], "act": "erased"}}), RECEIPT, NOT_IN_TREE),
    "receipt_other_plan": Forgery("a receipt of another plan", part("receipt", lambda r: other_plan(r)), RECEIPT, NOT_IN_TREE),
    "receipt_other_tree": Forgery("a receipt under an entry with another root", part("receipt", lambda r: other_root(r)), RECEIPT, NO_PATH),
    "figure_altered": Forgery("a figure of a review is altered in the page", part("page", lambda p: replaced(p, b">50<", b">51<")), PAGE, "people with a receipt: 50 was signed, and 51 is shown"),
    "figure_altered_and_signed_figures": Forgery("it is altered in the page and in the signed figures alike", lambda c: restated(c, 51, b">51<"), PAGE, "the signature of domicile/test is wrong|people with a receipt: the review says 51, entry 4 says 50"),
    "figure_of_another_entry": Forgery("a figure points at an entry that does not say it, signed by the operator", lambda c: signed_anew(c, lambda d: d["figures"]["f1"].update(of=[[7, "rows"]])), PAGE, "people with a receipt: the review says 50, entry 7 says 7"),
    "figure_shown_otherwise": Forgery("the operator shows another number than it signs", lambda c: shown_otherwise(c), PAGE, "people with a receipt: 50 was signed, and 5.000 is shown"),
    "digest_altered": Forgery("a digest in a review is altered", part("page", lambda p: replaced(p, b">sha256:", b">sha256:0")), PAGE, "the digest of the plan: sha256:.* was signed"),
    "review_word_altered": Forgery("a word of a review is altered", part("page", lambda p: replaced(p, b"is held", b"is met ")), PAGE, "altered beside its figures"),
    "review_text_among_signatures": Forgery("a text is put where the signed figures stand, which the digest leaves out", lambda c: replace(c, note={**c.note, "html": c.note["html"] + "all clauses met\n"}), PAGE, "review.html.note"),
    "review_pdf_altered": Forgery("a byte of a review as PDF is altered", part("pdf", lambda p: p + b" "), PDF, "altered beside its figures"),
    "review_by_another_key": Forgery("somebody else signs another review", lambda c: signed_anew(c, lambda d: d.update(as_of="2026-02-01"), THIEF), PAGE, "no key of the log has signed the review"),
    "review_unrecorded": Forgery("the operator signs another review, and does not record it", lambda c: signed_anew(c, lambda d: d.update(as_of="2026-02-01")), PAGE, "the log does not hold this review"),
    "review_then_rollback": Forgery("the log is cut off after the review was made, for somebody who kept only the review", lambda c: written(replace(c, kept="", heads={}), c.entries[:290]), PAGE, "290 entries, but you kept a head of 298: rolled back"),
    "review_then_fork": Forgery("the log is rewritten after the review was made, for somebody who kept only the review", lambda c: history(lambda e: e[1].update(role="dpo"))(replace(c, kept="", heads={})), PAGE, "the first 298 entries are not those you kept"),
    "review_uncosigned": Forgery("a review that its mandate wants cosigned is shown without", lambda c: uncosigned(c), lambda c: reviewed(c, "html", need=0), "assessed under 0 cosignatures"),
}  # fmt: skip
"""Every forgery by name."""


def text_entry(case: Case, index: int) -> Case:
    path = case.directory / "tile/entries/000"
    old, new = (f'"rows":{n},'.encode() for n in (index, index + 1))
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    return case


def signed(case: Case, size: int) -> str:
    return head_of(case.entries[:size])


def replaced(content: bytes, old: bytes, new: bytes) -> bytes:
    assert old in content
    return content.replace(old, new, 1)


def signed_anew(
    case: Case, change: Callable[[dict[str, Any]], object], key: SigningKey = KEY
) -> Case:
    """What is signed of the page is changed, and signed again."""
    said = copy.deepcopy(case.said["html"])
    change(said)
    return replace(case, note={**case.note, "html": sign_note(text_of(said), key)})


def restated(case: Case, value: int, shown: bytes) -> Case:
    """By somebody without the key: the page and what was signed say another number."""
    page = replaced(case.page, b">50<", shown)
    note = case.note["html"].replace('"value":50', f'"value":{value}')
    note = note.replace(case.said["html"]["file"], f"sha256:{sha256(page).hexdigest()}")
    return replace(case, page=page, note={**case.note, "html": note})


def shown_otherwise(case: Case) -> Case:
    """By the operator: the page has another number, and its digest is signed."""
    page = replaced(case.page, b">50<", b">5.000<")
    forged = replace(case, page=page)
    file = f"sha256:{sha256(page).hexdigest()}"
    return signed_anew(forged, lambda said: said.update(file=file))


def uncosigned(case: Case) -> Case:
    uncosign(case)
    return case


def forge_cosignature(case: Case) -> None:
    note = (case.directory / "checkpoint").read_text()
    forger = SigningKey(WITNESS.name, b"f" * 32, COSIGNATURE)
    text_ = note.rpartition("\n\n")[0] + "\n"
    body = base64.b64encode(WITNESS.verifier.id + forger.cosign(text_, NOON)).decode()
    line = note.splitlines()[-1]
    (case.directory / "checkpoint").write_text(note.replace(line, f"— {WITNESS.name} {body}"))


def forged_rotation() -> dict[str, Any]:
    fields = {"index": 300, "old_key": str(KEY.verifier), "new_key": str(THIEF.verifier)}
    mark = base64.b64encode(THIEF.sign(statement("key-rotation", fields))).decode()
    return at(BEGUN, make("key_rotated", "test", **fields, old_signature=mark, new_signature=mark))


def replay(plan: dict[str, Any], entries: list[dict[str, Any]]) -> None:
    first = entries[2]
    withdrawn = approval(plan, CUSTODIAN, decision="withdrawn", signed="2026-01-23T10:00:01Z")
    entries[3:3] = [withdrawn, first]


def other_plan(receipt: dict[str, Any]) -> dict[str, Any]:
    return {**receipt, "statement": {**receipt["statement"], "plan": DIGEST}}


def other_root(receipt: dict[str, Any]) -> dict[str, Any]:
    said = {**receipt["statement"], "act": "erased"}
    content = bytes.fromhex(receipt["salt"]) + statement_digest(said)
    leaf = leaf_hash(content + frame(b"customer") + frame(b"7"))
    path = [base64.b64decode(p) for p in receipt["path"]]
    root = verifier.climb(leaf, receipt["index"], 50, path)
    made = {**receipt["proof"]["entry"], "people_root": f"sha256:{root.hex()}"}
    return {**receipt, "statement": said, "proof": {**receipt["proof"], "entry": made}}


def main() -> None:
    """Write the genuine evidence to a folder, to look at and to ask the verifier about."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    case = genuine(folder)
    for name in ("plan", "receipt", "proof", "consistency"):
        (folder / f"{name}.json").write_text(json.dumps(getattr(case, name), indent=2))
    (folder / "review.html").write_bytes(with_signed(case.page, case.note["html"]))
    (folder / "kept").write_text(case.kept)
    print(f"key {KEY.verifier}\nwitness {WITNESS.verifier}")


if __name__ == "__main__":
    main()
