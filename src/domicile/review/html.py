"""A review as one HTML file that loads nothing and runs nothing, with its signed figures inside.

Every name comes from somebody's database or declaration, so all of them are escaped, and the page
forbids itself scripts and any source but its own style (Content Security Policy).
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from importlib import resources
from typing import Any

from domicile.review.model import Review
from domicile.review.view import view

SIGNED = b'<pre id="signed">'
"""Where the signed figures go; the page's digest is taken without them."""


def to_html(review: Review) -> bytes:
    """The page, with the place for its signed figures still empty."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    here = resources.files("domicile.review")
    style = here.joinpath("review.css").read_text("utf-8")
    hashed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
    template = environment.from_string(here.joinpath("review.html").read_text("utf-8"))

    style = Markup(style)  # noqa: S704 - ours

    def drawn(plot: dict[str, Any]) -> Markup:
        """A drawing of ours, all of whose texts are escaped, with its words for who is blind."""
        opening = f'<svg role="img" aria-label="{escape(plot["alt"])}" '
        return Markup(plot["svg"].replace("<svg ", opening, 1))  # noqa: S704

    shown = template.render(
        **view(review),
        drawn=drawn,
        style=style,
        hashed=f"sha256-{hashed}",
    )
    page = shown.encode()
    assert page.count(SIGNED) == 1  # nothing that is shown can be a tag
    return page


def with_signed(page: bytes, note: str) -> bytes:
    """The page with its signed figures in it."""
    return page.replace(SIGNED, SIGNED + escape(note, quote=False).encode(), 1)
