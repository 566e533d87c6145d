"""The kinds of entry: what each says, and the check that nothing else slips in.

There is no field for free text, so that no caller can put personal data into a log that can
never forget. People appear as commitments (`commitments.py`) or as counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from domicile.errors import EvidenceError
from domicile.evidence.fields import Choice, Count, FieldType, Flag, ListOf, Record, Text

NAME = Text("name", r"[^\x00-\x1f\x7f@]{1,200}")
"""A declared name: estate, store, schema, table, column, subject, mandate, clause, step.

`@` is refused because an e-mail address is the likeliest thing to be put here by mistake.
"""

TIME = Text("time (RFC 3339, UTC)", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", 27)
DATE = Text("date", r"\d{4}-\d\d-\d\d", 10)
DIGEST = Text("digest (sha256:hex)", r"sha256:[0-9a-f]{64}", 71)
COMMITMENT = Text("commitment (64 hexadecimal digits)", r"[0-9a-f]{64}", 64)
COUNTRY = Text("country (ISO 3166-1 alpha-2) or ZZ for unknown", r"[A-Z]{2}", 2)
RUN = Text("run (hexadecimal)", r"[0-9a-f]{8,64}", 64)
VERSION = Text("version", r"\d+\.\d+[0-9A-Za-z.+-]{0,40}", 60)
VKEY = Text(
    "verifier key (name+id+base64)",
    r"[^\x00-\x20\x7f@+]{1,150}\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}", 210,
)  # fmt: skip
SIGNATURE = Text("signature (base64 of 64 bytes)", r"[A-Za-z0-9+/]{86}==", 88)
COUNT, FLAG = Count(), Flag()
NAMES = ListOf("list of names", NAME)

OPERATIONS = frozenset({
    "archive", "copy", "create_schema", "erase", "guard", "hold", "move", "pseudonymise",
    "purge", "remove_stub", "split", "stop_flow", "stub", "undo", "unguard"
})  # fmt: skip
"""What a step does."""

REASONS = frozenset({
    "already_applied", "ambiguous_route", "approval_expired", "approval_missing",
    "approval_withdrawn", "at_clause", "changed", "check_failed", "collision", "constraint",
    "cosignature_missing", "deadline", "drift", "fidelity", "interrupted", "joint", "legal_hold",
    "no_author", "no_register_row", "no_target", "not_approved", "over_cap", "owner_unknown",
    "plan_finished", "plan_stale", "plan_tampered", "read_back_differs", "schema_changed",
    "store_refused", "store_unreachable", "stub_refused", "unclassified", "unknown_residence",
    "unowned"
})  # fmt: skip
"""Why something was refused, held or left; a new reason is added here, and nowhere else."""

OUTCOMES = frozenset({
    "done", "failed", "held", "skipped", "stopped"
})  # fmt: skip

RESIDUES = frozenset({
    "backup", "cache", "copy_on_write", "filesystem_snapshot", "free_pages", "log",
    "managed_service", "replica", "split_copy", "statistics", "stub_key", "unlinked_blocks",
    "version", "wal"
})  # fmt: skip
"""Where bytes may remain after a purge, by the store's nature."""

PURGES = frozenset({
    "checkpoint", "delete_file", "drop", "none", "reindex", "rewrite", "truncate", "vacuum",
    "vacuum_full"
})  # fmt: skip
"""How the bytes were purged."""

CHECKS = frozenset({
    "failed", "held", "ok", "unknown"
})  # fmt: skip
"""A check's status (design.md, section 9)."""

VERDICTS = frozenset({
    "absent", "not_observable", "present", "stale"
})  # fmt: skip
"""What is known of a forbidden app on a device."""

STANDINGS = frozenset({
    "absent", "attested", "before_deadline", "compliant", "excepted", "given_up", "gone",
    "in_grace", "no_device", "not_compliant", "not_covered", "not_in_effect", "not_observable",
    "other_owner", "present", "reported_only", "stale", "undecided", "unknown_device"
})  # fmt: skip
"""Why a device is let through or refused."""

