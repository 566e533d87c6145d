"""What a plan needs before it may be carried out: approvals and cosignatures that mandates ask for.

They stand in the plan, so that they are under its digest, and apply works them out again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from domicile.errors import DeclarationError
from domicile.estate.model import Estate
from domicile.law.model import Mandate


def needs(
    estate: Estate, mandates: Sequence[Mandate], day: date
) -> dict[str, list[dict[str, Any]]]:
    """The plan's `approvals`, `approvers` and `witnesses`, of the mandates that make steps.

    Raises DeclarationError when a mandate asks for what the estate cannot give.
    """
    binding = [m for m in mandates if m.makes_steps(day)]
    approvals = [
        {"mandate": m.id, "role": a.role, "operator": a.operator, "need": a.need}
        for m in binding
        for a in m.approvals
    ]
    for need in approvals:
        who = (need["role"], need["operator"])
        there = sum((a.role, a.operator) == who for a in estate.approvers)
        if there < int(str(need["need"])):
            raise DeclarationError(
                f"mandate {need['mandate']} asks for {need['need']} approver(s) as {who[0]} of "
                f"{who[1]}, and {there} are declared",
                file=estate.file, key="approvers", hint="make a key: domicile log keygen",
            )  # fmt: skip
    return {
        "approvals": approvals,
        "approvers": [
            {"key": a.key, "role": a.role, "operator": a.operator}
            for a in (estate.approvers if approvals else ())
        ],
        "witnesses": [_witnesses(estate, m) for m in binding if m.cosignatures],
    }


def _witnesses(estate: Estate, mandate: Mandate) -> dict[str, Any]:
    asked = mandate.cosignatures
    assert asked is not None  # of mandates that ask
    known = {w.name: w.key for w in estate.witnesses}
    missing = sorted(set(asked.of) - set(known))
    if missing:
        raise DeclarationError(
            f"mandate {mandate.id} names the witness {missing[0]}, which is not declared",
            file=estate.file, key="witnesses",
        )  # fmt: skip
    keys = [known[name] for name in asked.of or known]
    if len(keys) < asked.need:
        raise DeclarationError(
            f"mandate {mandate.id} asks for {asked.need} cosignatures, and {len(keys)} witnesses "
            "could give them",
            file=estate.file, key="witnesses",
        )  # fmt: skip
    return {"mandate": mandate.id, "need": asked.need, "of": sorted(keys)}
