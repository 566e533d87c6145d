"""The vocabulary of data categories and uses."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from domicile.estate import categories
from scripts.make_fideslang_keys import TARGET, keys


def test_the_shipped_keys_are_those_of_the_package() -> None:
    assert json.loads(TARGET.read_text(encoding="utf-8")) == keys()
    assert categories.version() == "3.1.4"


def test_known_keys() -> None:
    assert categories.is_category("user.contact.email")
    assert not categories.is_category("user.contact.mail")
    assert categories.is_use("marketing.advertising.profiling")
    assert not categories.is_use("user.contact.email")


def test_a_key_covers_all_below_it_and_nothing_beside_it() -> None:
    assert categories.covers("user", "user.contact.email")
    assert categories.covers("user.contact", "user.contact")
    assert not categories.covers("user.contact.email", "user.contact")
    assert not categories.covers("user.device", "user.device_x")
    assert not categories.covers("user", "system.operations")


def test_nearest() -> None:
    assert categories.nearest_category("user.contact.emial") == "Did you mean user.contact.email?"
    assert categories.nearest_category("email") == "Did you mean user.contact.email?"
    assert "Fideslang" in categories.nearest_category("zzzz")
    assert categories.nearest_use("analytcs") == "Did you mean analytics?"


def test_the_slow_package_is_not_imported() -> None:
    code = (
        "import sys; from domicile.law.categories import is_category;"
        "is_category('user'); print('fideslang' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout.strip() == "False"