POINTS = frozenset({
    "authzen", "dovecot", "forward_auth", "postfix"
})  # fmt: skip
"""Where a decision was asked for."""

SIGNAL_ERRORS = frozenset({
    "access_denied", "authentication_failed", "invalid_audience", "invalid_issuer", "invalid_key",
    "invalid_request", "other"
})  # fmt: skip
"""Why a security event was not taken (RFC 8935, section 2.4); any other word is `other`."""

SERVICES = frozenset({"calls", "files", "mail", "other", "vpn", "web"})
"""What was asked for; any other name is `other`, for it is the request's own word."""

STAGES = frozenset({
    "1", "30", "7", "first", "refused", "restored"
})  # fmt: skip
"""Notices to owners of devices: the first, days before the deadline, and what came of it."""
ACTS = frozenset({"erased", "found", "moved"})
"""What was done about a person, as a receipt says."""

ANSWERS = frozenset({
    "fork", "not_trusted", "rollback", "stale", "unknown_log", "unreachable", "wrong"
})  # fmt: skip
"""How a witness refuses: another history; our key is not one it trusts; it knows a later head;
its proof was of an older head than it knows; it does not watch this log; no answer; an answer
that does not verify (c2sp.org/tlog-witness)."""

FOLLOWS = frozenset({
    "aggregate", "answer", "block", "deny", "erase", "mask", "move", "notify", "register", "report",
    "restrict", "stop", "withdraw"
})  # fmt: skip
"""What a clause may say that follows (its `otherwise`)."""

STATES = frozenset({
    "broken", "held", "met", "not_checked", "not_in_effect", "unknown"
})  # fmt: skip
"""How a clause stands. met: nothing that was read breaks it; not_checked: no part of Domicile holds
the estate against it; not_in_effect: proposed, enjoined, not yet or no more."""

HOLDS = frozenset({
    "author", "blocked", "busy", "collision", "export", "file", "joint", "legal_hold", "misfit",
    "no_home", "report", "row", "split", "stub"
})  # fmt: skip
"""Why rows or files are held, as a plan's `code` says it."""

DOUBTS = frozenset({
    "dangling", "files", "nobody", "repeated", "residence", "text", "unclassified", "unowned"
})  # fmt: skip
"""What is unknown, as a plan's `code` says it."""

OPERATION = Choice("operation", OPERATIONS)
REASON = Choice("reason", REASONS)
OUTCOME = Choice("outcome", OUTCOMES)
REASON_ROWS = ListOf(
    "list of {reason, rows}",
    Record("{reason, rows}", {"reason": REASON, "rows": COUNT}, frozenset({"reason", "rows"})),
)

COMMON: dict[str, FieldType] = {"time": TIME, "estate": NAME, "version": VERSION}
"""Fields of every entry, beside `kind`; `version` (of Domicile) may be left out."""


@dataclass(frozen=True)
class Kind:
    """A kind of entry: what it says, and its record."""

    name: str
    said: str
    record: Record

    def schema(self) -> dict[str, Any]:
        """The kind as JSON Schema, draft 2020-12."""
        schema = self.record.schema()
        schema["properties"]["kind"] = {"const": self.name}
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": self.name,
            "description": self.said,
            **schema,
        }


def _kind(name: str, said: str, required: dict[str, FieldType], **optional: FieldType) -> Kind:
    word: dict[str, FieldType] = {"kind": Choice("kind", frozenset({name}))}
    fields = {**word, **COMMON, **required, **optional}
    return Kind(name, said, Record(name, fields, frozenset({"kind", "time", "estate", *required})))


def _records(said: str, required: dict[str, FieldType], **optional: FieldType) -> ListOf:
    return ListOf(f"list of {said}", Record(said, {**required, **optional}, frozenset(required)))


