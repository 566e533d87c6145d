"""Reading a device management service over HTTP, as such services behave.

They throttle, with and without saying for how long; cut answers short; let tokens expire; and
forget cursors. What can be tried again is, with growing waits; what cannot is one clear error.
The answer's text is never part of a message: it may hold people's names.
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec

from domicile.devices.inventory.base import CursorEnded
from domicile.errors import FleetError, Stopped
from domicile.estate.model import Fleet

T = TypeVar("T")

TRIES = 8
FIRST_WAIT = 1.0  # seconds; doubled each time
LONGEST_WAIT = 120.0
TIMEOUT = httpx.Timeout(60.0, connect=10.0)

AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request may succeed (RFC 9110, RFC 6585, RFC 8470)."""


def secret(fleet: Fleet) -> str:
    """The fleet's secret from its environment variable. Raises FleetError."""
    value = os.environ.get(fleet.secret, "").strip()
    if not value:
        raise FleetError(
            fleet.name,
            f"the environment variable {fleet.secret} is not set",
            hint="It holds the secret of the fleet's source; see docs/devices.md.",
        )
    shown = value.replace("\n", "").replace("\r", "") if value.startswith("{") else value
    if not shown.isascii() or not shown.isprintable():
        raise FleetError(
            fleet.name,
            f"the environment variable {fleet.secret} holds what no secret can be",
            hint="Its characters are printable ASCII; a line end after it does not matter.",
        )
    return value


@cache
def trust() -> ssl.SSLContext:
    """Whom to trust over TLS; made once, for it takes a while."""
    return httpx.create_ssl_context()


class Service:
    """One service with its credentials.

    `authorise` gives the headers that let us in; it is asked anew (`True`) once they are refused.
    `sleep` waits for seconds: tests give another.
    """

    def __init__(
        self,
        fleet: Fleet,
        authorise: Callable[[bool], Mapping[str, str]],
        *,
        sleep: Callable[[float], None] = time.sleep,
        client: httpx.Client | None = None,
    ) -> None:
        self.fleet = fleet
        self.client = client or httpx.Client(
            timeout=TIMEOUT, follow_redirects=False, verify=trust()
        )
        self._authorise, self._sleep = authorise, sleep

    def close(self) -> None:
        """Close its connections."""
        self.client.close()

    def read(
        self,
        url: str,
        decoder: msgspec.json.Decoder[T],
        *,
        resumed: bool = False,
        method: str = "GET",
        body: bytes | None = None,
        means: frozenset[int] = frozenset({200}),
    ) -> T:
        """Ask for one document and decode it; `means` are the statuses that come with one.

        What is asked must be safe to ask twice. `resumed` says that the address is one that was
        kept: a service that no longer knows it gives CursorEnded. Raises FleetError, Stopped.
        """
        self._same_origin(url)
        wait, fresh = FIRST_WAIT, False
        for attempt in range(TRIES):
            headers = {**self._authorise(fresh), "Accept": "application/json"}
            asked: float | None = None
            try:
                answer = self.client.request(method, url, headers=headers, content=body)
            except httpx.InvalidURL:
                raise FleetError(
                    self.fleet.name, "a page leads to what is no address", hint="Nothing was asked."
                ) from None
            except httpx.DecodingError:
                what = "answered with half a page"
            except httpx.TransportError as error:
                if attempt == 0 and isinstance(error, httpx.ConnectError) and not resumed:
                    self._sleep(wait)
                    continue
                if isinstance(error, httpx.ConnectError) and not resumed:
                    raise FleetError(
                        self.fleet.name,
                        f"{urlsplit(url).hostname} does not answer",
                        hint="Check its url, and the way to it.",
                    ) from error
                what = "stopped answering"
            else:
                if answer.status_code in means:
                    try:
                        return decoder.decode(answer.content)
                    except msgspec.ValidationError as error:
                        raise FleetError(
                            self.fleet.name, f"the answer is none that we know: {error}"
                        ) from None
                    except RecursionError:
                        raise FleetError(
                            self.fleet.name,
                            "the answer is none that we know: it is nested too deep",
                        ) from None
                    except (msgspec.DecodeError, UnicodeDecodeError):
                        what = "answered with half a page"
                elif answer.status_code == 401 and not fresh:
                    fresh = True
                    continue
                elif answer.status_code in AGAIN:
                    asked = _retry_after(answer.headers.get("Retry-After"))
                    what = f"answered {answer.status_code}"
                else:
                    raise self._refused(answer.status_code, resumed)
            if attempt + 1 < TRIES:
                self._sleep(min(asked if asked is not None else wait, LONGEST_WAIT))
                wait = min(wait * 2, LONGEST_WAIT)
        raise Stopped(
            f"fleet {self.fleet.name}: {urlsplit(url).hostname} {what}, {TRIES} times",
            hint="What was read is kept: run the same command again to go on from there.",
        )

    def _same_origin(self, url: str) -> None:
        """Credentials go to the declared service only, whatever an answer says."""
        try:
            here, there = urlsplit(self.fleet.url), urlsplit(url)
        except ValueError:
            raise FleetError(
                self.fleet.name, "a page leads to what is no address", hint="Nothing was asked."
            ) from None
        if (here.scheme, here.netloc) != (there.scheme, there.netloc):
            raise FleetError(
                self.fleet.name,
                f"a page leads to {there.hostname or 'nowhere'}, which is not the declared service",
                hint="Nothing was asked there.",
            )

    def _refused(self, status: int, resumed: bool) -> Exception:
        if resumed and status in (400, 404, 410):
            return CursorEnded()
        said = {
            401: ("did not accept the token", f"It may have expired: renew {self.fleet.secret}."),
            403: ("refused", "The token lacks a permission; docs/devices.md names those needed."),
        }.get(status, (f"answered {status}", "Check the fleet's url."))
        return FleetError(self.fleet.name, f"the service {said[0]}", hint=said[1])


def _retry_after(text: str | None) -> float | None:
    """Seconds, from seconds or a date (RFC 9110, section 10.2.3); None when it says nothing."""
    if not text:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (when.astimezone(UTC) - datetime.now(UTC)).total_seconds())
