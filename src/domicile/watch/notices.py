"""What the watch tells, and the channels that take it: the estate's mail and webhook."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from domicile.devices.send import Away, MailChannel, Refused, WebhookChannel
from domicile.devices.send import Channel as Line
from domicile.devices.words import Message
from domicile.errors import Stopped, UsageError
from domicile.estate.model import Estate


@dataclass(frozen=True)
class Notice:
    """What is told: names, counts and dates, and nobody's data.

    The identity is the same whenever the same notice is sent again. Between the moment at which a
    server has taken a notice and that at which the ledger says so, a crash leaves nobody knowing:
    it is sent again, under the same Message-ID, by which a mailbox can tell that it has it.
    """

    identity: str
    subject: str
    text: str
    facts: Mapping[str, Any] = field(default_factory=dict)


class Channel(Protocol):
    """A way to tell."""

    @property
    def name(self) -> str:
        """Its name in the ledger."""
        ...

    def send(self, notice: Notice) -> None:
        """Deliver one notice. Raises Stopped when it is not taken."""
        ...


@dataclass
class Server:
    """The server of a line (mail or webhook), and whether it was found to be away: then it is not
    waited for again, once for each notice and address, until the next round asks for channels."""

    line: Line
    away: Away | None = None


@dataclass(frozen=True)
class Addressed:
    """A line of the estate (mail or webhook), and who is told by it."""

    name: str
    server: Server
    to: str

    def send(self, notice: Notice) -> None:
        """See `Channel`."""
        if self.server.away:
            raise Stopped(self.server.away.message, hint=self.server.away.hint)
        try:
            self.server.line.send(
                Message(notice.subject, notice.text), to=self.to, language="en",
                identity=notice.identity, facts=dict(notice.facts), now=datetime.now(UTC),
            )  # fmt: skip
        except Away as problem:
            self.server.away = problem
            raise
        except UsageError as problem:  # a server without TLS: others are told all the same
            raise Stopped(problem.message, hint=problem.hint) from None
        except Refused:
            raise Stopped(
                f"a notice was refused by {self.name.partition(':')[0]}",
                hint="look at watch.to and devices of the estate, and run the same command again",
            ) from None


def channels(estate: Estate) -> list[Channel]:
    """The channels that the estate declares: `watch.to` by `devices.mail`, and `devices.webhook`.

    Each address is a channel of its own, so that one that a server refuses keeps the others from
    nothing, and is tried again. They are for one round. Raises UsageError when a secret is not set.
    """
    found: list[Channel] = []
    if estate.devices.mail:
        mail = Server(MailChannel(estate.devices.mail))
        found += [Addressed(f"mail:{to}", mail, to) for to in estate.watchers]
    if estate.devices.webhook:
        to = ", ".join(estate.watchers)
        hook = Server(WebhookChannel(estate.devices.webhook))
        found.append(Addressed("webhook", hook, to))
    return found


def identity(*parts: object) -> str:
    """An identity that is the same for the same notice, and tells nothing."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:40]


def shown(lines: Sequence[object]) -> str:
    """Lines of a notice."""
    return "".join(f"- {line}\n" for line in lines)