_STORES = _records(
    "{store, country, tables, rows}",
    {"store": NAME, "country": COUNTRY, "tables": COUNT, "rows": COUNT},
    operator=NAME, unreachable=FLAG,
)  # fmt: skip
_PEOPLE = _records(
    "{subject, store, residence, people}",
    {"subject": NAME, "store": NAME, "residence": COUNTRY, "people": COUNT},
    minors=COUNT,
)  # fmt: skip
_MANDATES = _records("{mandate, digest}", {"mandate": NAME, "digest": DIGEST})
_CHECKED = _records(
    "{check, status}", {"check": NAME, "status": Choice("status", CHECKS)},
    store=NAME, table=NAME, rows=COUNT, count=COUNT, reason=REASON,
)  # fmt: skip

_CLAUSES = _records(
    "{mandate, clause, state, findings, people, rows}",
    {"mandate": NAME, "clause": NAME, "state": Choice("state", STATES), "findings": COUNT,
     "people": COUNT, "rows": COUNT},
)  # fmt: skip
_HELD = _records(
    "{store, table, code, rows}",
    {"store": NAME, "table": NAME, "code": Choice("hold", HOLDS), "rows": COUNT},
)
_DOUBTS = _records(
    "{store, table, code, count}",
    {"store": NAME, "table": NAME, "code": Choice("doubt", DOUBTS), "count": COUNT},
)
_REMAINS = _records(
    "{store, residue, rows}",
    {"store": NAME, "residue": Choice("residue", RESIDUES), "rows": COUNT}, table=NAME,
)  # fmt: skip
_STATES = _records("{state, clauses}", {"state": Choice("state", STATES), "clauses": COUNT})
_DEVICES = _records(
    "{mandate, clause, verdicts}", {"mandate": NAME, "clause": NAME},
    not_covered=COUNT, **dict.fromkeys(VERDICTS, COUNT),
)  # fmt: skip
_LOOKS = _records("{kind, entries}", {"kind": NAME, "entries": COUNT})

_ACTS = _records(
    "{act, subject, people}",
    {"act": Choice("act", ACTS), "subject": NAME, "people": COUNT},
    **{"from": NAME, "to": NAME},
)

