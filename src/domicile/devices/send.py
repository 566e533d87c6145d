"""Sending notices: mail over SMTP, and webhooks that are signed."""

from __future__ import annotations

import hmac
import json
import os
import smtplib
import ssl
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx

from domicile.devices.inventory.http import trust
from domicile.devices.words import Message
from domicile.errors import Stopped, UsageError
from domicile.estate.model import Mail, Webhook

SECONDS = 30.0

PORTS = {"smtp": 25, "smtps": 465}

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Refused(Exception):
    """This notice cannot be delivered; others may."""


class Away(Stopped):
    """Nobody answers there, or not in time: neither would another notice be taken now."""


class Channel(Protocol):
    """A way to tell an owner."""

    def send(
        self, message: Message, *, to: str, language: str, identity: str, facts: dict[str, Any],
        now: datetime,
    ) -> None:  # fmt: skip
        """Deliver one notice. `identity` is the same whenever the same notice is sent again.

        Raises Refused for this one; Stopped when it is not taken for now, and of these Away when
        there was no answer.
        """
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


class MailChannel:
    """One connection to a mail server (RFC 5321), over TLS where it is offered."""

    def __init__(self, mail: Mail) -> None:
        """Nothing is connected to yet. Raises UsageError when the secret is not set."""
        self.mail = mail
        self._secret = variable(mail.secret) if mail.secret else ""
        self._server: smtplib.SMTP | None = None

    def send(
        self, message: Message, *, to: str, language: str, identity: str, facts: dict[str, Any],
        now: datetime,
    ) -> None:  # fmt: skip
        """See `Channel`. `identity` becomes the Message-ID."""
        mail = EmailMessage()
        mail.set_content(message.text)  # first: it takes Content-Language away
        mail["From"], mail["To"], mail["Subject"] = self.mail.sender, to, message.subject
        mail["Date"] = format_datetime(now)
        mail["Message-ID"] = f"<{identity}@{self.mail.sender.rpartition('@')[2]}>"
        mail["Content-Language"] = language
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834, section 5
        try:
            self._connected().send_message(mail)
        except (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError) as error:
            if isinstance(error, smtplib.SMTPDataError) and 400 <= error.smtp_code < 500:
                raise self._away() from None
            raise Refused from None
        except (OSError, smtplib.SMTPException):
            self.close()
            raise self._away(Away) from None

    def close(self) -> None:
        """Say goodbye, if there is still somebody to say it to."""
        server, self._server = self._server, None
        if server is not None:
            try:
                server.quit()
            except (OSError, smtplib.SMTPException):
                server.close()

    def _connected(self) -> smtplib.SMTP:
        if self._server is not None:
            return self._server
        parts = urlsplit(self.mail.server)
        host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
        context = ssl.create_default_context()
        if parts.scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=SECONDS, context=context)
        else:
            server = smtplib.SMTP(host, port, timeout=SECONDS)
        try:
            server.ehlo()
            safe = parts.scheme == "smtps"
            if not safe and server.has_extn("starttls"):
                server.starttls(context=context)
                server.ehlo()
                safe = True
            if self.mail.user:
                if not safe and host not in LOOPBACK:
                    raise UsageError(
                        f"{host} offers no TLS: no password is sent to it",
                        hint="Use smtps://, or a server that offers STARTTLS.",
                    )
                server.login(self.mail.user, self._secret)
        except BaseException:
            server.close()
            raise
        self._server = server
        return server

    def _away(self, kind: type[Stopped] = Stopped) -> Stopped:
        return kind(
            f"the mail server {urlsplit(self.mail.server).hostname} takes nothing for now",
            hint="What was not sent is kept: run the same command again.",
        )


class WebhookChannel:
    """POSTs each notice as JSON, with an HMAC-SHA-256 of the body in `X-Domicile-Signature`."""

    def __init__(self, webhook: Webhook) -> None:
        """Nothing is connected to yet. Raises UsageError when the secret is not set."""
        self.webhook = webhook
        self._secret = variable(webhook.secret).encode()
        self._client = httpx.Client(timeout=SECONDS, follow_redirects=False, verify=trust())

    def send(
        self, message: Message, *, to: str, language: str, identity: str, facts: dict[str, Any],
        now: datetime,
    ) -> None:  # fmt: skip
        """See `Channel`. `identity` is the header `X-Domicile-Delivery`."""
        document = {
            **facts, "mail": to, "language": language, "subject": message.subject,
            "text": message.text, "time": now.isoformat(),
        }  # fmt: skip
        body = json.dumps(document, ensure_ascii=False).encode()
        try:
            # Of the answer the status alone is read: a text without end would keep us for ever.
            with self._client.stream(
                "POST",
                self.webhook.url,
                content=body,
                headers={
                    "Content-Type": "application/json",
                    "X-Domicile-Delivery": identity,
                    "X-Domicile-Signature": "sha256=" + hmac.digest(
                        self._secret, body, "sha256"
                    ).hex(),
                },
            ) as answer:  # fmt: skip
                status = answer.status_code
        except httpx.TransportError:
            raise self._away(Away) from None
        if status == 429 or status >= 500:
            raise self._away()
        if not 200 <= status < 300:  # a redirect too: the notice is for that address alone
            raise Refused

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _away(self, kind: type[Stopped] = Stopped) -> Stopped:
        return kind(
            f"the webhook at {urlsplit(self.webhook.url).hostname} takes nothing for now",
            hint="What was not sent is kept: run the same command again.",
        )


def variable(name: str) -> str:
    """A secret from the environment. Raises UsageError."""
    value = os.environ.get(name, "")
    if not value:
        raise UsageError(f"the environment variable {name} is not set")
    return value
