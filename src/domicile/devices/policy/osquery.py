"""The ban as policies of Fleet, for `fleetctl apply -f`.

A policy passes when its query returns a row, so each asks that no forbidden app is there; osquery
is SQLite. macOS knows apps by bundle identifier and name; Windows and Linux by name (`titles`, and
the name in a package family name); ChromeOS by extension. Phones answer no queries.
"""

from __future__ import annotations

from collections.abc import Sequence

import yaml

from domicile.devices.policy.ingredients import Ingredients, some


def policies(given: Ingredients) -> str:
    """One document of YAML for each platform. Raises UsageError."""
    found = [
        {
            "apiVersion": "v1",
            "kind": "policy",
            "spec": {
                "name": f"{given.label} ({platform})",
                "query": query,
                "description": given.title,
                "resolution": "Remove the app and let the device report."
                + (f" Ask {given.contact}." if given.contact else ""),
                "platform": platform,
                "critical": False,
            },
        }
        for platform, query in queries(given).items()
    ]
    return yaml.safe_dump_all(found, sort_keys=False, allow_unicode=True, width=100)


def queries(given: Ingredients) -> dict[str, str]:
    """By Fleet's name of the platform, the query that returns a row where no such app is.

    Raises UsageError.
    """
    ban, titles = given.ban, given.ban.titles
    windows = [name.rpartition("_")[0] or name for name in ban.identifiers("windows")]
    looks = {
        "darwin": [("apps", "bundle_identifier", ban.identifiers("macos")),
                   ("apps", "bundle_name", titles)],
        "windows": [("programs", "name", [*windows, *titles])],
        "linux": [(table, "name", [*ban.identifiers("linux"), *titles])
                  for table in ("deb_packages", "rpm_packages")],
        "chrome": [("chrome_extensions", "identifier", ban.identifiers("chromeos"))],
    }  # fmt: skip
    named = {
        platform: [(table, column, names) for table, column, names in tables if names]
        for platform, tables in looks.items()
    }
    found = {platform: _none_of(tables) for platform, tables in named.items() if tables}
    some(list(found), "app that osquery can look for")
    return found


def _none_of(tables: Sequence[tuple[str, str, Sequence[str]]]) -> str:
    there = " OR ".join(
        f"EXISTS (SELECT 1 FROM {table} WHERE {column} COLLATE NOCASE IN"
        f" ({', '.join(_quoted(name) for name in dict.fromkeys(names))}))"
        for table, column, names in tables
    )
    return f"SELECT 1 WHERE NOT ({there});"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
