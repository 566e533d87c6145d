"""Running the verifier as an auditor does: one file, in a process that has nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

VERIFIER = Path(__file__).resolve().parents[2] / "verifier" / "domicile_verify.py"


def verify(*arguments: str | Path) -> tuple[int, str]:
    """Exit code and what was printed; isolated, optimised, without Domicile on the path."""
    command = [sys.executable, "-I", "-O", str(VERIFIER), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout
