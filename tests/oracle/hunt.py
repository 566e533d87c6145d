"""Look for worlds in which the command line and the oracle differ, and make them small.

    python -m tests.oracle.hunt plan|move FIRST COUNT [TEXT …]

prints, for each sort of disagreement, its smallest form and the seeds that show it. A sort whose
message holds one of the TEXTs is passed over. The reading is compare.SETTLED.
"""

from __future__ import annotations

import re
import sys
from functools import partial

from tests.oracle.compare import SETTLED, check_move, check_plan
from tests.oracle.generate import random_world
from tests.oracle.model import World
from tests.oracle.shrink import shrink, told


def difference(what: str, world: World, *, triggers: bool) -> str:
    """What differs, or nothing."""
    try:
        if what == "plan":
            check_plan(world, reading=SETTLED)
        else:
            check_move(world, triggers=triggers, reading=SETTLED)
    except AssertionError as found:
        return str(found) or "an assertion without a message"
    return ""


def sort_of(message: str) -> str:
    """The sort of a difference, without the names of one world."""
    message = re.sub(r"(?s)Traceback.*\n(?=\w+(\.\w+)*:? )", "", message)
    if message.startswith("domicile "):
        lines = message.splitlines()
        error = next((x for x in lines[1:] if "error" in x.lower()), lines[-1])
        said = re.sub(r"/\S+|\"[^\"]*\"|'[^']*'|\d+", "…", error)
        return f"{message.split()[1]} {lines[0].split()[-1]} {said[:60]}"
    return message.split(":")[0]


def _same_sort(what: str, sort: str, triggers: bool, world: World) -> bool:
    found = difference(what, world, triggers=triggers)
    return sort_of(found) == sort


def main(arguments: list[str]) -> int:
    """Try seeds one after another; the number of worlds that differ."""
    what, first, count, *passed = arguments
    seeds: dict[str, list[int]] = {}
    for seed in range(int(first), int(first) + int(count)):
        world, triggers = random_world(seed), seed % 2 == 1
        message = difference(what, world, triggers=triggers)
        if not message or any(text in message for text in passed):
            continue
        sort = sort_of(message)
        seeds.setdefault(sort, []).append(seed)
        if len(seeds[sort]) == 1:
            small = shrink(world, partial(_same_sort, what, sort, triggers))
            message = difference(what, small, triggers=triggers)
            print(f"=== seed {seed}: [{sort}]\n{message}\n{told(small)}\n", flush=True)
    for sort, found in seeds.items():
        print(f"{len(found):4} of {count}: {sort}: seeds {found[:10]}")
    return sum(map(len, seeds.values()))


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
