"""`python -m bench [--json] [NAME…]` runs all benchmarks, or those named, and prints their figures.

A benchmark is a module of this package with `run() -> Mapping[str, object]` and, where there are
bars for it, `BARS`. Each runs in a process of its own, one after the other, so that none sees
another's memory. At the end one table names every bar with its figure, and `bench/results.json`
holds it all. Figures are printed and never asserted; 1 only when a benchmark could not be run.
"""

from __future__ import annotations

import json
import os
import pkgutil
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import bench
from bench.bars import QUICK, Bar, rows, shown, table

RESULTS = Path(__file__).with_name("results.json")


def names() -> list[str]:
    """The benchmarks there are."""
    found = (m.name for m in pkgutil.iter_modules(bench.__path__) if not m.name.startswith("_"))
    return sorted(n for n in found if hasattr(import_module(f"bench.{n}"), "run"))


def bars_of(name: str) -> Sequence[Bar]:
    """What a benchmark declares."""
    found: Sequence[Bar] = getattr(import_module(f"bench.{name}"), "BARS", ())
    return found


def main(arguments: list[str]) -> int:
    """Run them one after the other; 2 when a name is unknown."""
    if arguments[:1] == ["--into"]:
        _one(arguments[2], Path(arguments[1]))
        return 0
    as_json = "--json" in arguments
    known = names()
    wanted = [a for a in arguments if a != "--json"] or known
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    machine = {
        "cores": os.cpu_count(), "python": platform.python_version(), "quick": QUICK,
        "load before": os.getloadavg()[0],
    }  # fmt: skip
    out = sys.stderr if as_json else sys.stdout
    print(f"{machine['cores']} cores, Python {machine['python']}, load {os.getloadavg()[0]:.1f}"
          + (", quick: not the sizes that the bars are of" if QUICK else ""), file=out)  # fmt: skip
    figures: dict[str, dict[str, object]] = {}
    failed = []
    for name in wanted:
        began = time.monotonic()
        print(f"\n{name}", file=out, flush=True)
        result = _apart(name)
        if result is None:
            failed.append(name)
            continue
        figures[name] = result
        for key, value in result.items():
            print(f"  {key:<46} {shown(value)}", file=out)
        print(f"  {'(the whole benchmark, s)':<46} {time.monotonic() - began:,.0f}", file=out)
    found = rows({name: bars_of(name) for name in wanted}, figures)
    document = {
        "machine": machine, "figures": figures, "bars": [row.document() for row in found],
        "failed": failed,
    }  # fmt: skip
    RESULTS.write_text(json.dumps(document, indent=2, default=str) + "\n", encoding="utf-8")
    if found:
        print(f"\n{table(found)}", file=out)
    if as_json:
        print(json.dumps(document, indent=2, default=str))
    if failed:
        print(f"\ncould not be run: {', '.join(failed)}; see above", file=sys.stderr)
    return 1 if failed else 0


def _apart(name: str) -> dict[str, object] | None:
    """Run one in a process of its own; None when it failed, which it says itself."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        into = Path(folder) / "figures.json"
        command = [sys.executable, "-m", "bench", "--into", str(into), name]
        if subprocess.run(command, stdout=2, check=False).returncode or not into.exists():
            return None
        found: dict[str, object] = json.loads(into.read_text("utf-8"))
        return found


def _one(name: str, into: Path) -> None:
    result = dict(import_module(f"bench.{name}").run())
    into.write_text(json.dumps(result, default=str), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
