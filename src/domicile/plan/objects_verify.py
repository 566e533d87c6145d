"""`verify` for folders of files: what rests, what was carried home, what the disk may keep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from domicile.counted import counted
from domicile.plan.objects import FilePlan
from domicile.survey.objects_journal import Entry

Said = tuple[str, Literal["ok", "held", "unknown", "failed"], str]
"""Name, status and detail of a check."""


def check_files(plan: FilePlan, document: dict[str, Any]) -> Iterator[Said]:
    """Checks of the folders of one label beside those of `rest`, `held` and `unknown`."""
    for number, store in enumerate(plan.objects.stores):
        name = store.name
        erasing = [s for s in document["steps"] if s["from"] == name and s["op"] == "erase_files"]
        curable = {f["store"] for f in document["findings"] if f["state"] == "curable"}
        if erasing and name not in curable:
            files = sum(s["rows"] for s in erasing)
            left = (
                f"{files} files whose rows are or will be erased rest there; plan and apply again"
            )
            yield f"erase {name}", "failed", left
        carried = [e for e in _moved(plan) if e.home == name]
        if carried:
            yield _carried(plan, number, carried)
        if number in plan.concerned():
            for what, until in store.residues():
                yield f"by nature {name}: {what}", "ok", f"may keep what left; {until}"
            linked = plan.objects.listings[number].linked
            if linked:
                kept = (
                    f"{counted(linked, 'file has', 'files have')} another name, which keeps bytes"
                )
                yield f"by nature {name}: hard links", "ok", kept


def _moved(plan: FilePlan) -> list[Entry]:
    return list(plan.journal.at("moved")) if plan.journal else []


def _carried(plan: FilePlan, number: int, carried: list[Entry]) -> Said:
    """Files that were carried to this folder are there, with the digest that they left with."""
    name = f"carried {plan.objects.stores[number].name}"
    folder = plan.objects.folders[number]
    same = changed = 0
    damaged: list[Entry] = []
    away: list[Entry] = []
    for entry in carried:
        found = folder.digest(entry.path)
        if found is None:
            away.append(entry)
        elif found[0] == entry.digest:
            same += 1
        elif found[1] == entry.placed:
            damaged.append(entry)
        else:
            changed += 1
    lost = plan.objects.named({e.path for e in away})
    if damaged or lost:
        said = []
        if damaged:
            said.append(
                f"{counted(len(damaged), 'file has', 'files have')} other bytes than came, though "
                "nobody wrote them: look at the disk"
            )
        if lost:
            gone = counted(
                len(lost), "file that was carried here is", "files that were carried here are"
            )
            said.append(f"{gone} gone, and rows still name them")
        return name, "failed", "; ".join(said)
    since = ""
    if changed:
        since += f"; {counted(changed, 'was', 'were')} written since by others"
    if away:
        since += f"; {counted(len(away), 'is', 'are')} gone, and no row names them"
    said_same = counted(same, "file has", "files have")
    return name, "ok", f"{said_same} the SHA-256 that they left with{since}"
