"""`verify` for folders of files: what rests, what was carried home, what the disk may keep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from domicile.counted import counted
from domicile.plan.objects import FilePlan

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
        yield from _carried(plan, number)
        if number in plan.concerned():
            for what, until in store.residues():
                yield f"by nature {name}: {what}", "ok", f"may keep what left; {until}"
            linked = plan.objects.listings[number].linked
            if linked:
                kept = (
                    f"{counted(linked, 'file has', 'files have')} another name, which keeps bytes"
                )
                yield f"by nature {name}: hard links", "ok", kept


def _carried(plan: FilePlan, number: int) -> Iterator[Said]:
    """Files that were carried to this folder are there, with the digest that they left with."""
    store = plan.objects.stores[number].name
    name = f"carried {store}"
    folder = plan.objects.folders[number]
    same = changed = damaged = 0
    away: list[str] = []
    for entry in plan.journal.at("moved") if plan.journal else ():
        if entry.home != store:
            continue
        found = folder.digest(entry.path)
        if found is None:
            away.append(entry.path)
        elif found[0] == entry.digest:
            same += 1
        elif found[1] == entry.placed:
            damaged += 1
        else:
            changed += 1
    if not (same or changed or damaged or away):
        return
    lost = plan.objects.named(set(away))
    if damaged or lost:
        said = []
        if damaged:
            said.append(
                f"{counted(damaged, 'file has', 'files have')} other bytes than came, though "
                "nobody wrote them: look at the disk"
            )
        if lost:
            gone = counted(
                len(lost), "file that was carried here is", "files that were carried here are"
            )
            said.append(f"{gone} gone, and rows still name them")
        yield name, "failed", "; ".join(said)
        return
    since = ""
    if changed:
        since += f"; {counted(changed, 'was', 'were')} written since by others"
    if away:
        since += f"; {counted(len(away), 'is', 'are')} gone, and no row names them"
    said_same = counted(same, "file has", "files have")
    yield name, "ok", f"{said_same} the SHA-256 that they left with{since}"
