"""`domicile check` of the demo's estate under the whole library, by the command itself."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from bench.bars import Bar
from domicile.law.source import library

BARS = (Bar(4, "check of the whole library, the demo's estate", "check, s", most=10, unit="s"),)


def run() -> Mapping[str, object]:
    """Seconds of the whole command, and how many mandates and conflicts it looked at."""
    text = (files("domicile.demo") / "estate.yaml").read_text("utf-8")
    # Nothing is connected to: where the stores are does not matter.
    text = re.sub(r'"@([a-z]+)-lake@"', r'"file:///srv/\1"', text)
    text = re.sub(r'"@([a-z]+)@"', r'"postgresql://127.0.0.1:5432/\1"', text)
    with tempfile.TemporaryDirectory(prefix="bench-library-") as folder:
        estate = Path(folder) / "estate.yaml"
        estate.write_text(text, encoding="utf-8")
        asked = [part for name in library() for part in ("--mandate", name)]
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "domicile", "check", "--estate", str(estate), "--json", *asked],
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        out = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - began
    assert process.returncode == 0, "check failed: see above"
    said = json.loads(out)
    return {
        "mandates": len(said["mandates"]),
        "conflicts": len(said["conflicts"]),
        "check, s": seconds,
        "check, s of CPU": used.ru_utime + used.ru_stime,
        "peak memory, MB": used.ru_maxrss / 1024,
    }