_ROWS: dict[str, FieldType] = {"rows": COUNT, "people": COUNT, "bytes": COUNT}
_WHERE: dict[str, FieldType] = {"table": NAME, "from": NAME, "to": NAME, "store": NAME}
_ACT: dict[str, FieldType] = {"run": RUN, "subject": NAME, "mandate": NAME, "clause": NAME}

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        _kind("survey", "The stores were read and mapped.",
              {"estate_digest": DIGEST, "map_digest": DIGEST, "stores": _STORES},
              people=_PEOPLE, unknown=COUNT, unowned=COUNT, unclassified=COUNT),
        _kind("plan", "A plan was made.",
              {"plan": DIGEST, "estate_digest": DIGEST, "mandates": _MANDATES, "steps": COUNT},
              as_of=DATE, curable=COUNT, held=COUNT, unknown=COUNT, rows=COUNT, people=COUNT,
              map_digest=DIGEST, holds=REASON_ROWS),
        _kind("approval", "A principal approved a plan, or withdrew that.",
              {"plan": DIGEST, "principal": COMMITMENT,
               "decision": Choice("decision", frozenset({"approved", "withdrawn", "declined"}))},
              max_rows=COUNT, mandate=NAME, clause=NAME, approver=VKEY, role=NAME, operator=NAME,
              estate_digest=DIGEST, mandates_digest=DIGEST, signed=TIME, expires=TIME,
              signature=SIGNATURE),
        _kind("apply_started", "A plan began to be carried out, or to be resumed.",
              {"plan": DIGEST, "run": RUN, "steps": COUNT},
              rows=COUNT, people=COUNT, resumed=FLAG, max_rows=COUNT, approvals=COUNT),
        _kind("step", "A step ended.",
              {"plan": DIGEST, "step": NAME, "operation": OPERATION, "outcome": OUTCOME},
              **_WHERE, **_ROWS, **_ACT, reason=REASON, digest=DIGEST, batches=COUNT,
              holds=REASON_ROWS),
        _kind("batch", "Rows were written to one store and read back, or removed from it.",
              {"plan": DIGEST, "step": NAME, "operation": OPERATION, "table": NAME,
               "rows": COUNT},
              **{k: v for k, v in _WHERE.items() if k != "table"}, **_ACT,
              batch=COUNT, people=COUNT, bytes=COUNT, digest=DIGEST, read_back=DIGEST,
              people_root=DIGEST, commitments=ListOf("list of commitments", COMMITMENT, 900)),
        _kind("purge", "A store's files were rewritten without the bytes of what left.",
              {"store": NAME, "method": Choice("method", PURGES), "outcome": OUTCOME},
              plan=DIGEST, step=NAME, **_ACT, tables=NAMES, files=COUNT, bytes=COUNT,
              reason=REASON, residues=ListOf("list of residues", Choice("residue", RESIDUES))),
        _kind("verification", "The stores were read again and held against the mandates.",
              {"ok": FLAG, "clean": FLAG, "checks": _CHECKED},
              plan=DIGEST, run=RUN, estate_digest=DIGEST, as_of=DATE, held=COUNT, unknown=COUNT,
              failed=COUNT),
        _kind("apply_finished", "A run of a plan ended.",
              {"plan": DIGEST, "run": RUN, "outcome": OUTCOME},
              steps=COUNT, **_ROWS, held=COUNT, reason=REASON, journal_digest=DIGEST),
        _kind("refusal", "Something was refused, and nothing changed.",
              {"reason": REASON},
              plan=DIGEST, step=NAME, operation=OPERATION, **_WHERE, **_ACT, column=NAME,
              rows=COUNT, max_rows=COUNT),
        _kind("schema_created", "A schema was created in a store, to receive rows.",
              {"store": NAME, "tables": NAMES, "digest": DIGEST},
              schema=NAME, plan=DIGEST, step=NAME, run=RUN),
        _kind("undo", "A plan was made from a journal, to take a finished plan back.",
              {"plan": DIGEST, "undoes": DIGEST, "steps": COUNT},
              rows=COUNT, people=COUNT, journal_digest=DIGEST),
        _kind("device_sync", "The inventory of a fleet was read to its end.",
              {"fleet": NAME, "run": RUN, "devices": COUNT},
              mandates=_MANDATES, gone=COUNT, resumed=FLAG, **dict.fromkeys(VERDICTS, COUNT)),
        _kind("device_standing", "What a clause says of devices is another than before.",
              {"fleet": NAME, "mandate": NAME, "clause": NAME, "allowed": FLAG,
               "reason": Choice("standing", STANDINGS), "devices": COUNT},
              verdict=Choice("verdict", VERDICTS), before=FLAG, run=RUN,
              commitments=ListOf("list of commitments", COMMITMENT, 900)),
        _kind("device_notice", "An owner was told about a device, or could not be.",
              {"fleet": NAME, "mandate": NAME, "clause": NAME, "device": COMMITMENT,
               "person": COMMITMENT, "stage": Choice("stage", STAGES),
               "channel": Choice("channel", frozenset({"mail", "webhook"})), "outcome": OUTCOME},
              language=Choice("language", frozenset({"en", "nl"}))),
        _kind("device_decisions", "Requests were decided at a mail or web server.",
              {"point": Choice("point", POINTS), "service": Choice("service", SERVICES),
               "allowed": FLAG, "reason": Choice("standing", STANDINGS), "count": COUNT},
              mandate=NAME, clause=NAME, opened=FLAG, devices=COUNT,
              commitments=ListOf("list of commitments", COMMITMENT, 900)),
        _kind("device_sessions", "Open sessions of an owner of a refused device were ended.",
              {"fleet": NAME, "device": COMMITMENT, "person": COMMITMENT, "outcome": OUTCOME}),
        _kind("device_signals", "Security events about devices were sent, taken, or refused.",
              {"direction": Choice("direction", frozenset({"sent", "taken"})), "outcome": OUTCOME,
               "count": COUNT},
              party=NAME, status=Choice("status", frozenset({"compliant", "not-compliant"})),
              error=Choice("signal error", SIGNAL_ERRORS),
              commitments=ListOf("list of commitments", COMMITMENT, 900)),
        _kind("device_word", "An owner said something about a device.",
              {"fleet": NAME, "device": COMMITMENT, "person": COMMITMENT,
               "word": Choice("word", frozenset({"absent", "look", "give_up", "take_up"}))},
              mandate=NAME, clause=NAME, until=TIME),
        _kind("watch", "The estate was looked at again: what changed, and what was told.",
              {"as_of": DATE, "drift": COUNT, "notices": COUNT}, map_digest=DIGEST),
        _kind("consequence", "A deadline passed, and what the clause says followed.",
              {"mandate": NAME, "clause": NAME, "due": DATE,
               "what": Choice("consequence", FOLLOWS)}),
        _kind("standing_approval", "A clause may be carried out when its deadline passes.",
              {"mandate": NAME, "clause": NAME, "max_rows": COUNT, "until": DATE},
              digest=DIGEST),
        _kind("receipts", "A tree of people was built: each may have a receipt cut from it.",
              {"people_root": DIGEST, "people": COUNT, "acts": _ACTS},
              plan=DIGEST, run=RUN),
        _kind("assessment", "Every clause was held against the estate, for a review; long lists "
              "go on in further entries.",
              {"as_of": DATE, "estate_digest": DIGEST, "mandates": _MANDATES},
              map_digest=DIGEST, clauses=_CLAUSES, held=_HELD, unknown=_DOUBTS, remains=_REMAINS,
              people=_PEOPLE, looks=_LOOKS, states=_STATES,
              devices=_DEVICES),
        _kind("review", "A review was made of an assessment, and signed.",
              {"digest": DIGEST, "assessment": COUNT, "figures": COUNT,
               "form": Choice("form", frozenset({"html", "pdf"})),
               "language": Choice("language", frozenset({"en", "nl"}))}),
        _kind("key_rotated", "The log is signed with a new key from here on; both keys sign this.",
              {"index": COUNT, "old_key": VKEY, "new_key": VKEY, "old_signature": SIGNATURE,
               "new_signature": SIGNATURE}),
        _kind("succession", "This log goes on where another ended, whose key was lost or stolen.",
              {"old_key": VKEY, "size": COUNT, "root": DIGEST,
               "cause": Choice("cause", frozenset({"lost", "stolen"}))}),
        _kind("commitment_key", "The key behind commitments and receipts was changed or destroyed.",
              {"event": Choice("event", frozenset({"rotated", "destroyed"})),
               "generation": COUNT}),
        _kind("witness_refused", "A witness did not cosign a head.",
              {"witness": VKEY, "size": COUNT, "answer": Choice("answer", ANSWERS)},
              known_size=COUNT),
    )
}  # fmt: skip
"""Every kind of entry by name."""


def check(entry: Mapping[str, Any]) -> None:
    """Refuse an entry that is not exactly of a known kind. Raises EvidenceError.

    The message names the kind and the field, and never repeats a value.
    """
    name = entry.get("kind")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise EvidenceError(f"entry: unknown kind; known: {', '.join(KINDS)}")
    fault = kind.record.fault(entry)
    if fault:
        raise EvidenceError(
            f"entry {name}: {fault}",
            hint="entries hold counts, names, digests and times only; see docs/evidence.md",
        )


def make(kind: str, estate: str, **fields: Any) -> dict[str, Any]:
    """An entry of that kind, timed now. A field named as a Python keyword takes a `_`: `from_`.

    Fields that are None are left out. The entry is checked. Raises EvidenceError.
    """
    entry: dict[str, Any] = {"kind": kind, "time": now(), "estate": estate}
    entry.update({k.rstrip("_"): v for k, v in fields.items() if v is not None})
    check(entry)
    return entry


def now() -> str:
    """The time in RFC 3339, UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
