"""Look for a world in which the command line and the oracle differ, and make it small.

    python -m tests.oracle.hunt [plan|move] [FIRST] [COUNT]

prints the smallest form of each disagreement that it finds and the first thing that differs.
"""

from __future__ import annotations

import sys

from tests.oracle.compare import check_move, check_plan
from tests.oracle.generate import random_world
from tests.oracle.model import World
from tests.oracle.shrink import shrink, told


def difference(what: str, world: World, triggers: bool) -> str:
    """What differs, or nothing."""
    try:
        if what == "plan":
            check_plan(world)
        else:
            check_move(world, triggers=triggers)
    except AssertionError as found:
        return str(found) or "an assertion without a message"
    return ""


def kind(difference: str) -> str:
    """The sort of a difference, so that shrinking does not wander to another one."""
    return " ".join(difference.split()[:2])


def main(arguments: list[str]) -> int:
    """Try seeds one after another; the number of disagreements."""
    what = arguments[0] if arguments else "move"
    first, count = (int(a) for a in [*arguments[1:], *["0", "100"][len(arguments[1:]) :]])
    found = 0
    for seed in range(first, first + count):
        world = random_world(seed)
        triggers = seed % 2 == 1
        reason = difference(what, world, triggers)
        if not reason:
            continue
        found += 1

        def fails(candidate: World, sort: str = kind(reason), triggers: bool = triggers) -> bool:
            return kind(difference(what, candidate, triggers)) == sort

        small = shrink(world, fails)
        print(f"=== seed {seed}: {difference(what, small, triggers)}\n{told(small)}\n", flush=True)
    print(f"{found} of {count} worlds differ")
    return found


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
