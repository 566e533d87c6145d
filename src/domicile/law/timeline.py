"""The case that the library grew out of: dated facts, each with its source and its state."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from domicile.estate.document import read_document

State = Literal["reported", "denied", "confirmed", "enjoined", "stayed", "superseded"]
Language = Literal["en", "nl"]

_STATES: dict[Language, dict[State, str]] = {
    "en": {
        "reported": "reported", "denied": "denied", "confirmed": "confirmed",
        "enjoined": "enjoined", "stayed": "stayed", "superseded": "superseded",
    },
    "nl": {
        "reported": "gemeld", "denied": "ontkend", "confirmed": "bevestigd",
        "enjoined": "door de rechter verboden", "stayed": "geschorst", "superseded": "achterhaald",
    },
}  # fmt: skip

_HEADS: dict[Language, tuple[str, ...]] = {
    "en": ("when", "state", "what", "mandates", "source"),
    "nl": ("wanneer", "stand", "wat", "mandaten", "bron"),
}

_UNREAD: dict[Language, str] = {"en": "not confirmed", "nl": "niet bevestigd"}


@dataclass(frozen=True)
class Event:
    """One dated fact."""

    on: str  # YYYY-MM-DD, or YYYY-MM where only the month is known
    state: State
    text: dict[Language, str]
    source: str
    verified: bool  # whether it was read in the source
    mandates: tuple[str, ...]  # ids of the library

    def as_json(self) -> dict[str, Any]:
        """The event as JSON, in both languages."""
        return {
            "on": self.on,
            "state": self.state,
            "en": self.text["en"],
            "nl": self.text["nl"],
            "source": self.source,
            "verified": self.verified,
            "mandates": list(self.mandates),
        }


@cache
def events() -> tuple[Event, ...]:
    """Every event, oldest first."""
    file = Path(str(resources.files("domicile.law").joinpath("timeline.yaml")))
    return tuple(
        Event(
            on=body["on"],
            state=body["state"],
            text={"en": body["en"], "nl": body["nl"]},
            source=body["source"],
            verified=body["verified"],
            mandates=tuple(body["mandates"]),
        )
        for body in read_document(file).data["events"]
    )


def of_mandate(name: str) -> tuple[Event, ...]:
    """The events that a mandate came from or that changed it."""
    return tuple(event for event in events() if name in event.mandates)


def said_state(state: State, language: Language) -> str:
    """The state in words of that language."""
    return _STATES[language][state]


def heads(language: Language) -> tuple[str, ...]:
    """The heads of the table's columns."""
    return _HEADS[language]


def row(event: Event, language: Language) -> tuple[str, ...]:
    """An event as a row under `heads`."""
    source = event.source if event.verified else f"{event.source} ({_UNREAD[language]})"
    return (
        event.on,
        said_state(event.state, language),
        event.text[language],
        ", ".join(event.mandates),
        source,
    )


def markdown(of: Iterable[Event], language: Language) -> str:
    """The events as a table in Markdown."""
    lines = [" | ".join(heads(language)), " | ".join(["---"] * len(heads(language)))]
    for event in of:
        when, state, what, mandates, source = row(event, language)
        ids = ", ".join(f"`{name}`" for name in mandates.split(", "))
        lines.append(" | ".join((when, state, what, ids, source)))
    return "\n".join(f"| {line} |" for line in lines) + "\n"
