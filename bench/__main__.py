"""`python -m bench [--json] [NAME…]` runs all benchmarks, or those named, and prints their figures.

A benchmark is a module of this package with `run() -> Mapping[str, object]`. Figures are printed
and never asserted: how fast a machine is is no property of the code.
"""

from __future__ import annotations

import json
import os
import pkgutil
import platform
import sys
from importlib import import_module

import bench


def names() -> list[str]:
    """The benchmarks there are."""
    found = (m.name for m in pkgutil.iter_modules(bench.__path__) if not m.name.startswith("_"))
    return sorted(n for n in found if hasattr(import_module(f"bench.{n}"), "run"))


def main(arguments: list[str]) -> int:
    """Run them one after the other; 2 when a name is unknown."""
    as_json = "--json" in arguments
    known = names()
    wanted = [a for a in arguments if a != "--json"] or known
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    machine = {"cores": os.cpu_count(), "python": platform.python_version()}
    figures: dict[str, object] = {}
    if not as_json:
        print(f"{machine['cores']} cores, Python {machine['python']}")
    for name in wanted:
        figures[name] = result = dict(import_module(f"bench.{name}").run())
        if not as_json:
            print(f"\n{name}")
            for key, value in result.items():
                print(f"  {key:<40} {_shown(value)}")
    if as_json:
        print(json.dumps({"machine": machine, "figures": figures}, indent=2, default=str))
    return 0


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
