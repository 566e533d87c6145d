"""The parts of an estate that are about devices: fleets, how owners are told, exceptions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from domicile.estate.declared import known
from domicile.estate.document import Document, Key
from domicile.estate.model import (
    DeviceException,
    DeviceSettings,
    Fleet,
    Mail,
    Signals,
    SignalSource,
    SignalTarget,
    Webhook,
)
from domicile.estate.validate import shown

GRAPH = "https://graph.microsoft.com/v1.0"
"""The global service; national clouds have others, declared as `url` and `login`."""

ANDROID = "https://androidmanagement.googleapis.com"

LOGIN = "https://login.microsoftonline.com"

_KEYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "csv": (("file",), ()),
    "json": (("file",), ()),
    "fleet": (("url", "secret"), ()),
    "graph": (("secret",), ("url", "tenant", "client", "login")),
    "android": (("tenant", "secret"), ("url",)),
    "nanomdm": (("url", "secret", "webhook_secret"), ("file",)),
}
"""Of each kind of source: the keys that it needs, and those that it may have."""

_SERVICES = {"graph": GRAPH, "android": ANDROID}
"""Where a source is, when the fleet does not say."""

_ALWAYS = ("source", "ownership", "scope")


def fleets(document: Document) -> tuple[Fleet, ...]:
    """The declared fleets. Raises DeclarationError."""
    return tuple(
        _fleet(document, ("fleets", name), name, body)
        for name, body in document.data.get("fleets", {}).items()
    )


def _fleet(document: Document, key: Key, name: str, body: Mapping[str, Any]) -> Fleet:
    source = body["source"]
    needed, allowed = _KEYS[source]
    for each in needed:
        if each not in body:
            raise document.error(key, f"the key {each} is missing for source: {source}")
    for each in body:
        if each not in (*_ALWAYS, *needed, *allowed):
            raise document.error((*key, each), f"is not for source: {source}")
    if source == "graph" and ("client" in body) != ("tenant" in body):
        raise document.error(
            key,
            "client and tenant belong together",
            hint="With both, secret is the application's; with neither, it is a token.",
        )
    url = body.get("url", _SERVICES.get(source, ""))
    return Fleet(
        name=name,
        source=source,
        file=_beside(document, body["file"]) if "file" in body else "",
        url=url.rstrip("/"),
        tenant=body.get("tenant", ""),
        client=body.get("client", ""),
        login=body.get("login", LOGIN if "client" in body else "").rstrip("/"),
        secret=body.get("secret", ""),
        webhook_secret=body.get("webhook_secret", ""),
        ownership=body.get("ownership", ""),
        scope=body.get("scope", ""),
    )


def settings(document: Document) -> DeviceSettings:
    """How owners are told, and who is excepted. Raises DeclarationError."""
    body = document.data.get("devices")
    if body is None:
        return DeviceSettings()
    mail, webhook = body.get("mail"), body.get("webhook")
    if mail and ("user" in mail) != ("secret" in mail):
        raise document.error(("devices", "mail"), "user and secret belong together")
    return DeviceSettings(
        people=_beside(document, body["people"]) if "people" in body else "",
        language=body.get("language", "en"),
        timezone=_timezone(document, body.get("timezone", "UTC")),
        contact=body.get("contact", ""),
        page=body.get("page", "").rstrip("/"),
        point=body.get("point", "").rstrip("/"),
        mail=Mail(mail["server"], mail["from"], mail.get("user", ""), mail.get("secret", ""))
        if mail
        else None,
        webhook=Webhook(webhook["url"], webhook["secret"]) if webhook else None,
        signals=_signals(document, body) if "signals" in body else None,
        exceptions=tuple(
            _exception(document, ("devices", "exceptions", index), each)
            for index, each in enumerate(body.get("exceptions", ()))
        ),
    )


def _signals(document: Document, devices: Mapping[str, Any]) -> Signals:
    key, body = ("devices", "signals"), devices["signals"]
    if not devices.get("point"):
        raise document.error(
            key, "needs devices.point: the address by which events say who sent them"
        )
    for kind, name in (("send", "to"), ("take", "from"), ("take", "issuer")):
        names = [each[name] for each in body.get(kind, ())]
        for index, each in enumerate(names):
            if each in names[:index]:
                raise document.error((*key, kind, index, name), f"got {shown(each)} twice")
    for index, each in enumerate(body.get("take", ())):
        for fleet in each.get("fleets", ()):
            known(document, (*key, "take", index, "fleets"), "fleet", fleet,
                  document.data.get("fleets", {}))  # fmt: skip
    return Signals(
        key=body.get("key", ""),
        targets=tuple(
            SignalTarget(each["to"], each["url"], each["audience"], each.get("secret", ""))
            for each in body.get("send", ())
        ),
        sources=tuple(
            SignalSource(each["from"], each["issuer"], _beside(document, each["keys"]),
                         tuple(each.get("fleets", ())))
            for each in body.get("take", ())
        ),
    )  # fmt: skip


def _exception(document: Document, key: Key, body: Mapping[str, Any]) -> DeviceException:
    if "fleet" in body:
        known(document, (*key, "fleet"), "fleet", body["fleet"], document.data.get("fleets", {}))
    start = _day(document, (*key, "from"), body["from"]) if "from" in body else None
    until = _day(document, (*key, "until"), body["until"])
    if start and until < start:
        raise document.error((*key, "until"), f"got {until}, before from {start}")
    return DeviceException(
        device=body["device"],
        mandate=body["mandate"],
        purpose=body["purpose"],
        document=body["document"],
        approved_by=body["approved_by"],
        until=until,
        start=start,
        fleet=body.get("fleet", ""),
        clause=body.get("clause", ""),
    )


def _beside(document: Document, name: str) -> str:
    """A file, from the estate's directory on."""
    return str(Path(document.file).absolute().parent / Path(name).expanduser())


def _day(document: Document, key: Key, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise document.error(
            key, f"got {shown(text)}, expected a date such as 2025-09-25"
        ) from None


def _timezone(document: Document, name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (KeyError, ValueError, OSError):  # unknown, or no such file: see zoneinfo
        raise document.error(
            ("devices", "timezone"), f"got {shown(name)}, expected a place such as Europe/Brussels"
        ) from None
