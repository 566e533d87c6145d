"""The ban's domains as a response policy zone, and the settings with which unbound reads it.

Each domain and all below it do not exist (`CNAME .` is NXDOMAIN); every hit is logged under the
mandate's id. Only clauses with `block_traffic` are meant. (draft-vixie-dnsop-dns-rpz-00, section 4;
unbound.conf(5), "RPZ Options".)
"""

from __future__ import annotations

import re

from domicile.devices.policy.ingredients import Ingredients, mandates, some
from domicile.errors import UsageError

TTL = 300
"""Seconds for which an answer may be kept: how soon a changed ban is felt."""

LONGEST = 150
"""Characters of a domain: with the zone's own name it must stay within 253."""


def zone(given: Ingredients) -> str:
    """The zone of one mandate. Raises UsageError."""
    mandate, domains = _of_one(given)
    lines = [
        f"; {mandate}: {_comment(given.title)}",
        "; Rendered by domicile devices policy rpz; render anew when the mandate changes.",
        f"$ORIGIN {name(mandate)}.",
        f"$TTL {TTL}",
        f"@ SOA localhost. hostmaster.localhost. 1 3600 600 604800 {TTL}",
        "@ NS localhost.",
    ]
    for domain in domains:
        lines += [f"{domain} CNAME .", f"*.{domain} CNAME ."]
    return "\n".join(lines) + "\n"


def unbound(given: Ingredients) -> str:
    """The part of unbound.conf that reads the zone, which lies beside it as MANDATE.rpz.

    Raises UsageError.
    """
    mandate, _ = _of_one(given)
    return (
        f"# {mandate}: {_comment(given.title)}\n"
        "server:\n"
        '    module-config: "respip validator iterator"\n'
        "rpz:\n"
        f'    name: "{name(mandate)}."\n'
        f'    zonefile: "{mandate}.rpz"\n'
        "    rpz-log: yes\n"
        f'    rpz-log-name: "{mandate}"\n'
    )


def name(mandate: str) -> str:
    """The zone's name; it is never asked for."""
    return f"{re.sub(r'[^a-z0-9-]', '-', mandate.lower())[:63]}.rpz.domicile.internal"


def _of_one(given: Ingredients) -> tuple[str, list[str]]:
    """The mandate and its domains: a zone has one label for its log."""
    rules = [rule for rule in given.ban.rules if rule.block_traffic and rule.domains]
    ids = mandates(rules)
    if len(ids) > 1:
        raise UsageError(
            f"{len(ids)} mandates block domains: {', '.join(ids)}",
            hint="Choose one with --mandate: each has a zone of its own, and its name in the log.",
        )
    listed = sorted({_domain(each) for rule in rules for each in rule.domains})
    some(listed, "domain with block_traffic: true")
    return ids[0], listed


def _domain(text: str) -> str:
    """A domain as a zone file writes it; the mandate's schema has seen to its characters.

    Raises UsageError for one that is longer than names may be (RFC 1035, section 2.3.4).
    """
    plain = text.strip()
    if len(plain) > LONGEST or any(len(label) > 63 for label in plain.split(".")):
        raise UsageError(f"got {plain[:40]}…, expected a domain that the DNS can name")
    return plain


def _comment(text: str) -> str:
    return " ".join(text.split())
