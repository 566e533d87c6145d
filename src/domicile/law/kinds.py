"""The closed set of clause kinds: what each may say beside its body, and who enforces it."""

from __future__ import annotations

from dataclasses import dataclass

from domicile.law.model import KINDS


@dataclass(frozen=True)
class Kind:
    """One kind of clause."""

    otherwise: tuple[str, ...]  # the cures it knows; the first is the default
    enforced_by: str
    beside: tuple[str, ...] = ()  # keys that stand beside its body in a clause


_LATER = "not enforced yet: "

_KINDS = {
    "store": Kind(("report", "move", "erase"), "plan, apply and verify", ("purge",)),
    "access": Kind(
        ("deny", "mask", "aggregate"),
        _LATER + "the gate will",
        ("form", "min_group", "epsilon_per_day", "over"),
    ),
    "use": Kind(("report", "deny", "stop"), "check and plan, for declared flows", ("over",)),
    "consent": Kind(("deny", "erase"), _LATER + "consent will"),
    "retain": Kind(("report", "erase"), _LATER + "plan and apply will"),
    "erase": Kind(("report", "erase"), _LATER + "erase will"),
    "answer": Kind(("report", "answer"), "duties, which lists its clock"),
    "report": Kind(("report", "notify"), "duties, breach and watch"),
    "offer": Kind(("report", "withdraw", "restrict"), "check and plan, for declared services"),
    "install": Kind(("notify", "block", "report"), "devices"),
    "compensate": Kind(("register",), _LATER + "claims will"),
}

assert tuple(_KINDS) == KINDS  # one table, one closed set


def kind(name: str) -> Kind:
    """What is known of a kind. Raises KeyError."""
    return _KINDS[name]


def enforced_by(kind: str) -> str:
    """Which command enforces clauses of a kind, or plainly that none does yet. Raises KeyError."""
    return _KINDS[kind].enforced_by


def is_enforced(kind: str) -> bool:
    """Whether a command of this version acts on clauses of the kind. Raises KeyError."""
    return not _KINDS[kind].enforced_by.startswith("not enforced yet")
