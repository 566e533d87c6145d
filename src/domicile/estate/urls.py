"""Where a store is: `${ENV}` filled in, schemes known, and a form that is safe to show."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

SCHEMES = {
    "postgresql": "postgresql://user@host:5432/database",
    "postgres": "postgres://user@host:5432/database",
    "sqlite": "sqlite:file.db or sqlite:///path/file.db",
    "file": "file:///path/of/the/lake",
    "memory": "memory:name",
}
"""Every kind of URL, with an example."""

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
# What may be shown of a query; everything else (password, sslkey, options) may be a secret.
_HARMLESS = {"host", "port", "dbname", "sslmode", "application_name"}


class UrlFormatError(ValueError):
    """A URL that cannot be used; the loader adds the line. Never holds a variable's value."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def fill(url: str, env: Mapping[str, str]) -> str:
    """Put in the values of `${NAME}`; in the user information they are percent-encoded.

    Raises UrlFormatError, naming the variable, when one is not set.
    """
    if "${" in _VARIABLE.sub("", url):
        raise UrlFormatError(
            "got a '${' that is not closed, expected ${NAME}", hint="close the brace"
        )
    # Only what stands before the host's @ is user information: a password may hold / or @.
    user = re.match(r"postgres(?:ql)?://([^?#]*)@", url, re.IGNORECASE)
    in_user = range(*user.span(1)) if user else range(0)

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in env:
            raise UrlFormatError(
                f"the environment variable {name} is not set",
                hint=f"set it where domicile runs (export {name}=…), or write the value itself "
                "when it is no secret",
            )
        return quote(env[name], safe="") if match.start() in in_user else env[name]

    return _VARIABLE.sub(value, url)


def normalise(url: str, directory: Path, written: str = "") -> str:
    """One spelling: `postgresql://…`, `sqlite:///absolute`, `file:///absolute`, `memory:name`.

    A path is taken as it is written (nothing is percent-decoded), `~` is the home directory, and
    a relative path starts at `directory`, where the estate file is. `written` is the URL
    before its variables were filled in: messages name only what stands there.

    Raises UrlFormatError.
    """
    scheme, colon, rest = url.partition(":")
    scheme = scheme.lower()
    if not colon or scheme not in SCHEMES:
        known = "; ".join(SCHEMES.values())
        plain = colon and (written or url).lower().startswith(f"{scheme}:")
        got = f"the scheme '{scheme[:20]}'" if plain else "a scheme that is not known, or none"
        hint = "" if colon else _as_url(url, directory)
        raise UrlFormatError(f"got {got}, expected one of: {known}", hint=hint)
    if scheme in ("postgresql", "postgres"):
        return _server(f"postgresql:{rest}")
    if scheme == "memory":
        return f"memory:{rest.removeprefix('//')}"
    path = rest.removeprefix("//") if rest.startswith("//") else rest
    if path.startswith("localhost/"):
        path = path.removeprefix("localhost")
    if not path:
        raise UrlFormatError(f"got no path, expected {SCHEMES[scheme]}")
    try:
        full = Path(path).expanduser()
    except RuntimeError:
        raise UrlFormatError(
            "got a ~ without a home directory, expected a path", hint="write the whole path"
        ) from None
    if rest.startswith("//") and not full.is_absolute():
        raise UrlFormatError(f"got a host or a relative path after //, expected {SCHEMES[scheme]}")
    return f"{scheme}://{(directory / full).absolute()}"


def safe(url: str) -> str:
    """The URL as written, without user information or anything in its query that may be secret."""
    scheme, _, rest = url.partition(":")
    if scheme.lower() in ("sqlite", "file", "memory") or not set("@?") & set(url):
        return url
    match = re.match(r"//(?:[^/?#@]*@)?([^/?#@]*)([^?#@]*)(?:\?([^#@]*))?\Z", rest)
    if not match:  # an odd @ or #: part of a secret may stand anywhere, so nothing is shown
        return f"{scheme}://…"
    host, path, query = match[1], match[2], match[3] or ""
    kept = [pair for pair in parse_qsl(query) if pair[0] in _HARMLESS]
    return f"{scheme}://{host}{path}" + (f"?{urlencode(kept)}" if kept else "")


def place(url: str) -> str:
    """What tells two stores apart, whoever logs in: the same place twice is a mistake."""
    if url.startswith("postgresql:"):
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query))
        host = parts.hostname or query.get("host", "")
        host = "127.0.0.1" if host in ("localhost", "::1", "") else host
        port = parts.port or int(query.get("port") or 5432)
        return f"postgresql://{host}:{port}/{parts.path.lstrip('/') or query.get('dbname', '')}"
    scheme, _, path = url.partition("://")
    return f"{scheme}://{Path(path).resolve()}" if path else url


def _as_url(path: str, directory: Path) -> str:
    """What to write for a plain path, when there is something."""
    if not path:
        return ""
    there = directory / path
    if there.is_dir():
        return f"for that folder write file:{path}"
    return f"for that file write sqlite:{path}" if there.is_file() else ""


def _server(url: str) -> str:
    try:
        parts = urlsplit(url)
        port_of_query = dict(parse_qsl(parts.query)).get("port", "5432")
        usable = bool(parts.netloc or "host=" in parts.query) and (parts.port or 1) > 0
        usable = usable and port_of_query.isdigit()
    except ValueError:
        usable = False
    if not usable:
        raise UrlFormatError(
            f"got a server URL that cannot be read, expected {SCHEMES['postgresql']}"
        )
    return url
