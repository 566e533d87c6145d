"""A made-up institution: 40 people with 60 devices, and an app that is to go by 15 March 2023.

DIR/estate.yaml, DIR/mandates/   the declarations, to read and to change
DIR/people.csv                   the owners of devices, with their languages
DIR/phones.csv                   the inventory, as a device management system exports it
"""

from __future__ import annotations

import csv
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path

from domicile.errors import UsageError

PEOPLE, DEVICES = 40, 60
APP = "com.zhiliaoapp.musically"
WITH_APP = frozenset(range(1, 13))
"""Devices with the app when the ban is announced."""

UNSEEN = frozenset(range(13, 17))
"""Private phones, of which nobody sees the apps."""

DEADLINE = datetime(2023, 3, 15, tzinfo=UTC)
ANNOUNCED = DEADLINE - timedelta(days=40)

NAMES = (
    "ana", "bram", "chloe", "daan", "elif", "femke", "gijs", "hanna", "ivo", "jana", "kees",
    "lotte", "milan", "noor", "omar", "petra", "quinten", "rosa", "sem", "tess", "umit", "vera",
    "wout", "xenia", "yara", "zeno", "abel", "britt", "cas", "dina", "emre", "fleur", "guus",
    "hugo", "iris", "joris", "kaya", "luuk", "mila", "nils",
)  # fmt: skip

ESTATE = """\
estate: institution
fleets:
  phones: {source: csv, file: phones.csv}
devices:
  people: people.csv
  page: https://devices.example.org
  mail: {server: "smtp://127.0.0.1:25", from: it@example.org}
"""

MANDATE = """\
mandate: app-ban
title: The app leaves our devices, and private ones that are enrolled
issuer: a made-up institution
status: voluntary
effective: 2023-02-01
protects: {} # it is about devices, whoever holds them
clauses:
  - id: remove
    install:
      apps: {android: [com.zhiliaoapp.musically], ios: [com.zhiliaoapp.musically]}
      devices: [corporate, enrolled_personal]
      by: 2023-03-15
    otherwise: block
"""


def owner(device: int) -> str:
    """Whose a device is: the first 20 people have two."""
    return NAMES[(device - 1) % PEOPLE]


def label(device: int) -> str:
    """What a device is called."""
    return f"{owner(device)}'s {'phone' if device <= PEOPLE else 'tablet'}"


def declare(directory: Path) -> Path:
    """Write the declarations and the owners; the estate's file. Raises UsageError."""
    if directory.exists() and any(directory.iterdir()):
        raise UsageError(f"{directory} is not empty", hint="choose another folder with --dir")
    try:
        (directory / "mandates").mkdir(parents=True)
    except OSError as error:
        raise UsageError(
            f"cannot make the folder {directory}: {error.strerror}",
            hint="choose another folder with --dir",
        ) from error
    (directory / "mandates" / "app-ban.yaml").write_text(MANDATE, encoding="utf-8")
    (directory / "estate.yaml").write_text(ESTATE, encoding="utf-8")
    with (directory / "people.csv").open("w", encoding="utf-8", newline="") as out:
        lines = csv.writer(out)
        lines.writerow(("user", "language", "account"))
        for n, name in enumerate(NAMES):
            lines.writerow((f"{name}@example.org", "nl" if n % 2 else "en", name))
    return directory / "estate.yaml"


def report(directory: Path, with_app: Collection[int], now: datetime) -> None:
    """Write the inventory of that moment: every device has just reported."""
    seen = now.isoformat().replace("+00:00", "Z")
    with (directory / "phones.csv").open("w", encoding="utf-8", newline="") as out:
        lines = csv.writer(out)
        lines.writerow(("id", "name", "owner", "ownership", "platform", "scope", "seen", "app"))
        for n in range(1, DEVICES + 1):
            lines.writerow((
                f"d{n}", label(n), f"{owner(n)}@example.org",
                "personal" if n in UNSEEN else "corporate", "android" if n % 2 else "ios",
                "managed" if n in UNSEEN else "all", seen,
                APP if n in with_app else "com.example.notes",
            ))  # fmt: skip
