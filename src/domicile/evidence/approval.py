"""Approvals: a signature over a plan's digest, bound to estate, mandates, role and expiry.

An approval is JSON that its approver signs with a key of their own, on a machine of their own if
they like; it is recorded as an entry of the kind `approval`. What a plan needs stands in the plan
itself (`approvals`, `approvers`, `witnesses`), and so under its digest.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import rfc8785

from domicile.errors import EvidenceError, PlanRefused
from domicile.evidence.keys import SigningKey, VerifierKey
from domicile.evidence.kinds import now
from domicile.evidence.note import Checkpoint, cosignatures
from domicile.evidence.rotation import statement

SIGNED = (
    "approver", "decision", "estate_digest", "expires", "mandates_digest", "operator", "plan",
    "role", "signed",
)  # fmt: skip
"""The fields that an approver signs."""

DAYS = 30
"""How long an approval holds when nothing is said."""

SKEW = 60
"""Seconds by which the clocks of operator and witness may differ."""

Plan = Mapping[str, Any]


def mandates_digest(plan: Plan) -> str:
    """The digest of the plan's mandates, in canonical JSON (RFC 8785)."""
    return "sha256:" + sha256(rfc8785.dumps(plan["mandates"])).hexdigest()


def approve(
    plan: Plan, key: SigningKey, *, decision: str = "approved", expires: datetime | None = None
) -> dict[str, str]:
    """The key's approval of a plan, signed. `expires` is in UTC; after 30 days when left out.

    Raises PlanRefused when the plan does not name the key among its approvers.
    """
    until = expires or datetime.now(UTC) + timedelta(days=DAYS)
    role, operator = _named(plan, str(key.verifier))
    fields = {
        "approver": str(key.verifier), "decision": decision, "estate_digest": plan["estate_digest"],
        "expires": until.strftime("%Y-%m-%dT%H:%M:%SZ"), "mandates_digest": mandates_digest(plan),
        "operator": operator, "plan": plan["digest"], "role": role, "signed": now(),
    }  # fmt: skip
    signature = key.sign(statement("approval", fields))
    return {**fields, "signature": base64.b64encode(signature).decode()}


def check(plan: Plan, approval: Mapping[str, Any]) -> VerifierKey:
    """Whose approval of this plan it is. Raises PlanRefused naming what does not fit."""
    role, operator = _named(plan, str(approval.get("approver")))
    key = VerifierKey.parse(str(approval["approver"]))
    expected = {
        "plan": plan["digest"], "estate_digest": plan["estate_digest"],
        "mandates_digest": mandates_digest(plan), "role": role, "operator": operator,
    }  # fmt: skip
    for name, value in expected.items():
        if approval.get(name) != value:
            raise PlanRefused(
                f"the approval of {key.name} is for another {name.removesuffix('_digest')}",
                hint="ask for an approval of this very plan", code="approval_missing",
            )  # fmt: skip
    try:
        signature = base64.b64decode(str(approval.get("signature")), validate=True)
        right = key.verifies(signature, statement("approval", {n: approval[n] for n in SIGNED}))
    except (binascii.Error, ValueError, KeyError):
        right = False
    if not right:
        raise PlanRefused(
            f"the approval of {key.name} is not signed by its key",
            hint="it was altered, or made with another key", code="approval_missing",
        )  # fmt: skip
    return key


def _named(plan: Plan, key: str) -> tuple[str, str]:
    for approver in plan.get("approvers", ()):
        if approver["key"] == key:
            return approver["role"], approver["operator"]
    raise PlanRefused(
        f"the key {key.partition('+')[0]} is not among the approvers of this plan",
        hint="declare it under approvers: in the estate, and plan again", code="approval_missing",
    )  # fmt: skip


