"""Who looked, who approved and cosigned, what is excepted, and the devices."""

from __future__ import annotations

from collections.abc import Iterator

from domicile.evidence.keys import VerifierKey
from domicile.review.clauses import VERDICTS
from domicile.review.model import Block, Line, Name, Paragraph, Ref, Section
from domicile.review.plots import Bar, Fill, bars
from domicile.review.writer import Writer, key_name, named

SHORT = 19
"""Characters of a digest that name a plan: `sha256:` and twelve."""

FILLS: tuple[Fill, ...] = ("solid", "open", "dots", "hatch", "light")
"""How verdicts are drawn, in the order of VERDICTS."""


def looks(w: Writer) -> Section:
    """Who looked: the gate is not there yet, and the review says so."""
    counts = [
        (named(line["kind"]),
         (w.fig(f"entries of the kind {line['kind']}", (i, f"{way}.entries")),))
        for i, way, line in w.assessed.lines("looks")
    ]  # fmt: skip
    blocks: list[Block] = [Paragraph((w.words("looks_gate"),), "alarm")]
    if counts:
        blocks.append(w.table("looks_table", ("head_kind", "head_entries"), counts,
                              ("head_entries",)))  # fmt: skip
    else:
        blocks.append(w.plain("looks_none"))
    return Section("looks", w.words("looks"), tuple(blocks))


def approvals(w: Writer) -> Section:
    """Approvals, in advance too, and cosignatures, with their times."""
    blocks = (*_needed(w), *_approved(w), *_cosigned(w))
    return Section("approvals", w.words("approvals"), blocks)


def _needed(w: Writer) -> Iterator[Block]:
    asked = w.assessed.examined.plan["approvals"]
    if not asked:
        yield w.plain("approvals_unneeded")
        return
    yield w.table(
        "approvals_needed", ("head_mandate", "head_role", "head_operator", "head_need"),
        [(named(a["mandate"]), a["role"], a["operator"], str(a["need"])) for a in asked],
        ("head_need",),
    )  # fmt: skip


def _approved(w: Writer) -> Iterator[Block]:
    words = w.words
    rows = [
        (
            key_name(e["approver"]) if "approver" in e else words("account"),
            ", ".join(filter(None, (e.get("role"), e.get("operator")))) or "\u2013",
            named(f"{e['plan'][:SHORT]}…"), words(f"decision_{e['decision']}"),
            words.moment(e.get("signed", e["time"])),
            words.moment(e["expires"]) if "expires" in e else "\u2013", (Ref(i),),
        )
        for i, e in w.assessed.of("approval")
    ]  # fmt: skip
    if rows:
        yield w.table(
            "approvals_table",
            ("head_by", "head_role", "head_plan", "head_decision", "head_signed", "head_expires",
             "entry"), rows,
        )  # fmt: skip
    else:
        yield w.plain("approvals_none")
    advance: list[tuple[Line | str, ...]] = [
        (named(f"{e['mandate']}/{e['clause']}"),
         (w.fig(f"rows at most of {e['mandate']}/{e['clause']}", (i, "max_rows")),),
         words.day(e["until"]))
        for i, e in w.assessed.of("standing_approval")
    ]  # fmt: skip
    if advance:
        yield w.table("advance_table", ("head_clause", "head_most", "head_until_day"), advance,
                      ("head_most",))  # fmt: skip


def _cosigned(w: Writer) -> Iterator[Block]:
    names = {v.key: v.name for v in w.assessed.examined.estate.witnesses}
    rows = [
        (str(head.size), names[key], key_name(key), w.words.moment(time))
        for head in w.assessed.cosigned
        for key, time in head.times.items()
    ]
    if rows:
        yield w.note("cosigned_times")
        yield w.table("cosigned_table", ("head_size", "head_witness", "head_by", "head_time"),
                      rows, ("head_size",))  # fmt: skip
    else:
        yield Paragraph((w.words("cosigned_none"),), "alarm")
    refused = [
        ((Name(VerifierKey.parse(e["witness"]).name),), w.words(f"answer_{e['answer']}"),
         w.words.moment(e["time"]), (Ref(i),))
        for i, e in w.assessed.of("witness_refused")
    ]  # fmt: skip
    if refused:
        yield w.table("refused_table", ("head_witness", "head_reason", "head_when", "entry"),
                      refused)  # fmt: skip


