"""Options that the commands about devices share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


class Moment(click.ParamType[datetime]):
    """A moment of an option, as 2023-03-15T00:00:00Z; without a zone it is UTC."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """The moment in UTC. Raises click.BadParameter."""
        if isinstance(value, datetime):
            return value
        try:
            when = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"got {value!r}, expected a time as 2023-03-15T00:00:00Z", param, ctx)
        return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


def at_option(function: F) -> F:
    """`--at TIME`, given as `at: datetime | None`."""
    return click.option(
        "--at",
        type=Moment(),
        metavar="TIME",
        help="Act as at that time: to rehearse, on a copy of the estate.",
    )(function)