class Approvals:
    """The approvals of one plan as the log has them: the latest of each key counts."""

    def __init__(self, plan: Plan, entries: Iterable[tuple[int, Mapping[str, Any]]]) -> None:
        """Raises PlanRefused when one is forged, of another plan, or replayed."""
        self.plan = plan
        self.last = -1  # index of the plan's own entry, or of the latest approval
        self._latest: dict[bytes, tuple[VerifierKey, Mapping[str, Any]]] = {}
        for index, entry in entries:
            if entry.get("plan") != plan["digest"]:
                continue
            if entry["kind"] == "plan":
                self.last = index
            elif entry["kind"] == "approval" and "signature" in entry:
                self.add(entry)
                self.last = index

    def add(self, approval: Mapping[str, Any]) -> VerifierKey:
        """Count one more. Raises PlanRefused: forged, of another plan, or older than one there."""
        key = check(self.plan, approval)
        before = self._latest.get(key.public)
        if before is not None and approval["signed"] <= before[1]["signed"]:
            raise PlanRefused(
                f"the approval of {key.name} is replayed: a later word of theirs is in the log",
                hint="ask for a new one", code="approval_missing",
            )  # fmt: skip
        self._latest[key.public] = (key, approval)
        return key

    def require(self, time: str) -> int:
        """How many approvals there are, when they are all that the plan needs at that time
        (RFC 3339, UTC). Raises PlanRefused naming the first that is missing."""
        for need in self.plan.get("approvals", ()):
            who = (need["role"], need["operator"])
            mine = [(k, a) for k, a in self._latest.values() if (a["role"], a["operator"]) == who]
            good = [k for k, a in mine if a["decision"] == "approved" and time < a["expires"]]
            if len(good) >= need["need"]:
                continue
            expired = any(a["decision"] == "approved" for _, a in mine) and not good
            taken_back = any(a["decision"] != "approved" for _, a in mine)
            raise PlanRefused(
                f"mandate {need['mandate']} asks for {need['need']} approval(s) as {need['role']} "
                f"of {need['operator']}, and there are {len(good)}"
                + (": it has expired" if expired else ": it was taken back" if taken_back else ""),
                hint="domicile approve PLAN --key FILE",
                code="approval_expired" if expired else
                "approval_withdrawn" if taken_back else "approval_missing",
            )  # fmt: skip
        return len(self._latest)

    def last_seen(self, notes: Iterable[bytes]) -> str:
        """The latest time that the plan's witnesses saw, RFC 3339: no clock of ours is before it.

        `notes` are the cosigned heads of the log. Raises EvidenceError.
        """
        keys = [VerifierKey.parse(k) for n in self.plan.get("witnesses", ()) for k in n["of"]]
        times = [max(cosignatures(note, keys).values(), default=0) for note in notes]
        seen = datetime.fromtimestamp(max(0, max(times, default=0) - SKEW), UTC)
        return seen.strftime("%Y-%m-%dT%H:%M:%SZ")

    def require_cosigned(self, notes: Iterable[bytes]) -> None:
        """Whether enough witnesses cosigned a head that holds the plan and its approvals.

        `notes` are the cosigned heads of the log. Raises PlanRefused.
        """
        heads = []
        keys = [VerifierKey.parse(k) for n in self.plan.get("witnesses", ()) for k in n["of"]]
        for note in notes if keys else ():
            try:
                size = Checkpoint.parse(note.decode().rpartition("\n\n")[0] + "\n").size
                if size > self.last:
                    heads.append({str(k) for k in cosignatures(note, keys)})
            except (EvidenceError, UnicodeDecodeError) as e:
                raise PlanRefused(
                    "a cosigned head of the log does not verify",
                    hint="run: domicile log fsck", code="cosignature_missing",
                ) from e  # fmt: skip
        for need in self.plan.get("witnesses", ()):
            most = max((len(head & set(need["of"])) for head in heads), default=0)
            if most < need["need"]:
                raise PlanRefused(
                    f"mandate {need['mandate']} asks for {need['need']} cosignature(s) of the plan "
                    f"and its approvals, and there are {most}",
                    hint="run: domicile log cosign", code="cosignature_missing",
                )  # fmt: skip