def exceptions(w: Writer) -> Section:
    """Legal holds, tables that nobody looked at, devices that a ban does not reach."""
    blocks = tuple(_exceptions(w)) or (w.plain("exceptions_none"),)
    return Section("exceptions", w.words("exceptions"), (w.note("exceptions_lead"), *blocks))


def _exceptions(w: Writer) -> Iterator[Block]:
    estate = w.assessed.examined.estate
    if estate.legal_holds:
        yield w.table(
            "holds_table", ("head_hold", "head_reason", "head_about", "head_subjects"),
            [
                (named(h.name), h.reason,
                 named(", ".join(map(str, h.tables))) if h.tables else w.words("everything"),
                 named(", ".join(h.subjects)) if h.subjects else w.words("everything"))
                for h in estate.legal_holds
            ],
        )  # fmt: skip
    ignored = [str(name) for name, table in estate.tables.items() if table.role == "ignore"]
    if ignored:
        yield w.table("ignored_table", ("head_table",), [(named(name),) for name in ignored])
    if estate.devices.exceptions:
        # Which device, and who allowed it, may name a person: they stay in the estate.
        yield w.table(
            "exempt_table", ("head_clause", "head_purpose", "head_document", "head_until_day"),
            [
                (named(f"{e.mandate}/{e.clause}" if e.clause else e.mandate), e.purpose,
                 e.document, w.words.day(e.until.isoformat()))
                for e in estate.devices.exceptions
            ],
        )  # fmt: skip


def devices(w: Writer) -> Section:
    """Verdicts on devices by clause, and when each fleet was read."""
    estate = w.assessed.examined.estate
    title = w.words("devices")
    if not estate.fleets:
        return Section("devices", title, (w.plain("devices_none"),))
    return Section("devices", title, (w.plain("devices_lead"), *_verdicts(w), _fleets(w)))


def _verdicts(w: Writer) -> Iterator[Block]:
    lines = list(w.assessed.lines("devices"))
    if not lines:
        return
    rows, drawn, said = [], [], []
    for i, way, line in lines:
        name = f"{line['mandate']}/{line['clause']}"
        figures = [w.fig(f"devices: {v} under {name}", (i, f"{way}.{v}")) for v in VERDICTS]
        rows.append((named(name), *((f,) for f in figures)))
        drawn.append(Bar(name, tuple(zip(FILLS, figures, strict=True))))
        said.append(f"{name}: " + ", ".join(
            f"{w.words(f'verdict_{v}')} {w.words.shown(f.value)}"
            for v, f in zip(VERDICTS, figures, strict=True)
        ))  # fmt: skip
    heads = tuple(f"verdict_{v}" for v in VERDICTS)
    if any(bar.total for bar in drawn):
        legend = {f: w.words(head) for f, head in zip(FILLS, heads, strict=True)}
        yield bars(
            "devices-plot", w.words("devices_plot"),
            w.words("devices_described", said="; ".join(said)), drawn, legend, w.words,
        )  # fmt: skip
    yield w.table("devices_table", ("head_clause", *heads), rows, heads)


def _fleets(w: Writer) -> Block:
    read = {e["fleet"]: (i, e) for i, e in w.assessed.of("device_sync")}
    rows: list[tuple[Line | str, ...]] = []
    for fleet in w.assessed.examined.estate.fleets:
        if fleet.name in read:
            index, entry = read[fleet.name]
            count = w.fig(f"devices of {fleet.name}", (index, "devices"))
            rows.append((named(fleet.name), w.words.moment(entry["time"]), (count,)))
        else:
            rows.append((named(fleet.name), w.words("never_read"), "\u2013"))
    return w.table("fleets_table", ("head_fleet", "head_read", "head_devices"), rows,
                   ("head_devices",))  # fmt: skip
